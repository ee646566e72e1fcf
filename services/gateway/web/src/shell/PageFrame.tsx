import { lazy, Suspense, useEffect, useMemo, useRef, type ComponentType } from "react";
import { useLive } from "../api/useLive";
import Home from "../pages/Home";
import { pageAt, pages, type Page } from "../pages/paths";
import { useVisits } from "../router";
import { Boundary, Empty, Loading } from "../ui";
import { useTitle } from "./PageHead";
import { isUnfetched } from "./version";

/** What was fetched once is there at once the next time. */
const fetched = new Map<string, ComponentType>();

function componentOf({ path, load }: Page): ComponentType {
  if (!load) return Home;
  const component = fetched.get(path) ?? lazy(load);
  fetched.set(path, component);
  return component;
}

/** The page of a path. After a navigation its heading has the focus, so that it is read and the keyboard is there. */
export function PageFrame({ path }: { path: string }) {
  const page = pageAt(path);
  const main = useRef<HTMLElement>(null);
  const visit = `${path} ${useVisits()}`;
  const shown = useRef(visit);
  const Component = useMemo(() => page && componentOf(page), [page]);
  useEffect(() => {
    if (shown.current === visit) return;
    shown.current = visit;
    scrollTo(0, 0);
    if (main.current) main.current.dataset["moved"] = "";
    main.current?.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  }, [visit]);
  const reloadAfterOutage = useReloadAfterOutage(path);
  const onError = (error: Error) => {
    if (isUnfetched(error)) reloadAfterOutage();
    // The heading that had it is another one now.
    if (document.activeElement === document.body) main.current?.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  };
  return (
    <main id="main" ref={main} tabIndex={-1} className="main">
      {!page || !Component ? (
        <NotFound />
      ) : (
        <Boundary key={path} title={page.title} heading onError={onError}>
          <Suspense fallback={<PageLoading title={page.title} />}>
            <Component />
          </Suspense>
        </Boundary>
      )}
    </main>
  );
}

/** A page whose code did not come has nothing to lose: it is loaded anew when an outage is over. */
function useReloadAfterOutage(path: string): () => void {
  const phase = useLive((state) => state.status.phase);
  const before = useRef(phase);
  const missing = useRef<string>(undefined);
  useEffect(() => {
    if (before.current === "stale" && phase === "live" && missing.current === path) location.reload();
    before.current = phase;
  }, [phase, path]);
  return () => {
    missing.current = path;
  };
}

/** The heading stands already, and keeps the focus when the page itself has come. */
function PageLoading({ title }: { title: string }) {
  useTitle(title);
  return (
    <>
      <header className="page-head">
        <h1 tabIndex={-1}>{title}</h1>
      </header>
      <Loading what={title.toLowerCase()} lines={6} />
    </>
  );
}

function NotFound() {
  useTitle("Not found");
  return (
    <>
      <header className="page-head">
        <h1 tabIndex={-1}>There is no such page</h1>
      </header>
      <Empty icon="search">
        Nothing is at this address. Go to the <a href="/">{pages[0]?.title}</a>.
      </Empty>
    </>
  );
}
