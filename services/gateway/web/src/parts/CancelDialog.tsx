import { useEffect, useRef, useState } from "react";
import type { CancelDialogProps } from "../dialogs";
import { Button } from "../ui";

/** Asks what shall become of the bytes; focus goes back to where it came from. */
export function CancelDialog({ download, onClose, onCancel }: CancelDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [keep, setKeep] = useState(true);
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} aria-labelledby="cancel-title" onClose={onClose}>
      <h2 id="cancel-title">Cancel {download?.name}?</h2>
      <fieldset>
        <legend>What was downloaded so far</legend>
        <label>
          <input type="radio" name="keep" checked={keep} onChange={() => setKeep(true)} />
          <span>
            Keep it <small>A later install goes on from there.</small>
          </span>
        </label>
        <label>
          <input type="radio" name="keep" checked={!keep} onChange={() => setKeep(false)} />
          <span>
            Delete it <small>The space is free again; a later install starts over.</small>
          </span>
        </label>
      </fieldset>
      <div className="buttons">
        <Button onClick={close}>Go on downloading</Button>
        <Button
          kind="danger"
          onClick={() => {
            if (download) onCancel(download, keep);
            close();
          }}
        >
          Cancel download
        </Button>
      </div>
    </dialog>
  );
}
