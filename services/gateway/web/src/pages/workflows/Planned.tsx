import { useId } from "react";
import { bytes, fileName } from "../../format";
import type { Choices, PlanFile, Source, WorkflowPlan } from "./asked";
import { hostOf } from "./origin";
import { Badge } from "../../ui";

interface PlannedProps {
  file: PlanFile;
  choice: string;
  /** Undefined where nothing can be chosen: a lock file names exact bytes. */
  onChoose: ((choice: string) => void) | undefined;
}

/** Where a missing file would come from and go to, with a say in what is open. */
export function Planned({ file, choice, onChoose }: PlannedProps) {
  const { path, action, source, from_path, alternatives, code, message, conflict } = file;
  const folder = path.slice(0, path.lastIndexOf("/")) || "the models folder";
  const selects = onChoose !== undefined && (action === "download" || action === "link") && (alternatives?.length ?? 0) > 0;
  return (
    <>
      {action === "download" && source && selects && <p className="muted">Into {folder}</p>}
      {action === "download" && source && !selects && (
        <p>
          From {origin(source)} <span className="muted">· into {folder}</span>
        </p>
      )}
      {action === "link" && <p>{choice ? `A copy is at ${from_path}; it stays as it is.` : `It is there as ${from_path}: it gets a second name, and nothing is fetched.`}</p>}
      {message && action !== "choose" && <p className={action === "none" ? "reason" : "muted"}>{message}</p>}
      {conflict && <p className="reason">{conflict}</p>}
      {action === "choose" && onChoose && <Candidates file={file} choice={choice} onChoose={onChoose} />}
      {action === "none" && code !== "folder" && onChoose && <Address path={path} choice={choice} onChoose={onChoose} />}
      {selects && (
        <label className="field">
          <span>From</span>
          <select value={choice} onChange={(event) => onChoose(event.target.value)} aria-label={`Source of ${fileName(path)}`}>
            <option value="">{action === "link" ? `the copy at ${from_path}` : source ? origin(source) : "as planned"}</option>
            {alternatives?.map((other) => (
              <option key={other.url} value={other.url}>
                {origin(other)}
              </option>
            ))}
          </select>
        </label>
      )}
    </>
  );
}

/** Which of several files is meant, or where to fetch it from instead. */
function Candidates({ file: { path, candidates, alternatives }, choice, onChoose }: { file: PlanFile; choice: string; onChoose: (choice: string) => void }) {
  const group = useId();
  const options = [
    ...(candidates ?? []).map((candidate) => [candidate, candidate] as const),
    ...(alternatives ?? []).map((source) => [source.url, `Fetch it from ${origin(source)}`] as const),
    ["", "Leave it for now"] as const,
  ];
  return (
    <fieldset className="choices">
      <legend>{candidates?.length === 1 ? "A file there has this name. Is it the one?" : `Which file is meant by ${path}?`}</legend>
      {options.map(([value, text]) => (
        <label key={value}>
          <input type="radio" name={group} checked={choice === value} onChange={() => onChoose(value)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Address({ path, choice, onChoose }: { path: string; choice: string; onChoose: (choice: string) => void }) {
  return (
    <label className="field">
      <span>Fetch it from</span>
      <input
        type="url"
        placeholder="https://… (optional)"
        aria-label={`Address of ${fileName(path)}`}
        value={choice}
        onChange={(event) => onChoose(event.target.value.trim())}
      />
    </label>
  );
}

/** What the plan needs of each volume. */
export function Space({ volumes }: { volumes: WorkflowPlan["volumes"] }) {
  if (volumes.length === 0) return null;
  return (
    <section>
      <h3>Space</h3>
      <ul className="needed">
        {volumes.map((volume) => (
          <li key={volume.path}>
            <div className="line">
              <span className="name">Volume {volume.path}</span>
              <span className="end">{volume.fits ? <Badge tone="ok">Fits</Badge> : <Badge tone="bad">Too little space</Badge>}</span>
            </div>
            <p className="muted">
              {bytes(volume.needed_bytes)} needed of {bytes(volume.free_bytes)} free
              {volume.reserved_bytes > 0 && `, ${bytes(volume.reserved_bytes)} of it reserved by the queue`}
              {volume.shared_bytes > 0 && ` · ${bytes(volume.shared_bytes)} shared with what is there`}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function origin({ kind, name, url, repo }: Source): string {
  const host = hostOf(url) ?? url;
  switch (kind) {
    case "workflow":
      return `${host}, as the workflow says`;
    case "preset":
      return `${host}, as the preset ${name} has it`;
    case "repository":
      return `${host}, repository ${repo ?? name}`;
    case "download":
      return `${host}, where it was had before`;
    default:
      return host;
  }
}

/** Only addresses that are whole are sent; what is typed halfway counts as no choice. */
export function valid(choices: Choices): Choices {
  return Object.fromEntries(Object.entries(choices).filter(([, choice]) => !choice.startsWith("http") || hostOf(choice)));
}

/** The files that the button would install, with what was chosen. */
export function decided(files: readonly PlanFile[], choices: Choices): PlanFile[] {
  const chosen = valid(choices);
  return files.filter(({ action, path }) => action === "download" || action === "link" || chosen[path] !== undefined);
}

/** How many bytes a file brings; undefined when nobody knows, 0 when it is linked. */
export function sizeOf({ action, size_bytes, alternatives }: PlanFile, choice: string | undefined): number | undefined {
  if (!choice) return action === "download" ? (size_bytes ?? undefined) : 0;
  return hostOf(choice) ? (alternatives?.find(({ url }) => url === choice)?.size_bytes ?? undefined) : 0;
}
