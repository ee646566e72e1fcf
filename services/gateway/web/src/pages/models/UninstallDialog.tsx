import { useEffect, useId, useRef } from "react";
import { useCommand } from "../../api/commands";
import type { Preset } from "../../api/types";
import { Button } from "../../ui";
import { uninstall } from "./commands";

/** Says what stays before anything goes. */
export function UninstallDialog({ preset, onClose }: { preset: Preset; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const { run } = useCommand("uninstall");
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} aria-labelledby={heading} onClose={onClose}>
      <h2 id={heading}>Uninstall {preset.name}?</h2>
      <p>Its files are deleted, except those that another installed preset or a workflow needs: those stay.</p>
      <p className="muted">Installing it again fetches the same bytes and verifies them.</p>
      <div className="buttons">
        <Button onClick={close}>Keep it</Button>
        <Button
          kind="danger"
          icon="trash"
          onClick={() => {
            run(uninstall(preset));
            close();
          }}
        >
          Uninstall
        </Button>
      </div>
    </dialog>
  );
}
