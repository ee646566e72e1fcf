import { useEffect, useId, useMemo, useRef, useState, type FormEvent } from "react";
import { ApiError } from "../../api/client";
import { bytes, compact } from "../../format";
import { Drawer, DrawerFoot } from "../../parts/Drawer";
import { sourceOf, State } from "../../state";
import { Badge, Button, Loading } from "../../ui";
import { Folded, Links } from "./Facts";
import { precision, STATUS_NAMES, toDownload } from "./RepositoriesTab";
import { FOLDERS, likelyFolder, readSource } from "./source";
import { Space } from "./Space";
import { obstacle, useStart } from "./useStart";
import { usePlan, usePreview, type NewDownload, type Preview, type Variant } from "./data";

interface DownloadDrawerProps {
  /** What to begin with, such as a repository's name. */
  text: string;
  onClose: () => void;
}

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
            onPaste={(event) => {
              const pasted = event.clipboardData.getData("text").trim();
              const field = event.currentTarget;
              // A whole link is looked at as soon as it is there.
              if (field.selectionStart === 0 && field.selectionEnd === field.value.length && readSource(pasted).kind !== "unclear") {
                event.preventDefault();
                setInput(pasted);
                look(pasted);
              }
            }}
          />
          <button type="submit" className="button primary" disabled={written.kind === "nothing"}>
            Look
          </button>
        </div>
        <p id={hint} className={complaint ? "reason small" : "muted small"} role={complaint ? "alert" : undefined}>
          {complaint ?? "org/repo, a page or file link of huggingface.co or civitai.com, or the address of a file."}
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

function HubPreview({ text, onClose }: { text: string; onClose: () => void }) {
  const preview = usePreview(text);
  if (preview.error instanceof ApiError) return <Refusal error={preview.error} onRetry={() => void preview.refetch()} />;
  return (
    <State of={sourceOf(preview)} what="the repository" lines={6}>
      {(found) => <Choosing preview={found} onClose={onClose} />}
    </State>
  );
}

/** What the hub's refusals mean for the person (R-194: errors inline). */
const ADVICE: Readonly<Record<string, string>> = {
  gated: "Accept its terms on the hub with the account whose token Modeldeck has, then look again.",
  forbidden: "The account whose token Modeldeck has may not see it.",
  hub_unauthorized: "The hub wants a token, or another one: set HF_TOKEN or CIVITAI_TOKEN where Modeldeck runs.",
  repository_not_found: "Check the spelling: upper and lower case count. A private one is found only with its owner's token.",
  hub_unreachable: "Files that are here already can be used meanwhile.",
};

function Refusal({ error, onRetry }: { error: ApiError; onRetry: () => void }) {
  return (
    <div className="refused" role="alert">
      <p className="reason">{error.message}</p>
      {ADVICE[error.code] && <p className="muted">{ADVICE[error.code]}</p>}
      <Button icon="refresh" onClick={onRetry}>
        Look again
      </Button>
    </div>
  );
}

function Choosing({ preview, onClose }: { preview: Preview; onClose: () => void }) {
  const { repo, variants, recommended, selected, stale, left_out, gated, description, tags, license, likes, downloads, links } = preview;
  const [chosen, setChosen] = useState(() => selected ?? recommended?.filename ?? variants[0]?.filename ?? "");
  const [all, setAll] = useState(false);
  const group = useId();
  const variant = variants.find(({ filename }) => filename === chosen);
  const shown = all || variants.length <= MANY ? variants : first(variants, chosen, recommended?.filename);
  const facts = [license && `licence ${license}`, likes != null && `${compact(likes)} likes`, downloads != null && `${compact(downloads)} downloads`].filter(Boolean);
  return (
    <>
      <section className="preview">
        <h3 className="name">{repo}</h3>
        {facts.length > 0 && <p className="muted">{facts.join(" · ")}</p>}
        {stale && <p className="note warn">{stale}</p>}
        {gated && <p className="note warn">Its owner wants people to accept terms first; without that, the download is refused.</p>}
        {description && <Folded>{description}</Folded>}
        {tags.length > 0 && (
          <ul className="tags" aria-label="Tags">
            {tags.slice(0, 8).map((tag) => (
              <li key={tag}>{tag}</li>
            ))}
          </ul>
        )}
        <Links of={links} />
      </section>
      {variants.length === 0 ? (
        <p className="muted">There is no model file in it.</p>
      ) : (
        <fieldset className="choose">
          <legend>Variant</legend>
          {shown.map((option) => (
            <label key={option.filename}>
              <input type="radio" name={group} checked={option.filename === chosen} onChange={() => setChosen(option.filename)} />
              <Option of={option} reason={option.filename === recommended?.filename ? recommended.reason : undefined} />
            </label>
          ))}
          {shown.length < variants.length && (
            <Button kind="quiet" onClick={() => setAll(true)}>
              Show all {variants.length} variants
            </Button>
          )}
          {left_out ? <p className="muted">{`The hub has ${left_out} more; paste the link of a file to have one of them.`}</p> : null}
        </fieldset>
      )}
      <Starting key={chosen} preview={preview} variant={variant} isRecommended={chosen === recommended?.filename} onClose={onClose} />
    </>
  );
}

/** More variants than a person wants to read through at once. */
const MANY = 12;

/** Some of many: the smallest ones of each kind come first anyway; the chosen and the recommended one are among them. */
function first(variants: readonly Variant[], ...always: (string | undefined)[]): Variant[] {
  return variants.filter(({ filename }, index) => index < MANY || always.includes(filename));
}

function Option({ of, reason }: { of: Variant; reason: string | undefined }) {
  const { filename, size_bytes, status, role } = of;
  return (
    <span className="option">
      <span className="line">
        <span className="name">{filename}</span>
        <span className="end">{size_bytes == null ? "size unknown" : bytes(size_bytes)}</span>
      </span>
      <span className="line">
        {reason && <Badge tone="ok">Recommended</Badge>}
        {status !== "available" && <Badge tone={status === "downloaded" ? "ok" : "info"}>{status === "downloaded" ? "Here" : STATUS_NAMES[status]}</Badge>}
        <span className="muted">{[precision(of), role].filter(Boolean).join(" · ")}</span>
      </span>
      {reason && <small>{reason}</small>}
    </span>
  );
}

interface StartingProps {
  preview: Preview;
  variant: Variant | undefined;
  isRecommended: boolean;
  onClose: () => void;
}

function Starting({ preview, variant, isRecommended, onClose }: StartingProps) {
  const here = variant?.status === "downloaded" && !variant.outdated;
  const files = useMemo(() => (variant && !here ? toDownload(preview, variant) : []), [preview, variant, here]);
  return (
    <Plan
      files={files}
      name={variant?.filename ?? ""}
      label={isRecommended ? "Download recommended" : "Download selected"}
      note={here ? "This one is here already." : variant?.status === "downloading" ? "This one is on its way already." : undefined}
      onClose={onClose}
    />
  );
}

interface PlanProps {
  files: readonly NewDownload[];
  name: string;
  label: string;
  /** Why there is nothing to start. */
  note?: string | undefined;
  onClose: () => void;
}

/** The space it takes, and the button. */
function Plan({ files, name, label, note, onClose }: PlanProps) {
  const plan = usePlan(files);
  const { start, starting, refusal } = useStart();
  const reason = plan.data && obstacle(plan.data);
  const queued = plan.data !== undefined && plan.data.files.every(({ action }) => action === "queued" || action === "present");
  return (
    <>
      {files.length > 0 && !note && (
        <section>
          <h3>Space</h3>
          {plan.isPending ? (
            <Loading what="the plan" lines={1} />
          ) : (
            <State of={sourceOf(plan)} what="the plan">
              {(found) => <Space plan={found} />}
            </State>
          )}
        </section>
      )}
      {note && <p className="muted">{note}</p>}
      <DrawerFoot>
        {refusal && (
          <p className="reason" role="alert">
            {refusal}
          </p>
        )}
        <Button onClick={onClose}>Cancel</Button>
        <Button icon="download" kind="primary" busy={starting} disabled={files.length === 0 || note !== undefined || reason !== undefined || queued || starting} onClick={() => start(files, name)}>
          {label}
        </Button>
      </DrawerFoot>
    </>
  );
}

/** A file that no hub describes: the person says where it goes. */
function SingleFile({ url, filename, onClose }: { url: string; filename: string; onClose: () => void }) {
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
      <Plan files={files} name={name} label="Download" onClose={onClose} />
    </>
  );
}
