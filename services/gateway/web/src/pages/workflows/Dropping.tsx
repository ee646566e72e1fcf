import { useEffect, useRef, useState } from "react";
import { Icon } from "../../icons";
import { notify } from "../../toasts";
import { Button } from "../../ui";
import { useShortcuts } from "../../shell/shortcuts";

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** More at a time are no list that a person reads. */
const MAX_FILES = 20;

/** Files dropped anywhere on the page, or chosen by the button or `o`. */
export function Dropping({ onFiles }: { onFiles: (files: File[]) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = (files: FileList | null | undefined) => {
    const taken = [...(files ?? [])];
    if (taken.length === 0) return;
    if (taken.length > MAX_FILES) notify({ type: "warning", title: `At most ${MAX_FILES} files at a time`, message: `The first ${MAX_FILES} of ${taken.length} are shown.` });
    onFiles(taken.slice(0, MAX_FILES));
  };
  const latest = useRef(take);
  latest.current = take;
  useShortcuts([{ keys: "o", does: "Open a workflow or lock file", run: () => input.current?.click() }]);
  useEffect(() => {
    const onOver = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      // Without this the browser would leave the page for the file.
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => event.relatedTarget === null && setOver(false);
    const onDrop = (event: DragEvent) => {
      setOver(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      latest.current(event.dataTransfer?.files);
    };
    addEventListener("dragover", onOver);
    addEventListener("dragleave", onLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onOver);
      removeEventListener("dragleave", onLeave);
      removeEventListener("drop", onDrop);
    };
  }, []);
  return (
    <>
      <input
        ref={input}
        type="file"
        accept=".json,application/json,.png,image/png"
        multiple
        hidden
        aria-label="Workflow or lock file"
        onChange={(event) => {
          take(event.target.files);
          // The same file again is a change again.
          event.target.value = "";
        }}
      />
      <Button icon="top" onClick={() => input.current?.click()}>
        Open a file…
      </Button>
      {over && (
        <div className="drop-here" aria-hidden="true" popover="manual" ref={(overlay) => overlay?.showPopover?.()}>
          <p>
            <Icon name="top" />
            <span>
              Drop workflows or lock files
              <small>JSON, or a PNG that ComfyUI saved</small>
            </span>
          </p>
        </div>
      )}
    </>
  );
}
