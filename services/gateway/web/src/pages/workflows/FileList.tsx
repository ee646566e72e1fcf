import { bytes, percent } from "../../format";
import { Badge, Bar, type Tone } from "../../ui";
import type { InFlight } from "./inFlight";
import { needed, type Needed, type Reference } from "./templates";

const STATUS: Record<Reference["status"], readonly [Tone, string]> = {
  missing: ["warn", "Missing"],
  ambiguous: ["warn", "Ambiguous"],
  present_elsewhere: ["warn", "Elsewhere"],
  present: ["ok", "Present"],
};

interface FileListProps {
  references: readonly Reference[];
  flying: (path: string) => InFlight | undefined;
}

/** Every file that a workflow names: where it has to be, which nodes load it, and whether it is there. */
export function FileList({ references, flying }: FileListProps) {
  const files = needed(references);
  const [used, unused] = [files.filter(({ active }) => active), files.filter(({ active }) => !active)];
  return (
    <>
      {used.length > 0 && <Files title={`Needs ${used.length === 1 ? "1 file" : `${used.length} files`}`} files={used} flying={flying} />}
      {unused.length > 0 && <Files title="Named by nodes that are switched off, so not needed" files={unused} flying={() => undefined} />}
    </>
  );
}

function Files({ title, files, flying }: { title: string; files: readonly Needed[]; flying: FileListProps["flying"] }) {
  return (
    <section>
      <h3>{title}</h3>
      <ul className="needed">
        {files.map((file) => (
          <File key={file.path} file={file} flight={file.status === "present" ? undefined : flying(file.path)} />
        ))}
      </ul>
    </section>
  );
}

function File({ file, flight }: { file: Needed; flight: InFlight | undefined }) {
  const { directory, filename, status, form, uses, url, found_at, candidates } = file;
  const [tone, word] = STATUS[status];
  const nodes = [...new Set(uses.map(({ node_type, input_name }) => `${node_type} · ${input_name}`))];
  return (
    <li>
      <div className="line">
        <span className="name">{filename}</span>
        <span className="end">
          {flight ? <Badge tone="info">{WORDS[flight.status] ?? flight.status}</Badge> : <Badge tone={file.active ? tone : "idle"}>{word}</Badge>}
        </span>
      </div>
      <p className="muted">
        {directory && <>in {directory} · </>}
        {nodes.join(", ")}
        {form === "stem" && " · any extension will do"}
        {form === "folder" && " · a folder"}
      </p>
      {flight && <Flight name={filename} flight={flight} />}
      {status === "present_elsewhere" && found_at && <p>It lies at {found_at}, where ComfyUI does not look for it: it can be linked.</p>}
      {status === "ambiguous" && <p>{candidates?.length ?? 0} files there have this name: {candidates?.join(", ")}</p>}
      {status !== "present" && !flight && url && <Source url={url} />}
    </li>
  );
}

function Source({ url }: { url: string }) {
  const host = hostOf(url);
  return (
    <p className="muted">
      The workflow names a source:{" "}
      {host ? (
        <a href={url} target="_blank" rel="noreferrer">
          {host}
        </a>
      ) : (
        url
      )}
    </p>
  );
}

export const WORDS: Partial<Record<string, string>> = {
  queued: "Queued", paused: "Paused", downloading: "Downloading", verifying: "Verifying", retrying: "Retrying",
};

/** How far a file's download is. */
export function Flight({ name, flight }: { name: string; flight: InFlight }) {
  const { progress, downloaded_bytes, total_bytes, error } = flight;
  const speed = "speed" in flight ? flight.speed : undefined;
  const amount = downloaded_bytes != null && total_bytes ? `${bytes(downloaded_bytes)} of ${bytes(total_bytes)}` : undefined;
  return (
    <>
      <div className="flight">
        <Bar value={progress} label={`Progress of ${name}`} />
        <span className="percent">{progress == null ? "…" : percent(progress)}</span>
      </div>
      <p className="muted">{[amount, speed].filter(Boolean).join(" · ")}</p>
      {error && <p className="reason">{error}</p>}
    </>
  );
}

/** The host of an address of the web; of anything else nothing, so that it is no link. */
export function hostOf(url: string): string | undefined {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return undefined;
  return new URL(url).host;
}
