import { useEffect, useRef } from "react";
import { Button } from "../ui";
import { useShortcutList, useShortcutSwitch } from "./shortcuts";

/** The keyboard shortcuts of what is shown now. */
export function HelpSheet({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const shortcuts = useShortcutList();
  const [on, setOn] = useShortcutSwitch();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="help" aria-labelledby="help-title" onClose={onClose}>
      <h2 id="help-title">Keyboard shortcuts</h2>
      <dl>
        {shortcuts.map(({ keys, does }) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label className="check">
        <input type="checkbox" checked={on} onChange={(event) => setOn(event.target.checked)} />
        <span>
          Listen to these keys <small>Switch it off if you speak to your computer.</small>
        </span>
      </label>
      <div className="buttons">
        <Button onClick={() => dialog.current?.close()}>Close</Button>
      </div>
    </dialog>
  );
}
