import type { ReactNode } from "react";
import { bytes, percent } from "../../format";
import { Badge, Bar, type Tone } from "../../ui";
import type { Flying, InFlight } from "./inFlight";
import { hostOf } from "./origin";
import { files as counted, type Needed, type Reference } from "./templates";

const STATUS: Record<Reference["status"], readonly [Tone, string]> = {
  missing: ["warn", "Missing"],
  ambiguous: ["warn", "Ambiguous"],
  present_elsewhere: ["warn", "Elsewhere"],
  present: ["ok", "Present"],
};

interface FileListProps {
  files: readonly Needed[];
  flying: Flying;
  /** What is planned for a file that is missing, below it; and its size. */
  planned: (file: Needed) => { size: ReactNode; how: ReactNode } | undefined;
  /** Said below what is missing. */
  children?: ReactNode;
}

/** Every file that a workflow names: what stands in its way first, then what is there, then what is not needed now. */
export function FileList({ files, flying, planned, children }: FileListProps) {
  const missing = files.filter(({ active, status }) => active && status !== "present");
  const present = files.filter(({ active, status }) => active && status === "present");
  const unused = files.filter(({ active }) => !active);
  return (
    <>
      <Files title={`Misses ${counted(missing.length)}`} files={missing}>
        {(file) => <File key={file.path} file={file} flight={flying(file.path)} planned={planned(file)} />}
      </Files>
      {children}
      <Files title={missing.length > 0 ? `Has ${counted(present.length)}` : `Needs ${counted(present.length)}`} files={present}>
        {(file) => <File key={file.path} file={file} />}
      </Files>
      <Files title="Not needed now: the nodes that name these are muted or bypassed" files={unused}>
        {(file) => <File key={file.path} file={file} />}
      </Files>
    </>
  );
}

function Files({ title, files, children }: { title: string; files: readonly Needed[]; children: (file: Needed) => ReactNode }) {
  if (files.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <ul className="needed">{files.map(children)}</ul>
    </section>
  );
}

function File({ file, flight, planned }: { file: Needed; flight?: InFlight | undefined; planned?: ReturnType<FileListProps["planned"]> }) {
  const { directory, filename, status, form, uses, url } = file;
  const [tone, word] = STATUS[status];
  const nodes = [...new Set(uses.map(({ node_type, input_name }) => [node_type, input_name].filter(Boolean).join(" · ")))].filter(Boolean);
  const about = [
    status === "present" && directory && `in ${directory}`,
    nodes.length > 0 && `for ${nodes.join(", ")}`,
    form === "stem" && "any extension will do",
    form === "folder" && "a folder",
  ];
  return (
    <li>
      <div className="line">
        <span className="name">{filename}</span>
        <span className="end">
          {!flight && planned?.size}
          {flight ? <Badge tone="info">{WORDS[flight.status] ?? flight.status}</Badge> : <Badge tone={file.active ? tone : "idle"}>{word}</Badge>}
        </span>
      </div>
      <p className="muted">{about.filter(Boolean).join(" · ")}</p>
      {flight ? <Flight name={filename} flight={flight} /> : planned?.how}
      {!file.active && status !== "present" && url && <Stated url={url} />}
    </li>
  );
}

function Stated({ url }: { url: string }) {
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
  const { progress, downloaded_bytes, total_bytes, error, speed } = flight;
  const amount = downloaded_bytes != null && total_bytes ? `${bytes(downloaded_bytes)} of ${bytes(total_bytes)}` : undefined;
  return (
    <>
      <div className="flight">
        <Bar value={progress} label={`Progress of ${name}`} />
        <span className="percent">{progress == null ? "…" : percent(progress)}</span>
      </div>
      <p className="muted amount">{[amount, speed].filter(Boolean).join(" · ")}</p>
      {error && <p className="reason">{error}</p>}
    </>
  );
}
