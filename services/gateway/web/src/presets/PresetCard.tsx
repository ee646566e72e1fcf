import { memo, useState, type ReactNode } from "react";
import { CONFLICT, install, pause, replace, resume, retry, update, type Command, type DownloadRef } from "../api/commands";
import type { Preset, Warning } from "../api/types";
import { usePreset } from "../api/useLive";
import { ReplaceDialog } from "../dialogs";
import { bytes, percent } from "../format";
import { Icon, type IconName } from "../icons";
import { Badge, Bar, Button, type Tone } from "../ui";
import "./presets.css";

export type Card = "installed" | "available" | "queued" | "downloading" | "paused" | "failed";

type Action = [string, IconName, (preset: Preset) => Command];

export const CARDS: Record<Card, { label: string; tone: Tone; action?: Action }> = {
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

interface PresetCardProps {
  id: string;
  run: (command: Command) => void;
  /** Further buttons, before the card's own one; must be the same function while nothing changes. */
  more?: ((preset: Preset, card: Card) => ReactNode) | undefined;
}

/** A preset with what can be done about it now. */
export const PresetCard = memo(function PresetCard({ id, run, more }: PresetCardProps) {
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
      <p className="muted facts">
        {[size, preset.type, preset.category].filter(Boolean).join(" · ")}
        <QuietMark of={preset.warnings} />
      </p>
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
      <Warnings of={{ name: preset.name, warnings: preset.warnings?.filter(isLoud) ?? [] }} />
      <div className="foot">
        {busy && (
          <div className="progress">
            <Bar value={preset.progress} label={`Progress of ${preset.name}`} tone={tone} />
            <span className="percent">{preset.progress == null ? "…" : percent(preset.progress)}</span>
          </div>
        )}
        {more?.(preset, card)}
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

/** Oddities of the catalog that were dealt with, and what is true of most presets: nobody has to decide anything. */
const QUIET = new Set(["unverified", "shared_path", "size_format", "page_link", "duplicate_file", "duplicate_key", "invalid_field", "count_mismatch"]);

/** Whether a person has to know it before deciding. */
export function isLoud({ code }: Warning): boolean {
  return !QUIET.has(code);
}

/** That there is more to know, which the details say; too common to be told on every card. */
function QuietMark({ of = [] }: { of: readonly Warning[] | undefined }) {
  const quiet = of.filter((warning) => !isLoud(warning)).map(({ message }) => message);
  if (quiet.length === 0) return null;
  return (
    <span className="quiet-mark" title={quiet.map(sentence).join("\n")}>
      <Icon name="info" />
      <span className="sr"> Good to know: {quiet.join("; ")}</span>
    </span>
  );
}

/** What is odd about something and wants a decision, or at least a look; folded in. */
export function Warnings({ of: { warnings = [], name } }: { of: Pick<Preset, "warnings" | "name"> }) {
  if (warnings.length === 0) return null;
  const calm = !warnings.some(isLoud);
  const codes = [...new Set(warnings.map((warning) => warning.code.replaceAll("_", " ")))];
  const what = calm ? (warnings.length === 1 ? "1 note" : `${warnings.length} notes`) : warnings.length === 1 ? "1 warning" : `${warnings.length} warnings`;
  return (
    <details className={`warnings${calm ? " calm" : ""}`}>
      <summary>
        <Icon name={calm ? "info" : "warning"} />
        <span>
          {what}
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

/** With a capital, unless it begins with a path. */
function sentence(text: string): string {
  return text.replace(/^[a-z](?=[a-z]* )/, (letter) => letter.toUpperCase());
}

/** The same with all of it in sight, where there is room. */
export function Notes({ of }: { of: readonly Warning[] | undefined }) {
  const [loud, quiet] = [of?.filter(isLoud) ?? [], of?.filter((warning) => !isLoud(warning)) ?? []];
  const list = (title: string, icon: IconName, kind: string, warnings: readonly Warning[]) =>
    warnings.length > 0 && (
      <section>
        <h3>{title}</h3>
        <ul className={`notes ${kind}`}>
          {warnings.map(({ message }, index) => (
            <li key={index}>
              <Icon name={icon} />
              <span>{sentence(message)}</span>
            </li>
          ))}
        </ul>
      </section>
    );
  return (
    <>
      {list("Look at this first", "warning", "loud", loud)}
      {list("Good to know", "info", "calm", quiet)}
    </>
  );
}
