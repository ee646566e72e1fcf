import { useEffect, useId, useRef, type ReactNode } from "react";
import { Button } from "../ui";

interface ConfirmProps {
  title: string;
  /** What the button does, in its words. */
  action: string;
  onConfirm: () => void;
  onClose: () => void;
  children: ReactNode;
}

/** Asks once before something that cannot be taken back; focus goes back to where it came from. */
export function Confirm({ title, action, onConfirm, onClose, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [heading, what] = [useId(), useId()];
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} aria-labelledby={heading} aria-describedby={what} onClose={onClose}>
      <h2 id={heading}>{title}</h2>
      <div id={what}>{children}</div>
      <div className="buttons">
        <Button onClick={close}>Keep it</Button>
        <Button
          kind="danger"
          onClick={() => {
            onConfirm();
            close();
          }}
        >
          {action}
        </Button>
      </div>
    </dialog>
  );
}
