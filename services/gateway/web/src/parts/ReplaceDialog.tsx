import { useEffect, useRef } from "react";
import type { ReplaceDialogProps } from "../dialogs";
import { Button } from "../ui";

/** Says what would be replaced before anything is. */
export function ReplaceDialog({ download, onClose, onReplace }: ReplaceDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} aria-labelledby="replace-title" aria-describedby="replace-what" onClose={onClose}>
      <h2 id="replace-title">Replace what is there for {download?.name}?</h2>
      <p id="replace-what">{download?.error}</p>
      <p className="muted">
        The file that is there now is overwritten as soon as the new one is whole and verified. Whatever uses it finds the new one.
      </p>
      <div className="buttons">
        <Button onClick={close}>Keep what is there</Button>
        <Button
          kind="danger"
          onClick={() => {
            if (download) onReplace(download);
            close();
          }}
        >
          Replace
        </Button>
      </div>
    </dialog>
  );
}
