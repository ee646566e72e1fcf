import { useEffect, useRef, useState } from "react";
import type { DownloadRef } from "./api/commands";
import { Button } from "./ui";

interface CancelDialogProps {
  /** The download in question; undefined keeps the dialog closed. */
  download: DownloadRef | undefined;
  onClose: () => void;
  onCancel: (download: DownloadRef, keepPartial: boolean) => void;
}

/** Asks what shall become of the bytes; focus goes back to where it came from. */
export function CancelDialog({ download, onClose, onCancel }: CancelDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [keep, setKeep] = useState(true);
  useEffect(() => {
    if (!download) return;
    setKeep(true);
    dialog.current?.showModal();
  }, [download]);
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

interface ReplaceDialogProps {
  /** The failed download in question, with what stands in its way; undefined keeps the dialog closed. */
  download: (DownloadRef & { error?: string | null | undefined }) | undefined;
  onClose: () => void;
  onReplace: (download: DownloadRef) => void;
}

/** Says what would be replaced before anything is. */
export function ReplaceDialog({ download, onClose, onReplace }: ReplaceDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (download) dialog.current?.showModal();
  }, [download]);
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
