import { useEffect, type ReactNode } from "react";
import { useTopic } from "../api/useLive";
import { percent } from "../format";

interface PageHeadProps {
  title: string;
  /** One short sentence. */
  about?: string;
  /** The page's own buttons. */
  children?: ReactNode;
}

/** Name the tab. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Modeldeck`;
  }, [title]);
}

/** The top of a page: its heading, which also names the tab; a running download's progress stays in sight there. */
export function PageHead({ title, about, children }: PageHeadProps) {
  const queue = useTopic("queue")?.data;
  const progress = queue?.current ? queue.active[queue.current]?.progress : undefined;
  useTitle(`${progress == null ? "" : `${percent(progress)} · `}${title}`);
  // A page that was waited for: its heading takes over the focus from the one that stood there meanwhile.
  const take = (heading: HTMLHeadingElement | null) => {
    if (document.activeElement === document.body && heading?.closest("main")?.dataset["moved"] !== undefined) heading.focus({ preventScroll: true });
  };
  return (
    <header className="page-head">
      <div>
        <h1 tabIndex={-1} ref={take}>
          {title}
        </h1>
        {about && <p className="muted">{about}</p>}
      </div>
      {children && <div className="actions">{children}</div>}
    </header>
  );
}
