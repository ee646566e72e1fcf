import { lazy, Suspense, useMemo, useState } from "react";
import { install, useCommand } from "../api/commands";
import type { Preset, PresetsTopic } from "../api/types";
import { useNow } from "../api/useLive";
import type { Widget } from "../board/registry";
import { ago, bytes } from "../format";
import { Icon, type IconName } from "../icons";
import { reachable } from "../pages/paths";
import { State, useTopicSource } from "../state";
import { Badge, Button, Section } from "../ui";

const PresetDialog = lazy(() => import("../presets/PresetDialog"));
const SHOWN = 3;

const KINDS: Record<string, IconName> = { image: "image", video: "video", audio: "audio", llm: "chat" };

/** The installed ones, the newest first; then available ones while there is room (R-130, C-07). */
export function recent(presets: PresetsTopic["presets"]): Preset[] {
  const all = Object.values(presets);
  const installed = all.filter((preset) => preset.installed).sort((a, b) => (b.modified_at ?? "").localeCompare(a.modified_at ?? ""));
  const found = installed.slice(0, SHOWN);
  for (const preset of all) {
    if (found.length >= SHOWN) break;
    if (!preset.installed && (preset.status === "available" || preset.status === "cancelled")) found.push(preset);
  }
  return found;
}

function Recent() {
  const source = useTopicSource("presets");
  const presets = source.data?.presets;
  const shown = useMemo(() => recent(presets ?? {}), [presets]);
  const [open, setOpen] = useState<Preset>();
  const all = reachable("/models") ?? "#presets";
  return (
    <Section
      id="recent"
      title="Recent models"
      at={source.at}
      actions={
        <a className="button quiet" href={all}>
          View all<span className="sr"> models</span>
        </a>
      }
    >
      <State of={source} what="models">
        {() => (
          <>
            {!shown.some((preset) => preset.installed) && (
              <p className="none">
                No models installed yet. <a href={all}>Browse models</a>
              </p>
            )}
            <ul className="recent-list">
              {shown.map((preset) => (
                <Row key={preset.id} preset={preset} onDetails={() => setOpen(preset)} />
              ))}
            </ul>
          </>
        )}
      </State>
      {open && (
        <Suspense fallback={null}>
          <PresetDialog preset={open} onClose={() => setOpen(undefined)} />
        </Suspense>
      )}
    </Section>
  );
}

function Row({ preset, onDetails }: { preset: Preset; onDetails: () => void }) {
  const { run } = useCommand();
  const now = useNow(60_000);
  const { name, type, installed, size_bytes, download_size, modified_at } = preset;
  const facts = [size_bytes ? bytes(size_bytes) : download_size, installed && modified_at && ago(modified_at, now)];
  return (
    <li>
      <span className="mark">
        <Icon name={KINDS[type ?? ""] ?? "models"} />
      </span>
      <div className="what">
        <span className="name">{name}</span>
        <p className="line muted small">
          <Badge tone={installed ? "ok" : "idle"}>{installed ? "Installed" : "Available"}</Badge>
          {[type, ...facts].filter(Boolean).join(" · ")}
        </p>
      </div>
      <div className="buttons">
        {!installed && (
          <Button icon="download" kind="primary" label={`Install ${name} now`} onClick={() => run(install(preset))}>
            Install
          </Button>
        )}
        <Button label={`Details of ${name}`} onClick={onDetails}>
          Details
        </Button>
      </div>
    </li>
  );
}

export default { id: "recent-models", title: "Recent models", order: 40, w: 2, h: 2, topics: ["presets"], component: Recent } satisfies Widget;
