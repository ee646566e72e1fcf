import { memo, useCallback, useDeferredValue, useMemo, useState } from "react";
import { useCommand } from "../../api/commands";
import { useNow } from "../../api/useLive";
import { ago, bytes, count, fileName } from "../../format";
import { Icon } from "../../icons";
import { Growing } from "../../parts/Growing";
import { State, useTopicSource } from "../../state";
import { Badge, Button, Empty, Section } from "../../ui";
import { restoring } from "./commands";
import { DeleteDialog } from "./DeleteDialog";
import { byText, fitting, NOTHING, SIZE_NAMES, sizeClass, sorted, type Chosen, type Listing } from "./facets";
import { FilterBar } from "./FilterBar";
import type { ModelFile } from "./data";
import { spareCopies } from "./spare";

const byPath = (a: ModelFile, b: ModelFile) => (a.path < b.path ? -1 : 1);

const STATUSES = {
  needed: "Needed",
  unused: "Unused",
  duplicate: "Duplicate",
  broken: "Cut off",
  unverified: "Unverified",
  lost: "Cannot be restored",
};

const LISTING: Listing<ModelFile> = {
  facets: [
    { kind: "families", label: "Family", of: ({ family }) => [family ?? "unknown"] },
    { kind: "folders", label: "Folder", of: ({ folder }) => [folder || "top folder"] },
    { kind: "sizes", label: "Size", of: ({ size_bytes }) => sizeClass(size_bytes), names: SIZE_NAMES },
    { kind: "statuses", label: "Status", of: statusesOf, names: STATUSES },
  ],
  orders: [
    { key: "name", label: "name", compare: (a, b) => byText(a.filename, b.filename) || byPath(a, b) },
    { key: "path", label: "folder", compare: byPath },
    { key: "size", label: "size", compare: (a, b) => b.size_bytes - a.size_bytes || byPath(a, b) },
    { key: "date", label: "date", compare: (a, b) => (a.modified_at < b.modified_at ? 1 : a.modified_at > b.modified_at ? -1 : byPath(a, b)) },
  ],
  words: ({ path, family, needed_by }) => [path, family, ...needed_by.map(({ name }) => name)].join("\n"),
};

/** Fetched, but from a source that stated no hash. */
function isUnverified({ verified }: ModelFile): boolean {
  return verified === "header" || verified === "size";
}

function statusesOf(file: ModelFile): string[] {
  const { needed_by, duplicates, whole, restorable } = file;
  return [
    needed_by.length > 0 ? "needed" : "unused",
    ...(duplicates?.length ? ["duplicate"] : []),
    ...(whole === false ? ["broken"] : []),
    ...(isUnverified(file) ? ["unverified"] : []),
    ...(restorable ? [] : ["lost"]),
  ];
}

interface FilesTabProps {
  chosen: Chosen;
  onChosen: (next: Chosen) => void;
  onDetails: (path: string) => void;
  onDownload: () => void;
}

/** Every model file on the disk: who needs it, and what could go. */
export default function FilesTab({ chosen, onChosen, onDetails, onDownload }: FilesTabProps) {
  const source = useTopicSource("models");
  const wanted = useDeferredValue(chosen);
  const models = source.data?.models;
  const all = useMemo(() => Object.values(models ?? {}), [models]);
  const ordered = useMemo(() => sorted(all, wanted, LISTING), [all, wanted.sort, wanted.descending]);
  const found = useMemo(() => fitting(ordered, wanted, LISTING), [ordered, wanted]);
  const now = useNow(60_000);
  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  const [doomed, setDoomed] = useState<readonly ModelFile[]>([]);
  const mark = useCallback((path: string) => {
    setMarked((before) => {
      const next = new Set(before);
      if (!next.delete(path)) next.add(path);
      return next;
    });
  }, []);
  const remove = useCallback((file: ModelFile) => setDoomed([file]), []);
  const chosenFiles = useMemo(() => all.filter(({ path }) => marked.has(path)), [all, marked]);
  return (
    <Section id="model-files" title="Files" count={source.data && count(source.data.total)} at={source.at}>
      <State
        of={source}
        what="the files"
        lines={8}
        empty={{
          when: () => all.length === 0 && Object.keys(source.data?.deleted ?? {}).length === 0,
          icon: "file",
          say: (
            <>
              No model files yet. <Button onClick={onDownload}>Download a model</Button>
            </>
          ),
        }}
      >
        {({ deleted }) => (
          <>
            <FilterBar what="files" items={all} listing={LISTING} chosen={chosen} onChange={onChosen} shown={found.length} />
            <Marked files={chosenFiles} found={found} onMark={setMarked} onDelete={() => setDoomed(chosenFiles)} />
            {found.length === 0 ? (
              <Empty icon="search">
                {all.length === 0 ? "There is no model file now." : "No file fits these filters."}{" "}
                {all.length > 0 && <Button onClick={() => onChosen(NOTHING)}>Clear filters</Button>}
              </Empty>
            ) : (
              <Growing key={JSON.stringify(wanted)} items={found} className="file-rows" label="Model files">
                {(file) => <Row key={file.path} file={file} marked={marked.has(file.path)} onMark={mark} onDetails={onDetails} onDelete={remove} now={now} />}
              </Growing>
            )}
            {deleted && <DeletedFiles of={Object.values(deleted).toReversed()} />}
          </>
        )}
      </State>
      {doomed.length > 0 && (
        <DeleteDialog
          files={doomed}
          onClose={() => setDoomed([])}
          onDeleted={(paths) => setMarked((before) => new Set([...before].filter((path) => !paths.includes(path))))}
        />
      )}
    </Section>
  );
}

interface MarkedProps {
  files: readonly ModelFile[];
  found: readonly ModelFile[];
  onMark: (paths: ReadonlySet<string>) => void;
  onDelete: () => void;
}

function sizeOf(files: readonly ModelFile[]): number {
  return files.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
}

/** What can be done with all that is marked. */
function Marked({ files, found, onMark, onDelete }: MarkedProps) {
  const spare = useMemo(() => spareCopies(found), [found]);
  const all = found.length > 0 && found.every((file) => files.includes(file));
  return (
    <div className={`marked${files.length > 0 ? " some" : ""}`}>
      <label className="tick">
        <input
          type="checkbox"
          checked={all}
          ref={(box) => {
            if (box) box.indeterminate = !all && files.length > 0;
          }}
          onChange={() => onMark(new Set(all ? [] : found.map(({ path }) => path)))}
        />
        <span>{files.length === 0 ? "Mark all that are shown" : `${count(files.length)} marked · ${bytes(sizeOf(files))}`}</span>
      </label>
      {files.length === 0 && spare.length > 0 && (
        <Button onClick={() => onMark(new Set(spare.map(({ path }) => path)))}>
          {`Mark ${spare.length === 1 ? "the spare copy" : `${count(spare.length)} spare copies`} · ${bytes(sizeOf(spare))}`}
        </Button>
      )}
      {files.length > 0 && (
        <div className="buttons">
          <Button kind="quiet" onClick={() => onMark(new Set())}>
            Unmark
          </Button>
          <Button icon="trash" onClick={onDelete}>
            Delete…
          </Button>
        </div>
      )}
    </div>
  );
}

interface RowProps {
  file: ModelFile;
  marked: boolean;
  onMark: (path: string) => void;
  onDetails: (path: string) => void;
  onDelete: (file: ModelFile) => void;
  now: number;
}

const Row = memo(function Row({ file, marked, onMark, onDetails, onDelete, now }: RowProps) {
  const { path, filename, size_bytes, family, needed_by, duplicates, whole } = file;
  const folder = path.slice(0, Math.max(0, path.length - filename.length - 1));
  const [first] = needed_by;
  return (
    <li className="file-row" data-file={path}>
      <label className="tick">
        <input type="checkbox" checked={marked} onChange={() => onMark(path)} />
        <span className="sr">Mark {filename}</span>
      </label>
      <div className="what">
        <span className="name">{filename}</span>
        <p className="muted">{[folder, family, file.verified === "sha256" ? "verified" : isUnverified(file) && "unverified"].filter(Boolean).join(" · ")}</p>
      </div>
      <span className="size">{bytes(size_bytes)}</span>
      <span className="date muted">{ago(file.modified_at, now)}</span>
      <span className="state">
        {whole === false && <Badge tone="bad">Cut off</Badge>}
        {first ? <Badge tone="ok">{needed_by.length === 1 ? first.name : `${needed_by.length} need it`}</Badge> : <Badge tone="idle">Unused</Badge>}
        {(duplicates?.length ?? 0) > 0 && <Badge tone="warn">Duplicate</Badge>}
      </span>
      <span className="buttons">
        <Button icon="info" kind="quiet" label={`Details of ${filename}`} onClick={() => onDetails(path)} />
        <Button icon="trash" kind="quiet" label={`Delete ${filename}`} onClick={() => onDelete(file)} />
      </span>
    </li>
  );
});

interface DeletedProps {
  of: readonly { path: string; size_bytes: number; deleted_at: string; restorable: boolean }[];
}

function DeletedFiles({ of }: DeletedProps) {
  const now = useNow(60_000);
  const { run } = useCommand("restore");
  const [asked, setAsked] = useState<ReadonlySet<string>>(new Set());
  if (of.length === 0) return null;
  const bringBack = (path: string) => {
    const command = restoring([path]);
    setAsked((before) => new Set(before).add(path));
    const send = async () => {
      try {
        return await command.send();
      } catch (error) {
        setAsked((before) => new Set([...before].filter((other) => other !== path)));
        throw error;
      }
    };
    run({ ...command, send });
  };
  return (
    <details className="deleted">
      <summary>
        <Icon name="chevronRight" />
        {`Recently deleted (${of.length})`}
      </summary>
      <ul>
        {of.map(({ path, size_bytes, deleted_at, restorable }) => (
          <li key={`${path} ${deleted_at}`}>
            <div className="what">
              <span className="name">{fileName(path)}</span>
              <p className="muted">{`${path.slice(0, path.lastIndexOf("/") + 1)} · ${bytes(size_bytes)} · ${ago(deleted_at, now)}`}</p>
            </div>
            {restorable ? (
              <Button icon="reset" label={`Restore ${fileName(path)}`} disabled={asked.has(path)} onClick={() => bringBack(path)}>
                {asked.has(path) ? "On its way" : "Restore"}
              </Button>
            ) : (
              <span className="muted small">Cannot be restored</span>
            )}
          </li>
        ))}
      </ul>
    </details>
  );
}
