import { useCallback, useState } from "react";

/** What this browser remembers of the page: tour, banner, filters, what is unfolded, what was dismissed. */
export const KEYS = {
  filters: "modeldeck.models.filters",
  expanded: "modeldeck.models.expanded",
  featured: "modeldeck.models.featured",
  told: "modeldeck.models.featured.told",
  tour: "modeldeck.tour",
} as const;

/** A remembered value; what cannot be read, or is of another shape, counts as nothing. */
export function read<T>(key: string, isIt: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
    return isIt(value) ? value : undefined;
  } catch (error) {
    // Not JSON, or no storage is allowed here.
    if (!(error instanceof SyntaxError || error instanceof DOMException)) throw error;
    return undefined;
  }
}

export function write(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch (error) {
    // Full, or forbidden: it is not remembered then.
    if (!(error instanceof DOMException)) throw error;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** State that is remembered in this browser. */
export function useStored<T>(key: string, isIt: (value: unknown) => value is T, initial: T): [T, (next: T) => void] {
  const [value, setValue] = useState(() => read(key, isIt) ?? initial);
  const set = useCallback(
    (next: T) => {
      setValue(next);
      write(key, next);
    },
    [key],
  );
  return [value, set];
}
