import { useSyncExternalStore } from "react";

/**
 * Path routes without a library: links are plain anchors, `takeLinks` follows those to pages of this product without
 * loading the document again. `?query` and `#hash` are the page's own.
 */
const MOVED = "modeldeck:moved";
let visits = 0;

function subscribe(listener: () => void): () => void {
  addEventListener("popstate", listener);
  addEventListener(MOVED, listener);
  return () => {
    removeEventListener("popstate", listener);
    removeEventListener(MOVED, listener);
  };
}

/** A path as the pages know it: without a slash at its end, and `/dashboard` is the home page (C-14). */
export function pathOf(pathname: string): string {
  const path = pathname.replace(/\/+$/, "") || "/";
  return path === "/dashboard" ? "/" : path;
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => pathOf(location.pathname));
}

/** Changes when a link leads to where one is already: that is a wish to be at its beginning. */
export function useVisits(): number {
  return useSyncExternalStore(subscribe, () => visits);
}

/** The address's query, kept up to date. */
export function useQueryString(): URLSearchParams {
  const search = useSyncExternalStore(subscribe, () => location.search);
  return new URLSearchParams(search);
}

/** Go to a page; `replace` leaves no step back. */
export function navigate(to: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  dispatchEvent(new Event(MOVED));
}

/** Follow clicks on links to pages for which `isPage` is true; whatever asks for a new tab or a download is left alone. */
export function takeLinks(isPage: (path: string) => boolean): () => void {
  const onClick = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link?.href || link.target || link.hasAttribute("download")) return;
    const to = new URL(link.href);
    const here = to.pathname === location.pathname && to.search === location.search;
    if (to.origin !== location.origin || !isPage(pathOf(to.pathname)) || (here && to.hash)) return;
    event.preventDefault();
    if (!here) navigate(to.pathname + to.search + to.hash);
    else {
      visits += 1;
      dispatchEvent(new Event(MOVED));
    }
  };
  document.addEventListener("click", onClick);
  return () => document.removeEventListener("click", onClick);
}
