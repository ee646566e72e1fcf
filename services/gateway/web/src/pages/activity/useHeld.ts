import { useCallback, useEffect, useState, type RefCallback } from "react";
import type { ActivityEntry } from "../../api/types";

export interface Held {
  /** Goes right above the list. */
  top: RefCallback<HTMLElement>;
  rows: readonly ActivityEntry[];
  /** How many newer ones wait for the reader. */
  count: number;
  show: () => void;
}

/** While the reader is further down, what comes new waits, so that nothing moves under the eyes. */
export function useHeld(rows: readonly ActivityEntry[], holds: boolean): Held {
  const [place, setPlace] = useState<HTMLElement | null>(null);
  const [since, setSince] = useState<string>();
  const newest = rows[0]?.id;
  const [away, setAway] = useState(false);
  useEffect(() => {
    if (!place) return;
    const observer = new IntersectionObserver(([seen]) => setAway(seen !== undefined && !seen.isIntersecting && seen.boundingClientRect.top < 0));
    observer.observe(place);
    return () => observer.disconnect();
  }, [place]);
  useEffect(() => {
    if (!away) setSince(undefined);
    else setSince((held) => held ?? newest);
  }, [away, newest]);
  const index = holds && away && since !== undefined ? rows.findIndex(({ id }) => id === since) : 0;
  const count = Math.max(0, index);
  const show = useCallback(() => {
    place?.scrollIntoView({ block: "center" });
    setSince(undefined);
  }, [place]);
  return { top: setPlace, rows: count > 0 ? rows.slice(count) : rows, count, show };
}
