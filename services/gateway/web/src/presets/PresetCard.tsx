import { memo, useState, type ReactNode } from "react";
import { CONFLICT, install, pause, replace, resume, retry, update, type Command, type DownloadRef } from "../api/commands";
import type { Preset } from "../api/types";
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

/** True of most presets and no danger: said quietly. */
const QUIET = new Set(["unverified", "shared_path", "size_format", "page_link"]);

/** What is odd about something, folded in. */
export function Warnings({ of: { warnings = [], name } }: { of: Pick<Preset, "warnings" | "name"> }) {
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
