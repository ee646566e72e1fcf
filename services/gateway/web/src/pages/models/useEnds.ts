import { useEffect, useState, type RefObject } from "react";

interface Ends {
  /** Nothing is left to scroll to before what is seen, or after it. */
  first: boolean;
  last: boolean;
  /** Nobody has scrolled it yet, though there is more. */
  untouched: boolean;
}

/** Where a row that scrolls sideways stands; `count` is how many things are in it. */
export function useEnds(row: RefObject<HTMLElement | null>, count: number): Ends {
  const [ends, setEnds] = useState<Ends>({ first: true, last: false, untouched: true });
  useEffect(() => {
    const list = row.current;
    if (!list) return;
    const look = () => {
      const left = list.scrollWidth - list.clientWidth - list.scrollLeft;
      setEnds((before) => {
        const now = { first: list.scrollLeft < 2, last: left < 2, untouched: before.untouched && list.scrollLeft < 2 && left >= 2 };
        return now.first === before.first && now.last === before.last && now.untouched === before.untouched ? before : now;
      });
    };
    look();
    const sizes = new ResizeObserver(look);
    sizes.observe(list);
    list.addEventListener("scroll", look, { passive: true });
    return () => {
      sizes.disconnect();
      list.removeEventListener("scroll", look);
    };
  }, [row, count]);
  return ends;
}
