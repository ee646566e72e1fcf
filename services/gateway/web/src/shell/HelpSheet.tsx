import { useRef } from "react";
import { Button } from "../ui";
import { useShortcutList, useShortcuts, useShortcutSwitch } from "./shortcuts";

/** The keyboard shortcuts of what is shown now; opened by its button or by `?`. */
export function HelpSheet() {
  const dialog = useRef<HTMLDialogElement>(null);
  const shortcuts = useShortcutList();
  const [on, setOn] = useShortcutSwitch();
  const open = () => dialog.current?.showModal();
  useShortcuts([{ keys: "?", does: "Show this list", run: open }]);
  return (
    <>
      <span className="wide-only">
        <Button icon="keyboard" kind="quiet" label="Keyboard shortcuts" onClick={open} />
      </span>
      <dialog ref={dialog} className="help" aria-labelledby="help-title">
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
    </>
  );
}
