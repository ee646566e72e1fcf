import { memo, startTransition, useEffect, useRef, useState, type ReactNode } from "react";

/** More than most lists hold; what is beyond comes in smaller steps while the reader scrolls. */
const FIRST = 60;
const STEP = 24;

interface GrowingProps<T> {
  items: readonly T[];
  /** The list around the rows. */
  className: string;
  label?: string;
  children: (item: T, index: number) => ReactNode;
}

/** A list whose rows come into being a screen ahead of the reader; the browser skips painting those out of sight. */
export function Growing<T>({ items, className, label, children }: GrowingProps<T>) {
  const [count, setCount] = useState(FIRST);
  const end = useRef<HTMLDivElement>(null);
  const more = count < items.length;
  useEffect(() => {
    if (!more || !end.current) return;
    const observer = new IntersectionObserver(
      (seen) => {
        if (seen.some((entry) => entry.isIntersecting)) startTransition(() => setCount((present) => present + STEP));
      },
      { rootMargin: "2500px" },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [more, count]);
  return (
    <>
      <ul className={className} aria-label={label}>
        {Array.from({ length: 1 + Math.ceil((count - FIRST) / STEP) }, (_, part) => (
          <Part key={part} items={items} from={part === 0 ? 0 : FIRST + (part - 1) * STEP} to={FIRST + part * STEP}>
            {children}
          </Part>
        ))}
      </ul>
      {more && <div ref={end} className="more">{`${items.length - count} more`}</div>}
    </>
  );
}

interface PartProps<T> {
  items: readonly T[];
  from: number;
  to: number;
  children: (item: T, index: number) => ReactNode;
}

/** What is there already is not looked at again while the list grows. */
const Part = memo(function Part<T>({ items, from, to, children }: PartProps<T>) {
  return items.slice(from, to).map((item, index) => children(item, from + index));
}) as <T>(props: PartProps<T>) => ReactNode;
