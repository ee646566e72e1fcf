import { memo, startTransition, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { CONFLICT, install, pause, replace, resume, retry, update, useCommand, type Command, type DownloadRef } from "../api/commands";
import { useLiveContext, usePreset, useTopic } from "../api/useLive";
import type { Preset } from "../api/types";
import { ReplaceDialog } from "../dialogs";
import { bytes, percent } from "../format";
import { Icon, type IconName } from "../icons";
import { Badge, Bar, Button, Empty, Section, Waiting, type Tone } from "../ui";
import "./presets.css";

/** More than the real catalogs hold; what is beyond comes in smaller steps while the reader scrolls. */
const FIRST = 60;
const STEP = 24;
const byText = new Intl.Collator().compare;

type Card = "installed" | "available" | "queued" | "downloading" | "paused" | "failed";

type Action = [string, IconName, (preset: Preset) => Command];

const CARDS: Record<Card, { label: string; tone: Tone; action?: Action }> = {
  installed: { label: "Installed", tone: "ok" },
  available: { label: "Available", tone: "idle", action: ["Install", "download", install] },
  queued: { label: "Queued", tone: "info" },
  downloading: { label: "Downloading", tone: "info", action: ["Pause", "pause", (preset) => pause(download(preset))] },
  paused: { label: "Paused", tone: "warn", action: ["Resume", "play", (preset) => resume(download(preset))] },
  failed: { label: "Failed", tone: "bad", action: ["Retry", "refresh", (preset) => retry(download(preset))] },
};

/** Of an installed preset that the catalog changed since. */
const UPDATE: Action = ["Update", "download", update];

/** A preset has one download at a time, so that its own routes reach it. */
function download({ id, name, download_id }: Preset): DownloadRef {
  return { download_id: download_id ?? "", preset_id: id, name };
}

/** The six states of a card for the states of a preset. */
export function cardOf({ status, installed }: Preset): Card {
  switch (status) {
    case "installed":
    case "completed":
      return "installed";
    case "queued":
    case "paused":
    case "failed":
      return status;
    case "downloading":
    case "verifying":
    case "retrying":
      return "downloading";
    default:
      return installed ? "installed" : "available";
  }
}

const FILTERS = { all: "All", installed: "Installed", available: "Available", progress: "In progress", failed: "Failed" } as const;
type Filter = keyof typeof FILTERS;

function filterOf(preset: Preset): Filter {
  const card = cardOf(preset);
  return card === "installed" || card === "available" || card === "failed" ? card : "progress";
}

export interface Query {
  text: string;
  category: string;
  status: Filter;
}

/** Ids of the presets that fit, by name; all words must be found somewhere. */
export function search(presets: Record<string, Preset>, { text, category, status }: Query): string[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (preset: Preset) => {
    if (category && preset.category !== category) return false;
    if (status !== "all" && filterOf(preset) !== status) return false;
    if (words.length === 0) return true;
    const hay = [preset.name, preset.id, preset.description, preset.category, ...(preset.tags ?? [])].join("\n").toLowerCase();
    return words.every((word) => hay.includes(word));
  };
  return Object.values(presets)
    .filter(fits)
    .sort((a, b) => byText(a.name, b.name) || byText(a.id, b.id))
    .map((preset) => preset.id);
}

/** The catalog: search, filters, and a card for each preset. */
export default function PresetList() {
  const held = useTopic("presets");
  const { connection } = useLiveContext();
  const { run } = useCommand();
  const [text, setText] = useState("");
  const [category, setCategory] = useState("");
  const [status, setStatus] = useState<Filter>("all");
  const wanted = useDeferredValue(text);
  const presets = held?.data.presets;
  const all = useMemo(() => Object.values(presets ?? {}), [presets]);
  const ids = useStable(useMemo(() => search(presets ?? {}, { text: wanted, category, status }), [presets, wanted, category, status]));
  const counts = useMemo(() => {
    const result: Record<Filter, number> = { all: all.length, installed: 0, available: 0, progress: 0, failed: 0 };
    for (const preset of all) result[filterOf(preset)] += 1;
    return result;
  }, [all]);
  const categories = useStable(useMemo(() => [...new Set(all.flatMap((preset) => preset.category || []))].sort(), [all]));
  const clear = () => {
    setText("");
    setCategory("");
    setStatus("all");
  };
  return (
    <Section id="presets" title="Presets" count={held && all.length} at={held?.at}>
      {!held && <Waiting what="presets" lines={6} onRetry={connection.retry} />}
      {held?.data.warnings && <Warnings of={{ warnings: held.data.warnings, name: "the catalog" }} />}
      {held && all.length === 0 && (
        <Empty icon="presets">The catalog has no presets yet. “Refresh catalog” reads it again.</Empty>
      )}
      {all.length > 0 && (
        <>
          <div className="filters" role="search" aria-label="Presets">
            <label className="search">
              <Icon name="search" />
              <span className="sr">Search presets</span>
              <input id="preset-search" type="search" placeholder="Search presets" value={text} onChange={(event) => setText(event.target.value)} />
            </label>
            <label>
              <span className="sr">Category</span>
              <select value={category} onChange={(event) => setCategory(event.target.value)}>
                <option value="">All categories</option>
                {categories.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </label>
            <fieldset className="chips">
              <legend className="sr">Status</legend>
              {(Object.keys(FILTERS) as Filter[]).map((key) => (
                <label key={key}>
                  <input type="radio" name="preset-status" checked={status === key} onChange={() => setStatus(key)} />
                  <span>
                    {FILTERS[key]} <b>{counts[key]}</b>
                  </span>
                </label>
              ))}
            </fieldset>
            <p className="sr" role="status">{`${ids.length} presets shown`}</p>
          </div>
          {ids.length === 0 ? (
            <Empty icon="search">
              No preset fits these filters. <Button onClick={clear}>Clear filters</Button>
            </Empty>
          ) : (
            <Cards key={`${wanted}\n${category}\n${status}`} ids={ids} run={run} />
          )}
        </>
      )}
    </Section>
  );
}

/** The same array while its members are the same, so that progress does not render the whole list again. */
function useStable(list: string[]): string[] {
  const key = JSON.stringify(list);
  return useMemo(() => JSON.parse(key) as string[], [key]);
}

/** Cards come into being a screen ahead of the reader; the browser skips painting those out of sight. */
const Cards = memo(function Cards({ ids, run }: { ids: readonly string[]; run: (command: Command) => void }) {
  const [count, setCount] = useState(FIRST);
  const end = useRef<HTMLDivElement>(null);
  const more = count < ids.length;
  useEffect(() => {
    if (!more || !end.current) return;
    const observer = new IntersectionObserver(
      (seen) => {
        if (seen.some((entry) => entry.isIntersecting)) startTransition(() => setCount((present) => present + STEP));
      },
      { rootMargin: "2500px" },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [more, count]);
  return (
    <>
      <ul className="cards">
        {ids.slice(0, count).map((id) => (
          <PresetCard key={id} id={id} run={run} />
        ))}
      </ul>
      {more && <div ref={end} className="more">{`${ids.length - count} more`}</div>}
    </>
  );
});

const PresetCard = memo(function PresetCard({ id, run }: { id: string; run: (command: Command) => void }) {
  const preset = usePreset(id);
  const [asked, setAsked] = useState<DownloadRef & { error?: string | null | undefined }>();
  if (!preset) return null;
  const card = cardOf(preset);
  const { label, tone } = CARDS[card];
  const outdated = card === "installed" && preset.update_available === true;
  const action = outdated ? UPDATE : CARDS[card].action;
  const conflict = card === "failed" && preset.error_code === CONFLICT;
  const size = preset.size_bytes ? bytes(preset.size_bytes) : preset.download_size;
  const busy = card === "downloading" || card === "paused";
  return (
    <li className="preset" data-state={card} data-preset={id}>
      <div className="line">
        <h3 className="name">{preset.name}</h3>
        <Badge tone={tone}>{preset.status === "verifying" ? "Verifying" : preset.status === "retrying" ? "Retrying" : label}</Badge>
        {outdated && <Badge tone="info">Update available</Badge>}
      </div>
      <p className="muted facts">{[size, preset.type, preset.category].filter(Boolean).join(" · ")}</p>
      {preset.description && <p className="description">{preset.description}</p>}
      {card === "failed" && preset.error && <p className="reason">{preset.error}</p>}
      {outdated && <p className="muted">{whatChanged(preset)}</p>}
      {(preset.tags?.length ?? 0) > 0 && (
        <ul className="tags" aria-label="Tags">
          {preset.tags?.map((tag) => (
            <li key={tag}>{tag}</li>
          ))}
        </ul>
      )}
      <Warnings of={preset} />
      <div className="foot">
        {busy && (
          <div className="progress">
            <Bar value={preset.progress} label={`Progress of ${preset.name}`} tone={tone} />
            <span className="percent">{preset.progress == null ? "…" : percent(preset.progress)}</span>
          </div>
        )}
        {card === "queued" && <span className="muted">Waiting…</span>}
        {card === "queued" && <Button disabled onClick={() => undefined}>In Queue</Button>}
        {action && (
          <Button
            icon={action[1]}
            label={`${action[0]} ${preset.name}`}
            {...(card === "available" || card === "failed" || outdated ? { kind: "primary" as const } : {})}
            onClick={() => run(action[2](preset))}
          >
            {action[0]}
          </Button>
        )}
        {conflict && (
          <Button label={`Replace what is there for ${preset.name}`} onClick={() => setAsked({ ...download(preset), error: preset.error })}>
            Replace…
          </Button>
        )}
      </div>
      {conflict && <ReplaceDialog download={asked} onClose={() => setAsked(undefined)} onReplace={(item) => run(replace(item))} />}
    </li>
  );
});

/** An update in words, such as "1.0.0 → 2.0.0: 1 new file, 2 changed". */
export function whatChanged({ changed_files, installed_version, version }: Preset): string {
  const count = (change: string) => changed_files?.filter((file) => file.change === change).length ?? 0;
  const kinds = (["new", "changed", "removed"] as const).map((kind) => [count(kind), kind] as const).filter(([number]) => number > 0);
  const parts = kinds.map(([number, kind], index) => `${number} ${kind}${index === 0 ? (number === 1 ? " file" : " files") : ""}`);
  const versions = installed_version && version && installed_version !== version ? `${installed_version} → ${version}: ` : "";
  return versions + parts.join(", ");
}

/** True of most presets and no danger: said quietly. */
const QUIET = new Set(["unverified", "shared_path", "size_format", "page_link"]);

function Warnings({ of: { warnings = [], name } }: { of: Pick<Preset, "warnings" | "name"> }) {
  if (warnings.length === 0) return null;
  const quiet = warnings.every(({ code }) => QUIET.has(code));
  const codes = [...new Set(warnings.map((warning) => warning.code.replaceAll("_", " ")))];
  return (
    <details className={`warnings${quiet ? " calm" : ""}`}>
      <summary>
        <Icon name={quiet ? "info" : "warning"} />
        <span>
          {warnings.length === 1 ? "1 warning" : `${warnings.length} warnings`}
          <span className="sr"> about {name}</span>: {codes.join(", ")}
        </span>
      </summary>
      <ul>
        {warnings.map((warning, index) => (
          <li key={index}>{warning.message}</li>
        ))}
      </ul>
    </details>
  );
}
