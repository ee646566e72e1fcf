import { useEffect, useState, type ReactNode } from "react";
import { bytes, count } from "../../format";
import { Icon } from "../../icons";
import { sourceOf, State, useTopicSource, type Source } from "../../state";
import { Badge, Button, Section } from "../../ui";
import { useStorage, type StorageReport } from "./data";

/** So many shares have a colour of their own; the rest is one. */
const SHARES = 5;

interface StorageProps {
  /** The inventory is followed anyway: its report changes with every file. */
  live: boolean;
  /** Show the files that fit one status. */
  onShow: (status: "duplicate" | "unused") => void;
}

/** How full the volumes are, what fills them, and what could go. */
export function Storage({ live, onShow }: StorageProps) {
  const read = sourceOf(useStorage());
  const [told, setTold] = useState<Source<StorageReport>>();
  const source = (live && told) || read;
  return (
    <>
      <Section id="storage" title="Storage" at={source.at}>
        <State of={source} what="storage" lines={2}>
          {(report) => <Report of={report} onShow={onShow} />}
        </State>
      </Section>
      {live && <Follow onReport={setTold} />}
    </>
  );
}

/** Passes on what the stream tells. */
function Follow({ onReport }: { onReport: (told: Source<StorageReport> | undefined) => void }) {
  const { data, at, retry } = useTopicSource("models");
  const report = data?.storage;
  useEffect(() => onReport(report && { data: report, at, error: undefined, retry }), [report, at, retry, onReport]);
  return null;
}

function Report({ of, onShow }: { of: StorageReport } & Pick<StorageProps, "onShow">) {
  const { duplicates, unused, model_count, models_bytes, available_bytes, folders, families } = of;
  return (
    <div className="storage-report">
      <ul className="volume-list">
        {of.volumes.map((volume) => (
          <Volume key={volume.mount} of={volume} />
        ))}
        {of.volumes.length === 0 && <li className="muted">No volume has been measured yet.</li>}
      </ul>
      <dl className="storage-facts">
        <Fact label="Available" value={available_bytes == null ? undefined : bytes(available_bytes)} note="for new models" />
        <Fact label="Models" value={bytes(models_bytes)} note={`in ${count(model_count)} ${model_count === 1 ? "file" : "files"}`} />
        <Fact label="Duplicates" value={bytes(duplicates.reclaimable_bytes)} note={duplicates.count > 0 ? `${count(duplicates.count)} stored more than once` : model_count > 0 ? "everything is stored once" : "no files yet"}>
          {duplicates.count > 0 && (
            <Button label="Show duplicate files" onClick={() => onShow("duplicate")}>
              Show
            </Button>
          )}
        </Fact>
        <Fact label="Unused" value={bytes(unused.bytes)} note={unused.count > 0 ? `${count(unused.count)} ${unused.count === 1 ? "file" : "files"} nothing needs` : model_count > 0 ? "something needs every file" : "no files yet"}>
          {unused.count > 0 && (
            <Button label="Show unused files" onClick={() => onShow("unused")}>
              Show
            </Button>
          )}
        </Fact>
      </dl>
      {models_bytes > 0 && (
        <div className="share-lists">
          <Shares title="By folder" of={folders.map(({ folder, bytes: size }) => [folder || "top folder", size])} all={models_bytes} />
          <Shares title="By family" of={families.map(({ family, bytes: size }) => [family, size])} all={models_bytes} rest="unknown" />
        </div>
      )}
    </div>
  );
}

function Volume({ of: { mount, total_bytes, used_bytes, free_bytes, models_bytes, error, stale } }: { of: StorageReport["volumes"][number] }) {
  if (total_bytes == null || used_bytes == null) {
    return (
      <li>
        <div className="line">
          <code>{mount}</code>
          <Badge tone="warn">Not known</Badge>
        </div>
        <p className="muted">{error ?? "No host has measured it yet."}</p>
      </li>
    );
  }
  const share = (part: number) => `${Math.min(100, (100 * part) / total_bytes)}%`;
  const models = Math.min(models_bytes, used_bytes);
  return (
    <li>
      <div className="line">
        <strong className="figure">{bytes(used_bytes)}</strong>
        <span className="muted">of {bytes(total_bytes)} used</span>
        {stale && <Badge tone="warn">Old: the host fell silent</Badge>}
        <code className="end muted">{mount}</code>
      </div>
      <div className="parts" role="img" aria-label={`${mount}: models ${bytes(models_bytes)}, other ${bytes(used_bytes - models)}, available ${bytes(free_bytes ?? total_bytes - used_bytes)}`}>
        <i className="part-own" style={{ width: share(models) }} />
        <i className="part-other" style={{ width: share(used_bytes - models) }} />
      </div>
      <ul className="legend" aria-hidden="true">
        <li className="part-own">Models {bytes(models_bytes)}</li>
        <li className="part-other">Other {bytes(used_bytes - models)}</li>
        <li>Available {bytes(free_bytes ?? total_bytes - used_bytes)}</li>
      </ul>
    </li>
  );
}

interface FactProps {
  label: string;
  value: string | undefined;
  note: string;
  children?: ReactNode;
}

function Fact({ label, value, note, children }: FactProps) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        <strong className="figure">{value ?? "–"}</strong>
        <small className="muted">{note}</small>
      </dd>
      {children && <dd className="do">{children}</dd>}
    </div>
  );
}

/** On phones the essentials come first. */
function isNarrow(): boolean {
  return matchMedia("(max-width: 640px)").matches;
}

type Named = readonly [name: string, size: number];

/** The largest shares, and what is left as one; `rest` names what no share claims. */
export function largest(of: readonly Named[], all: number, rest: string | undefined): Named[] {
  const sorted = of.filter(([, size]) => size > 0).toSorted(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, SHARES);
  const others = sorted.slice(SHARES).reduce((sum, [, size]) => sum + size, 0);
  const unclaimed = rest === undefined ? 0 : all - sorted.reduce((sum, [, size]) => sum + size, 0);
  if (others > 0) shown.push([`${sorted.length - SHARES} more`, others]);
  if (rest !== undefined && unclaimed > 0) shown.push([rest, unclaimed]);
  return shown;
}

function Shares({ title, of, all, rest }: { title: string; of: readonly Named[]; all: number; rest?: string }) {
  const shares = largest(of, all, rest);
  return (
    <details className="shares" open={!isNarrow()}>
      <summary>
        <Icon name="chevronRight" />
        {title}
      </summary>
      <div className="parts" aria-hidden="true">
        {shares.map(([name, size]) => (
          <i key={name} style={{ width: `${Math.min(100, (100 * size) / all)}%` }} />
        ))}
      </div>
      <ul className="legend">
        {shares.map(([name, size]) => (
          <li key={name}>
            {name} <span className="muted">{bytes(size)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
