import { useSyncExternalStore } from "react";

export type Scheme = "auto" | "light" | "dark";

const KEY = "modeldeck.scheme";
export const SCHEMES: readonly Scheme[] = ["auto", "light", "dark"];
let chosen = stored();
const listeners = new Set<() => void>();

function stored(): Scheme {
  const value = localStorage.getItem(KEY);
  return SCHEMES.find((scheme) => scheme === value) ?? "auto";
}

/** The colour of the browser's own frame: that of the header. */
const FRAME = { light: "#ffffff", dark: "#14181f" };

function show(scheme: Scheme): void {
  document.documentElement.dataset["scheme"] = scheme;
  for (const meta of document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]")) {
    const asked = meta.media.includes("dark") ? "dark" : "light";
    meta.content = FRAME[scheme === "auto" ? asked : scheme];
  }
}

/** Apply the remembered scheme, and what other tabs choose later; call before the first rendering. */
export function startScheme(): void {
  show(chosen);
  addEventListener("storage", ({ key }) => key === KEY && become(stored()));
}

/** Change to a scheme and remember it. */
export function choose(scheme: Scheme): void {
  localStorage.setItem(KEY, scheme);
  become(scheme);
}

function become(scheme: Scheme): void {
  chosen = scheme;
  show(scheme);
  for (const listener of listeners) listener();
}

function next(): void {
  choose(SCHEMES[(SCHEMES.indexOf(chosen) + 1) % SCHEMES.length] ?? "auto");
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The scheme and a function that goes on to the next one; remembered in this browser. */
export function useScheme(): [Scheme, () => void] {
  return [useSyncExternalStore(subscribe, () => chosen), next];
}
