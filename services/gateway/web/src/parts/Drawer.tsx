import { useEffect, useId, useRef, type ReactNode } from "react";
import { Button } from "../ui";
import "./drawer.css";

interface DrawerProps {
  title: string;
  /** One muted line below the title. */
  about?: ReactNode;
  /** Called once it is closed: by its button, Escape, or a click beside it. */
  onClose: () => void;
  children: ReactNode;
}

/** Details of one thing, over the page's right side; on a phone over all of it. Focus goes back to where it came from. */
export function Drawer({ title, about, onClose, children }: DrawerProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      // What opened it may have gone since, such as a button in a message.
      const there = before instanceof HTMLElement && before !== document.body && before.isConnected ? before : document.getElementById("main");
      there?.focus({ preventScroll: true });
    };
  }, []);
  const close = () => dialog.current?.close();
  return (
    <dialog
      ref={dialog}
      className="drawer"
      aria-labelledby={heading}
      onClose={(event) => event.target === dialog.current && onClose()}
      onClick={(event) => event.target === dialog.current && close()}
    >
      <header>
        <div>
          <h2 id={heading}>{title}</h2>
          {about && <p className="muted">{about}</p>}
        </div>
        <Button icon="close" kind="quiet" label="Close" onClick={close} />
      </header>
      <div className="drawer-body" role="group" aria-labelledby={heading} tabIndex={0}>
        {children}
      </div>
    </dialog>
  );
}

/** The drawer's buttons, in sight whatever is scrolled; the last child of the drawer. */
export function DrawerFoot({ children }: { children: ReactNode }) {
  return <footer className="drawer-foot">{children}</footer>;
}
