import { useEffect, useId, useMemo, useRef, useState, type ClipboardEvent, type FormEvent } from "react";
import { Drawer, DrawerFoot } from "../../parts/Drawer";
import { Button } from "../../ui";
import { DownloadPlan } from "./DownloadPlan";
import { HubPreview } from "./HubPreview";
import { FOLDERS, likelyFolder, readSource, understood } from "./source";
import "./hubs.css";

interface DownloadDrawerProps {
  /** What to begin with, such as a repository's name. */
  text: string;
  onClose: () => void;
}

const ACCEPTED = "org/repo, a page or file link of huggingface.co or civitai.com, or the address of a file.";

/** From a link or a name to a file on its way: look, choose, see that it fits, download. */
export default function DownloadDrawer({ text, onClose }: DownloadDrawerProps) {
  const [input, setInput] = useState(text);
  const [asked, setAsked] = useState(text);
  const [left, setLeft] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const hint = useId();
  useEffect(() => field.current?.focus(), []);
  const written = readSource(input);
  const source = readSource(asked);
  const stands = asked !== "" && asked.trim() === input.trim();
  const complaint = written.kind === "unclear" && (written.wrong || left) ? written.say : undefined;
  const look = (value: string) => {
    setLeft(true);
    const found = readSource(value);
    if (found.kind === "hub" || found.kind === "file") setAsked(value);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    look(input);
  };
  const paste = (event: ClipboardEvent<HTMLInputElement>) => {
    const pasted = event.clipboardData.getData("text").trim();
    const { selectionStart, selectionEnd, value } = event.currentTarget;
    // A whole link is looked at as soon as it is there.
    if (selectionStart !== 0 || selectionEnd !== value.length || readSource(pasted).kind === "unclear") return;
    event.preventDefault();
    setInput(pasted);
    look(pasted);
  };
  return (
    <Drawer title="Download a model" about="From Hugging Face, Civitai or any address of a file." onClose={onClose}>
      <form className="source" onSubmit={submit}>
        <label htmlFor={`${hint}-input`}>Repository or link</label>
        <div className="source-line">
          <input
            id={`${hint}-input`}
            ref={field}
            type="text"
            inputMode="url"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            placeholder="org/repo or https://…"
            value={input}
            aria-invalid={complaint !== undefined}
            aria-describedby={hint}
            onChange={(event) => {
              setLeft(false);
              setInput(event.target.value);
            }}
            onBlur={() => setLeft(input.trim() !== "")}
            onPaste={paste}
          />
          <button type="submit" className="button primary" disabled={written.kind === "nothing"}>
            Look
          </button>
        </div>
        <p id={hint} className={complaint ? "reason small" : "muted small"} role={complaint ? "alert" : undefined}>
          {complaint ?? understood(written) ?? ACCEPTED}
        </p>
      </form>
      {stands && source.kind === "hub" && <HubPreview key={source.text} text={source.text} onClose={onClose} />}
      {stands && source.kind === "file" && <SingleFile key={source.url} url={source.url} filename={source.filename} onClose={onClose} />}
      {!stands && (
        <DrawerFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button icon="download" disabled onClick={() => undefined}>
            Download selected
          </Button>
        </DrawerFoot>
      )}
    </Drawer>
  );
}

interface SingleFileProps {
  url: string;
  filename: string;
  onClose: () => void;
}

/** A file that no hub describes: the person says where it goes. */
function SingleFile({ url, filename, onClose }: SingleFileProps) {
  const [folder, setFolder] = useState(() => likelyFolder(filename));
  const [name, setName] = useState(filename);
  const id = useId();
  const wrong = /^\s*$|[\\/:*?"<>|]|^\.|\.$/.test(name) ? "Write a file's name, without folders." : undefined;
  const files = useMemo(() => (wrong ? [] : [{ url, path: `${folder}/${name.trim()}` }]), [url, folder, name, wrong]);
  return (
    <>
      <section className="place">
        <h3>Where it goes</h3>
        <label htmlFor={`${id}-folder`}>Folder</label>
        <select id={`${id}-folder`} value={folder} onChange={(event) => setFolder(event.target.value)}>
          {FOLDERS.map((known) => (
            <option key={known}>{known}</option>
          ))}
        </select>
        <label htmlFor={`${id}-name`}>Name</label>
        <input id={`${id}-name`} type="text" value={name} spellCheck={false} aria-invalid={wrong !== undefined} aria-describedby={`${id}-wrong`} onChange={(event) => setName(event.target.value)} />
        <p id={`${id}-wrong`} className="reason small">
          {wrong}
        </p>
        <p className="muted path">{`${folder}/${name.trim()}`}</p>
      </section>
      <DownloadPlan files={files} name={name} label="Download" onClose={onClose} />
    </>
  );
}
