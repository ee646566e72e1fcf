import { Component, useId, type ErrorInfo, type ReactNode } from "react";
import { clock } from "./format";
import { Icon, type IconName } from "./icons";
import { useConnection } from "./api/useLive";
import { isReplaced, isUnfetched } from "./shell/version";

export type Tone = "ok" | "warn" | "bad" | "info" | "idle";

/** A status is always a word; the colour only repeats it. */
export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <span className={`badge ${tone}`}>{children}</span>;
}

/** Progress in percent. It jumps: animated widths cost the main thread more than all the rest. */
export function Bar({ value, label, tone = "info" }: { value: number | null | undefined; label: string; tone?: Tone }) {
  const known = typeof value === "number";
  const share = known ? Math.min(100, Math.max(0, value)) : 0;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(known ? { "aria-valuenow": Math.floor(share) } : {})}
      className={`bar ${tone}${known ? "" : " unknown"}`}
    >
      <i style={{ transform: `scaleX(${share / 100})` }} />
    </div>
  );
}

interface ButtonProps {
  id?: string;
  icon?: IconName;
  /** Read instead of the text, when the text alone does not say what it acts on. */
  label?: string;
  /** Shown on pointing; a button without children shows its label. */
  title?: string;
  kind?: "primary" | "danger" | "quiet";
  disabled?: boolean;
  busy?: boolean;
  onClick: () => void;
  children?: ReactNode;
}

/** A button; without children it is an icon and needs its label. */
export function Button({ id, icon, label, title, kind, disabled = false, busy = false, onClick, children }: ButtonProps) {
  const classes = [children ? "button" : "icon", kind, busy ? "busy" : ""].filter(Boolean).join(" ");
  return (
    <button
      type="button"
      id={id}
      className={classes}
      aria-label={label}
      title={title ?? (children ? undefined : label)}
      disabled={disabled}
      aria-busy={busy || undefined}
      onClick={onClick}
    >
      {icon && <Icon name={icon} />}
      {children && <span>{children}</span>}
    </button>
  );
}

interface SectionProps {
  id: string;
  title: string;
  count?: ReactNode;
  actions?: ReactNode;
  /** When the data shown was received; makes the section say so while there is no live stream. */
  at?: number | undefined;
  /** The content scrolls in a frame of fixed height. */
  scrolls?: boolean;
  children: ReactNode;
}

/** The frame of a widget. */
export function Section({ id, title, count, actions, at, scrolls, children }: SectionProps) {
  const heading = useId();
  const { trouble } = useConnection();
  const stale = trouble && at !== undefined;
  return (
    <section id={id} className={`card section ${id}`} aria-labelledby={heading} data-stale={stale || undefined} tabIndex={-1}>
      <header>
        <h2 id={heading}>
          {title}
          {count !== undefined && <span className="count"> {count}</span>}
        </h2>
        {stale && <Badge tone="warn">Stale data · {clock(at)}</Badge>}
        {actions && <div className="actions">{actions}</div>}
      </header>
      {scrolls ? (
        <div className="scroll" role="group" aria-labelledby={heading} tabIndex={0}>
          {children}
        </div>
      ) : (
        children
      )}
    </section>
  );
}

interface FigureProps {
  icon: IconName;
  label: string;
  /** Undefined when nothing is known: then there is no number. */
  value: string | undefined;
  note: string;
  /** How it went: what is drawn beside the number. */
  children?: ReactNode;
}

/** One number of a list of them. */
export function Figure({ icon, label, value, note, children }: FigureProps) {
  return (
    <li className={`figure-card${value === undefined ? " silent" : ""}`}>
      <Icon name={icon} />
      <span className="title">{label}</span>
      <strong className="figure">{value ?? "–"}</strong>
      <small className="muted">{note}</small>
      {children}
    </li>
  );
}

/** What a section shows before there is anything to show. */
export function Loading({ what, lines = 3 }: { what: string; lines?: number }) {
  return (
    <div className="loading" role="status">
      <span className="sr">Loading {what}…</span>
      {Array.from({ length: lines }, (_, index) => (
        <i key={index} />
      ))}
    </div>
  );
}

export function Empty({ icon, children }: { icon: IconName; children: ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} />
      <p>{children}</p>
    </div>
  );
}

interface FailureProps {
  /** What the button does, when it does more than try again. */
  does?: string;
  onRetry: () => void;
  children: ReactNode;
}

export function Failure({ does = "Try again", onRetry, children }: FailureProps) {
  return (
    <div className="failure" role="alert">
      <Icon name="warning" />
      <p>{children}</p>
      <Button icon="refresh" onClick={onRetry}>
        {does}
      </Button>
    </div>
  );
}

/** A topic that has not come yet: loading at first, an error once that has lasted. */
export function Waiting({ what, lines, onRetry }: { what: string; lines?: number; onRetry: () => void }) {
  const { trouble } = useConnection();
  if (trouble) return <Failure onRetry={onRetry}>The gateway cannot be reached, so {what} cannot be shown.</Failure>;
  return <Loading what={what} {...(lines ? { lines } : {})} />;
}

interface BoundaryProps {
  title: string;
  /** It is a whole page: the title stands above as its heading. */
  heading?: boolean;
  onError?: (error: Error) => void;
  children: ReactNode;
}

interface BoundaryState {
  error: Error | undefined;
  /** What the gateway says about the code that is missing: that a newer version has taken its place, or nothing at all. */
  replaced: boolean | undefined;
}

/** One broken widget must not take the page along, nor one broken page the product. */
export class Boundary extends Component<BoundaryProps, BoundaryState> {
  override state: BoundaryState = { error: undefined, replaced: undefined };

  static getDerivedStateFromError(error: Error): Partial<BoundaryState> {
    return { error };
  }

  override componentDidCatch(error: Error, info: ErrorInfo): void {
    console.error(`The section “${this.props.title}” failed`, error, info.componentStack);
    this.props.onError?.(error);
    if (isUnfetched(error)) void this.ask();
  }

  /** A browser does not fetch the same code twice: only a new page can, and not while the gateway is away. */
  private readonly reload = async () => {
    if ((await this.ask()) !== undefined) location.reload();
  };

  private async ask(): Promise<boolean | undefined> {
    const replaced = await isReplaced();
    this.setState({ replaced });
    return replaced;
  }

  override render(): ReactNode {
    const { title, heading, children } = this.props;
    const { error, replaced } = this.state;
    if (!error) return children;
    return (
      <>
        {heading && (
          <header className="page-head">
            <h1 tabIndex={-1}>{title}</h1>
          </header>
        )}
        <section className="card section" aria-label={title}>
          {!isUnfetched(error) ? (
            <Failure onRetry={() => this.setState({ error: undefined })}>
              “{title}” could not be shown: {error.message}
            </Failure>
          ) : replaced === undefined ? (
            <Failure onRetry={() => void this.reload()}>“{title}” could not be fetched: the gateway does not answer.</Failure>
          ) : (
            <Failure does="Reload" onRetry={() => void this.reload()}>
              {replaced ? "Modeldeck was updated since this page was opened." : `“${title}” could not be fetched.`} Reload the page to go on.
            </Failure>
          )}
        </section>
      </>
    );
  }
}
