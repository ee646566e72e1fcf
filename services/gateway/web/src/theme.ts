import { useCallback, useState } from "react";

export type Scheme = "auto" | "light" | "dark";

const KEY = "modeldeck.scheme";
const SCHEMES: readonly Scheme[] = ["auto", "light", "dark"];

function stored(): Scheme {
  const value = localStorage.getItem(KEY);
  return SCHEMES.find((scheme) => scheme === value) ?? "auto";
}

function show(scheme: Scheme): void {
  document.documentElement.dataset["scheme"] = scheme;
}

/** Apply the remembered scheme; call before the first rendering. */
export function startScheme(): void {
  show(stored());
}

/** The scheme and a function that goes on to the next one; remembered in this browser. */
export function useScheme(): [Scheme, () => void] {
  const [scheme, setScheme] = useState(stored);
  const next = useCallback(() => {
    setScheme((present) => {
      const following = SCHEMES[(SCHEMES.indexOf(present) + 1) % SCHEMES.length] ?? "auto";
      localStorage.setItem(KEY, following);
      show(following);
      return following;
    });
  }, []);
  return [scheme, next];
}
