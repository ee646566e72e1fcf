import { useState } from "react";
import { Drawer } from "../../parts/Drawer";
import { Badge } from "../../ui";
import { FileDrawer, useScan } from "./FileDrawer";
import type { Opened } from "./opened";
import { standing, verdict } from "./standing";
import { files as counted } from "./templates";

/** What a person opened: one file, or a list of several from which each can be opened. */
export function Dropped({ files, onClose }: { files: readonly Opened[]; onClose: () => void }) {
  const [shown, setShown] = useState(files.length === 1 ? files[0] : undefined);
  if (shown) return <FileDrawer key={shown.id} opened={shown} onClose={files.length === 1 ? onClose : () => setShown(undefined)} />;
  return (
    <Drawer title={counted(files.length)} about="Scanned just now; the files themselves are not stored" onClose={onClose}>
      <ul className="several">
        {files.map((file) => (
          <li key={file.id}>
            <button type="button" className="template" onClick={() => setShown(file)}>
              <span className="name">{file.name}</span>
              <About file={file} />
            </button>
          </li>
        ))}
      </ul>
    </Drawer>
  );
}

type Saying = readonly [tone: "ok" | "warn" | "bad" | "info" | "idle", word: string, text: string];

function About({ file }: { file: Opened }) {
  switch (file.kind) {
    case "workflow":
      return <Scanned of={file} />;
    case "lock":
      return <Said as={["info", "Lock file", "It installs the exact bytes that it names."]} />;
    case "refused":
      return <Said as={["bad", "No workflow", file.reason]} />;
  }
}

function Said({ as: [tone, word, text] }: { as: Saying }) {
  return (
    <>
      <Badge tone={tone}>{word}</Badge>
      <span className="muted">{text}</span>
    </>
  );
}

function Scanned({ of }: { of: { id: string; content: object } }) {
  const { data, error } = useScan(of);
  if (error) return <Said as={["bad", "Not scanned", error.message]} />;
  if (!data) return <Said as={["idle", "Scanning…", "Looking for the files that it needs."]} />;
  return <Said as={[...standing(data), verdict(data)]} />;
}
