import { useRef, useState, type ReactNode } from "react";
import { Icon, type IconName } from "../../icons";

interface PagesProps<T> {
  items: readonly T[];
  /** How many are on a page. */
  size: number;
  /** What is listed, in the plural: goes into "Pages of …". */
  of: string;
  /** What the list was chosen and sorted by: another one begins at its first page. */
  by: unknown;
  children: (shown: readonly T[]) => ReactNode;
}

/** A list in pages; a list of one page has no buttons. */
export function Pages<T>({ items, size, of, by, children }: PagesProps<T>) {
  const [wanted, setWanted] = useState({ by, page: 0 });
  const top = useRef<HTMLDivElement>(null);
  const total = Math.max(1, Math.ceil(items.length / size));
  const page = wanted.by === by ? Math.min(wanted.page, total - 1) : 0;
  const go = (to: number) => {
    setWanted({ by, page: to });
    // The reader goes on at the beginning of the new page; the button keeps the focus.
    const above = top.current?.getBoundingClientRect().top ?? 0;
    if (above < 0) top.current?.scrollIntoView({ block: "start" });
  };
  return (
    <>
      <div ref={top} className="pages-top" />
      {children(items.slice(page * size, (page + 1) * size))}
      {total > 1 && (
        <nav className="pages" aria-label={`Pages of ${of}`}>
          <Turn label="Previous" off={page === 0} onClick={() => go(page - 1)} />
          <span role="status">
            <span className="sr">Page </span>
            {page + 1} / {total}
          </span>
          <Turn label="Next" off={page === total - 1} onClick={() => go(page + 1)} />
        </nav>
      )}
    </>
  );
}

interface TurnProps {
  icon?: IconName;
  /** What the button says, or is called when it is an icon. */
  label: string;
  off: boolean;
  onClick: () => void;
}

/** It can be reached at the ends too, so that whoever turns pages by keyboard does not lose the place. */
export function Turn({ icon, label, off, onClick }: TurnProps) {
  const named = icon ? { "aria-label": label, title: label } : {};
  return (
    <button type="button" className={icon ? "icon quiet" : "button"} aria-disabled={off || undefined} {...named} onClick={() => !off && onClick()}>
      {icon ? <Icon name={icon} /> : <span>{label}</span>}
    </button>
  );
}
