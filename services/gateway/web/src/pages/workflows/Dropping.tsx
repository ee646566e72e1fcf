import { useEffect, useRef, useState } from "react";
import { Icon } from "../../icons";
import { notify } from "../../toasts";
import { Button } from "../../ui";
import { useShortcuts } from "../../shell/shortcuts";

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** Files dropped anywhere on the page, or chosen by the button or `o`. */
export function Dropping({ onFile }: { onFile: (file: File) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = (files: FileList | null | undefined) => {
    const [first, ...others] = files ?? [];
    if (!first) return;
    if (others.length > 0) notify({ type: "info", title: "One file at a time", message: `${first.name} is shown.` });
    onFile(first);
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
        accept=".json,application/json"
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
        <div className="drop-here" aria-hidden="true">
          <p>
            <Icon name="top" />
            Drop a workflow or a lock file
          </p>
        </div>
      )}
    </>
  );
}
