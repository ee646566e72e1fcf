import { useId, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { Icon, type IconName } from "../../icons";

export interface Entry {
  icon: IconName;
  /** What it does, in the button's words. */
  does: string;
  run?: (() => void) | undefined;
  /** Where it leads instead, in a new tab. */
  href?: string | undefined;
}

/** What else can be done about a thing, behind one button. Arrow keys go from entry to entry, Escape closes. */
export function Menu({ label, entries }: { label: string; entries: readonly Entry[] }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const list = box.current;
    const from = button.current?.getBoundingClientRect();
    if (!open || !list || !from) return;
    const { width, height } = list.getBoundingClientRect();
    const below = from.bottom + 4;
    list.style.left = `${Math.max(8, from.right - width)}px`;
    list.style.top = `${below + height + 8 > innerHeight ? Math.max(8, from.top - height - 4) : below}px`;
    list.querySelector<HTMLElement>("[role=menuitem]")?.focus({ preventScroll: true });
    const close = () => list.hidePopover();
    addEventListener("scroll", close, { passive: true, once: true });
    return () => removeEventListener("scroll", close);
  }, [open]);
  const close = () => {
    box.current?.hidePopover();
    button.current?.focus({ preventScroll: true });
  };
  const onKey = (event: React.KeyboardEvent) => {
    const items = [...(box.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Tab") close();
    if (to === undefined) return;
    event.preventDefault();
    items.at(to % items.length)?.focus();
  };
  return (
    <>
      <button ref={button} type="button" className="icon quiet" popoverTarget={id} aria-haspopup="menu" aria-label={label} title="More">
        <Icon name="more" />
      </button>
      <div ref={box} id={id} popover="auto" className="menu" role="menu" aria-label={label} onToggle={(event) => setOpen(event.newState === "open")} onKeyDown={onKey}>
        {entries.map(({ icon, does, run, href }) =>
          href ? (
            <a key={does} role="menuitem" tabIndex={-1} href={href} target="_blank" rel="noreferrer" onClick={close}>
              <Line icon={icon}>
                {does}
                <span className="sr">, in a new tab</span>
              </Line>
            </a>
          ) : (
            <button
              key={does}
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => {
                close();
                run?.();
              }}
            >
              <Line icon={icon}>{does}</Line>
            </button>
          ),
        )}
      </div>
    </>
  );
}

function Line({ icon, children }: { icon: IconName; children: ReactNode }) {
  return (
    <>
      <Icon name={icon} />
      <span>{children}</span>
    </>
  );
}
