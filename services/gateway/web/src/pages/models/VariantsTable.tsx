import { useMemo, useState } from "react";
import { cancel, useCommand, type DownloadRef } from "../../api/commands";
import { useTopic } from "../../api/useLive";
import { CancelDialog } from "../../dialogs";
import { bytes, fileName, percent } from "../../format";
import { Icon } from "../../icons";
import { Badge, Bar, Button } from "../../ui";
import type { Repository, Variant } from "./data";
import { DeleteDialog } from "./DeleteDialog";
import { Pages } from "./Pages";
import { useStart } from "./useStart";
import { filePage, ordered, partCount, pathsOf, precision, STATUS_NAMES, toDownload, variantName, type Column, type Sorted } from "./variants";

/** As many as most repositories have; folders of files can have thousands. */
const ON_A_PAGE = 15;

const COLUMNS: readonly (readonly [Column, string])[] = [
  ["name", "Variant"],
  ["size", "Size"],
  ["precision", "Precision"],
  ["status", "Status"],
];

interface VariantsTableProps {
  repository: Repository;
  variants: readonly Variant[];
  /** How the repository is called. */
  name: string;
  onInfo: () => void;
}

/** All variants of a repository, those that are here and those that can be had, with what can be done about each. */
export function VariantsTable({ repository, variants, name, onInfo }: VariantsTableProps) {
  const [sorted, setSorted] = useState<Sorted>({ column: repository.local ? "name" : "size", descending: false });
  const rows = useMemo(() => ordered(variants, sorted), [variants, sorted]);
  const sort = (column: Column) => setSorted({ column, descending: sorted.column === column && !sorted.descending });
  return (
    <Pages by={sorted} items={rows} size={ON_A_PAGE} of={`variants of ${name}`}>
      {(shown) => (
        <div role="table" className="variants" aria-label={`Variants of ${name}`} aria-rowcount={rows.length + 1}>
          <div role="rowgroup">
            <div role="row" className="variant columns">
              {COLUMNS.map(([column, label]) => (
                <Heading key={column} column={column} label={label} sorted={sorted} onSort={sort} />
              ))}
              <span role="columnheader">
                <span className="sr">Actions</span>
              </span>
            </div>
          </div>
          <div role="rowgroup">
            {shown.map((variant) => (
              <VariantRow key={variant.path ?? variant.filename} repository={repository} variant={variant} onInfo={onInfo} />
            ))}
          </div>
        </div>
      )}
    </Pages>
  );
}

interface HeadingProps {
  column: Column;
  label: string;
  sorted: Sorted;
  onSort: (column: Column) => void;
}

function Heading({ column, label, sorted, onSort }: HeadingProps) {
  const now = sorted.column === column;
  return (
    <span role="columnheader" className={`column-${column}`} aria-sort={now ? (sorted.descending ? "descending" : "ascending") : "none"}>
      <button type="button" onClick={() => onSort(column)}>
        {label}
        <Icon name={now && sorted.descending ? "chevronDown" : "chevronUp"} />
      </button>
    </span>
  );
}

interface VariantRowProps {
  repository: Repository;
  variant: Variant;
  onInfo: () => void;
}

function VariantRow({ repository, variant, onInfo }: VariantRowProps) {
  const { filename, size_bytes, status, path, outdated, whole, role } = variant;
  const [deleting, setDeleting] = useState(false);
  const { start, starting, refusal } = useStart();
  const name = variantName(variant);
  const parts = partCount(variant);
  const page = filePage(repository, variant);
  const here = (status === "downloaded" || repository.local) && path;
  const doomed = pathsOf(variant).map((each) => ({ path: each, size_bytes: parts === 1 ? size_bytes : undefined }));
  return (
    <div role="row" className="variant" data-variant={filename}>
      <span role="cell" className="what">
        <span className="name">{name}</span>
        {(role || parts > 1) && <span className="muted">{[parts > 1 && `${parts} parts`, role].filter(Boolean).join(" · ")}</span>}
      </span>
      <span role="cell" className="size">
        {size_bytes == null ? <span className="muted">unknown</span> : bytes(size_bytes)}
      </span>
      <span role="cell" className="precision muted">
        {precision(variant) ?? "–"}
      </span>
      <span role="cell" className="state">
        {status === "downloading" ? (
          <Downloading variant={variant} name={name} />
        ) : (
          <Badge tone={whole === false ? "bad" : status === "downloaded" ? "ok" : "idle"}>{whole === false ? "Cut off" : STATUS_NAMES[status]}</Badge>
        )}
        {outdated && <Badge tone="info">Newer on the hub</Badge>}
      </span>
      <span role="cell" className="buttons">
        {page && (
          <a className="icon quiet" href={page} target="_blank" rel="noreferrer" title="Open its page on the hub">
            <Icon name="external" />
            <span className="sr">Open {name} on its hub, in a new tab</span>
          </a>
        )}
        {!repository.local && status !== "available" && <Button icon="info" kind="quiet" label={`Info about ${name}`} onClick={onInfo} />}
        {repository.local && path && (
          <a className="icon quiet" href={`/models?file=${encodeURIComponent(path)}`} title="Info">
            <Icon name="info" />
            <span className="sr">Info about {name}</span>
          </a>
        )}
        {here && <Button icon="trash" kind="quiet" label={`Delete ${name}`} onClick={() => setDeleting(true)} />}
        {status === "downloading" && <CancelButton variant={variant} name={name} />}
        {status === "available" && !repository.local && (
          <Button icon="download" busy={starting} disabled={starting} label={`Download ${name}`} onClick={() => start(toDownload(repository, variant), name)}>
            Download
          </Button>
        )}
      </span>
      {refusal && (
        <p role="alert" className="reason">
          {refusal}
        </p>
      )}
      {deleting && <DeleteDialog files={doomed} onClose={() => setDeleting(false)} />}
    </div>
  );
}

/** The downloads that bring a variant: one for each of its parts that is not here yet. */
function useDownloads({ download_id, filename, parts }: Variant) {
  const queue = useTopic("queue")?.data;
  if (!queue) return [];
  const open = { ...queue.active, ...queue.queue };
  const names = new Set((parts && parts.length > 1 ? parts : [filename]).map(fileName));
  return Object.values(open).filter((item) => item.download_id === download_id || (parts && parts.length > 1 && !item.preset_id && names.has(item.name)));
}

function Downloading({ variant, name }: { variant: Variant; name: string }) {
  const items = useDownloads(variant);
  const parts = partCount(variant);
  const item = items.find(({ status }) => status === "downloading") ?? items[0];
  const progress = item?.progress ?? (parts === 1 ? variant.progress : undefined);
  const which = parts > 1 && item ? (variant.parts?.findIndex((part) => fileName(part) === item.name) ?? -1) + 1 : 0;
  const of = which > 0 && <span className="muted small">{`part ${which} of ${parts}`}</span>;
  if (item?.status === "queued") return <Badge tone="info">Queued</Badge>;
  if (item?.status === "paused") return <Badge tone="warn">Paused</Badge>;
  return (
    <span className="flight">
      <Bar value={progress} label={`Progress of ${name}`} />
      <span className="percent">{progress == null ? "…" : percent(progress)}</span>
      {of}
    </span>
  );
}

function CancelButton({ variant, name }: { variant: Variant; name: string }) {
  const items = useDownloads(variant);
  const { run } = useCommand();
  const [asked, setAsked] = useState<DownloadRef>();
  const first = items[0];
  if (!first) return null;
  return (
    <>
      <Button icon="close" kind="quiet" label={`Cancel ${name}`} onClick={() => setAsked({ ...first, name })} />
      <CancelDialog
        download={asked}
        onClose={() => setAsked(undefined)}
        onCancel={(_, keepPartial) => {
          for (const item of items) run(cancel(item, keepPartial));
        }}
      />
    </>
  );
}
