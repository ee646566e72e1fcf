import { useDeferredValue, useMemo, useState } from "react";
import { useCommand, cancel } from "../../api/commands";
import { useTopic } from "../../api/useLive";
import { bytes, compact, percent } from "../../format";
import { Icon } from "../../icons";
import { Growing } from "../../parts/Growing";
import { sourceOf, State } from "../../state";
import { Badge, Bar, Button, Empty, Section } from "../../ui";
import { CancelDialog } from "../../dialogs";
import { DeleteDialog } from "./DeleteDialog";
import { byText, fitting, NOTHING, SIZE_NAMES, sizeClass, type Listing, type Order } from "./facets";
import { FilterBar, useChosen } from "./FilterBar";
import { useRepositories, type Repository, type Variant } from "./data";
import { isObject, KEYS, useStored } from "./stored";
import { useStart } from "./useStart";

interface Item {
  repository: Repository;
  variant: Variant;
}

export const STATUS_NAMES = { downloaded: "Active", downloading: "Downloading", available: "Available" };

const LISTING: Listing<Item> = {
  facets: [
    { kind: "families", label: "Family", of: ({ repository, variant }) => [variant.metadata.family ?? repository.metadata.model_family ?? "unknown"] },
    { kind: "sizes", label: "Size", of: ({ variant }) => sizeClass(variant.size_bytes), names: SIZE_NAMES },
    { kind: "statuses", label: "Status", of: ({ variant }) => [variant.status], names: STATUS_NAMES },
  ],
  orders: [
    order("name", "name", (a, b) => Number(a.local ?? false) - Number(b.local ?? false) || byText(a.repo, b.repo)),
    order("size", "size", (a, b) => sizeOf(b) - sizeOf(a)),
    order("likes", "likes", (a, b) => (b.metadata.likes ?? -1) - (a.metadata.likes ?? -1)),
    order("downloads", "downloads", (a, b) => (b.metadata.downloads ?? -1) - (a.metadata.downloads ?? -1)),
  ],
  words: ({ repository: { repo, metadata }, variant: { filename, path } }) =>
    [repo, filename, path, metadata.model_family, metadata.license, ...metadata.tags].join("\n"),
};

function order(key: string, label: string, compare: (a: Repository, b: Repository) => number): Order<Item> {
  return { key, label, compare: (a, b) => compare(a.repository, b.repository) || byText(a.repository.repo, b.repository.repo) };
}

function sizeOf({ variants }: Repository): number {
  return variants.reduce((sum, { status, size_bytes }) => sum + (status === "downloaded" ? (size_bytes ?? 0) : 0), 0);
}

interface Group {
  repository: Repository;
  variants: Variant[];
}

function grouped(items: readonly Item[]): Group[] {
  const groups = new Map<Repository, Group>();
  for (const { repository, variant } of items) {
    const group = groups.get(repository);
    if (group) group.variants.push(variant);
    else groups.set(repository, { repository, variants: [variant] });
  }
  return [...groups.values()];
}

/** Few enough that all can lie open. */
const FEW = 6;

type Expanded = Record<string, boolean>;
const isExpanded = (value: unknown): value is Expanded => isObject(value) && Object.values(value).every((open) => typeof open === "boolean");

interface RepositoriesTabProps {
  onDetails: (repo: string) => void;
  onDownload: () => void;
}

/** What is here of the hubs' repositories, and what else they have; files of no hub by their folders. */
export default function RepositoriesTab({ onDetails, onDownload }: RepositoriesTabProps) {
  const query = useRepositories();
  const source = sourceOf(query);
  const [chosen, setChosen] = useChosen("repositories");
  const wanted = useDeferredValue(chosen);
  const [expanded, setExpanded] = useStored<Expanded>(KEYS.expanded, isExpanded, {});
  const repositories = query.data?.repositories;
  const items = useMemo(
    () => (repositories ?? []).flatMap((repository) => repository.variants.map((variant) => ({ repository, variant }))),
    [repositories],
  );
  const groups = useMemo(() => {
    const { compare } = LISTING.orders.find(({ key }) => key === wanted.sort) ?? LISTING.orders[0];
    const found = grouped(fitting(items, wanted, LISTING));
    const first = (group: Group): Item => ({ repository: group.repository, variant: group.variants[0] as Variant });
    return found.sort((a, b) => (wanted.descending ? -1 : 1) * compare(first(a), first(b)));
  }, [items, wanted]);
  const few = groups.length <= FEW;
  return (
    <Section id="repositories" title="Repositories" count={repositories?.length} at={source.at}>
      <State
        of={source}
        what="repositories"
        lines={6}
        empty={{
          when: (data) => data.repositories.length === 0,
          icon: "models",
          say: (
            <>
              No model files yet. <Button onClick={onDownload}>Download a model</Button>
            </>
          ),
        }}
      >
        {() => (
          <>
            <FilterBar what="repositories" items={items} listing={LISTING} chosen={chosen} onChange={setChosen} shown={groups.length} />
            {groups.length === 0 ? (
              <Empty icon="search">
                No file fits these filters. <Button onClick={() => setChosen(NOTHING)}>Clear filters</Button>
              </Empty>
            ) : (
              <Growing key={JSON.stringify(wanted)} items={groups} className="repos">
                {(group) => {
                  const { repo } = group.repository;
                  const open = expanded[repo] ?? few;
                  return (
                    <Card key={repo} group={group} open={open} onToggle={() => setExpanded({ ...expanded, [repo]: !open })} onDetails={() => onDetails(repo)} />
                  );
                }}
              </Growing>
            )}
          </>
        )}
      </State>
    </Section>
  );
}

export function hubPage({ metadata: { links } }: Pick<Repository, "metadata">): string | undefined {
  return links["huggingface"] ?? links["civitai"] ?? links["homepage"];
}

interface CardProps {
  group: Group;
  open: boolean;
  onToggle: () => void;
  onDetails: () => void;
}

function Card({ group: { repository, variants }, open, onToggle, onDetails }: CardProps) {
  const { repo, local, metadata, left_out } = repository;
  const name = local ? repo.replace(/^local\//, "") : repo;
  const page = hubPage(repository);
  const here = local ? repository.variants.length : repository.variants.filter(({ status }) => status === "downloaded").length;
  const count = repository.variants.length;
  const id = `repo-${repo}`;
  return (
    <li className="repo" data-repo={repo}>
      <div className="repo-head">
        <button type="button" className="repo-toggle" aria-expanded={open} aria-controls={open ? id : undefined} onClick={onToggle}>
          <Icon name="chevronRight" />
          <span className="repo-name">
            <Icon name={local ? "folder" : "models"} />
            <span className="name">{name}</span>
          </span>
          <span className="muted repo-facts">
            {[
              local ? "files of no hub" : undefined,
              metadata.model_family,
              metadata.license,
              metadata.likes == null ? undefined : `${compact(metadata.likes)} likes`,
              metadata.downloads == null ? undefined : `${compact(metadata.downloads)} downloads`,
              here === count ? `${count} here` : `${here} of ${count + (left_out ?? 0)} here`,
              here > 0 ? bytes(sizeOf(repository)) : undefined,
            ]
              .filter(Boolean)
              .join(" · ")}
          </span>
        </button>
        <div className="buttons">
          {!local && (
            <Button icon="info" kind="quiet" label={`Details of ${name}`} onClick={onDetails} />
          )}
          {page && (
            <a className="icon quiet" href={page} target="_blank" rel="noreferrer" title="Open its page on the hub">
              <Icon name="external" />
              <span className="sr">Open {name} on its hub, in a new tab</span>
            </a>
          )}
        </div>
      </div>
      {open && (
        <div id={id} className="repo-body">
          {metadata.tags.length > 0 && (
            <ul className="tags" aria-label="Tags">
              {metadata.tags.slice(0, 8).map((tag) => (
                <li key={tag}>{tag}</li>
              ))}
            </ul>
          )}
          <div className="variant columns" aria-hidden="true">
            <span>Variant</span>
            <span>Size</span>
            <span>Precision</span>
            <span>Status</span>
            <span />
          </div>
          <Growing items={variants} className="variants" label={`Variants of ${name}`}>
            {(variant) => <VariantRow key={variant.path ?? variant.filename} repository={repository} variant={variant} onInfo={onDetails} />}
          </Growing>
        </div>
      )}
    </li>
  );
}

export function precision({ quantization, metadata }: Variant): string | undefined {
  const shape = quantization ?? metadata.quantization;
  return shape?.method ?? metadata.dtype ?? (shape?.bits == null ? undefined : `${shape.bits} bits`);
}

interface VariantRowProps {
  repository: Repository;
  variant: Variant;
  onInfo: () => void;
}

export function VariantRow({ repository, variant, onInfo }: VariantRowProps) {
  const { filename, size_bytes, status, path, outdated, whole, download_id, role } = variant;
  const [deleting, setDeleting] = useState(false);
  const { start, starting, refusal } = useStart();
  const quality = precision(variant);
  return (
    <li className="variant" data-variant={filename}>
      <span className="what">
        <span className="name">{filename}</span>
        {role && <span className="muted">{role}</span>}
      </span>
      <span className="size">{size_bytes == null ? <span className="muted">unknown</span> : bytes(size_bytes)}</span>
      <span className="quality muted">{quality ?? "–"}</span>
      <span className="state">
        {status === "downloading" ? (
          <Downloading id={download_id} name={filename} known={variant.progress} />
        ) : (
          <Badge tone={whole === false ? "bad" : status === "downloaded" ? "ok" : "idle"}>{whole === false ? "Cut off" : STATUS_NAMES[status]}</Badge>
        )}
        {outdated && <Badge tone="info">Newer on the hub</Badge>}
      </span>
      <span className="buttons">
        {!repository.local && status !== "available" && <Button icon="info" kind="quiet" label={`Info about ${filename}`} onClick={onInfo} />}
        {repository.local && path && (
          <a className="icon quiet" href={`/models?file=${encodeURIComponent(path)}`} title="Info">
            <Icon name="info" />
            <span className="sr">Info about {filename}</span>
          </a>
        )}
        {(status === "downloaded" || repository.local) && path && <Button icon="trash" kind="quiet" label={`Delete ${filename}`} onClick={() => setDeleting(true)} />}
        {status === "downloading" && download_id && <CancelButton id={download_id} name={filename} />}
        {status === "available" && !repository.local && (
          <Button icon="download" kind="primary" busy={starting} disabled={starting} label={`Download ${filename}`} onClick={() => start(toDownload(repository, variant), filename)}>
            Download
          </Button>
        )}
      </span>
      {refusal && (
        <p className="reason" role="alert">
          {refusal}
        </p>
      )}
      {deleting && path && <DeleteDialog files={[{ path, size_bytes }]} onClose={() => setDeleting(false)} />}
    </li>
  );
}

/** What has to be asked for to have a variant; one that comes in several files is asked for by all of them. */
export function toDownload({ repo, hub, revision }: Repository, { filename, url, path, parts, sha256, size_bytes }: Variant) {
  if (hub === "civitai" && url && path) return [{ url, path, ...(sha256 ? { sha256 } : {}), ...(size_bytes ? { size_bytes } : {}) }];
  const at = revision ? { revision } : {};
  if (parts && parts.length > 1) return parts.map((name) => ({ repo, filename: name, ...at }));
  return [{ repo, filename, ...at, ...(path ? { path } : {}), ...(sha256 ? { sha256 } : {}), ...(size_bytes ? { size_bytes } : {}) }];
}

function Downloading({ id, name, known }: { id: string | null | undefined; name: string; known: number | null | undefined }) {
  const queue = useTopic("queue")?.data;
  const item = id ? (queue?.active[id] ?? queue?.queue[id]) : undefined;
  const progress = item?.progress ?? known;
  if (item?.status === "queued") return <Badge tone="info">Queued</Badge>;
  if (item?.status === "paused") return <Badge tone="warn">Paused</Badge>;
  return (
    <span className="flight">
      <Bar value={progress} label={`Progress of ${name}`} />
      <span className="percent">{progress == null ? "…" : percent(progress)}</span>
    </span>
  );
}

function CancelButton({ id, name }: { id: string; name: string }) {
  const queue = useTopic("queue")?.data;
  const { run } = useCommand();
  const [asked, setAsked] = useState(false);
  const item = queue?.active[id] ?? queue?.queue[id];
  if (!item) return null;
  return (
    <>
      <Button icon="close" kind="quiet" label={`Cancel ${name}`} onClick={() => setAsked(true)} />
      <CancelDialog download={asked ? item : undefined} onClose={() => setAsked(false)} onCancel={(download, keepPartial) => run(cancel(download, keepPartial))} />
    </>
  );
}
