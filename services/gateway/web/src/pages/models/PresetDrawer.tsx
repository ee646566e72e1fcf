import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { answer, api } from "../../api/client";
import { cancel, CONFLICT, install, pause, replace, resume, retry, update, useCommand } from "../../api/commands";
import type { Preset } from "../../api/types";
import { useTopic } from "../../api/useLive";
import { CancelDialog, ReplaceDialog } from "../../dialogs";
import { bytes, percent } from "../../format";
import { Icon } from "../../icons";
import { Story } from "../../parts/DownloadStory";
import { Drawer, DrawerFoot } from "../../parts/Drawer";
import { CARDS, cardOf, isLoud, Notes, whatChanged } from "../../presets/PresetCard";
import { sourceOf, State } from "../../state";
import { Badge, Bar, Button, Loading } from "../../ui";
import { Facts } from "./Facts";
import { Space } from "./Space";
import Uninstall from "./Uninstall";

/** What a preset is, what it brings and where that goes, and what can be done about it. */
export default function PresetDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const held = useTopic("presets")?.data;
  const preset = held?.presets[id];
  return (
    <Drawer title={preset?.name ?? id} about={preset && [preset.category, preset.type, preset.version && `version ${preset.version}`].filter(Boolean).join(" · ")} onClose={onClose}>
      {!held && <Loading what="the preset" lines={5} />}
      {held && !preset && <p className="muted">The catalog has no preset of this name. It may have been taken out, or renamed.</p>}
      {preset && <Details preset={preset} />}
    </Drawer>
  );
}

function Details({ preset }: { preset: Preset }) {
  const { id, name, description, tags = [], warnings = [], status } = preset;
  const card = cardOf(preset);
  const { label, tone } = CARDS[card];
  const details = useQuery({
    queryKey: ["preset", id, status],
    queryFn: () => answer(api.GET("/api/v1/presets/{preset_id}", { params: { path: { preset_id: id } } })),
    placeholderData: (before) => before,
    retry: false,
  });
  const busy = card === "downloading" || card === "paused";
  return (
    <>
      <section>
        <p className="line">
          <Badge tone={tone}>{label}</Badge>
          {preset.update_available && <Badge tone="info">Update available</Badge>}
          <span className="muted">{preset.size_bytes ? bytes(preset.size_bytes) : preset.download_size}</span>
        </p>
        {busy && (
          <div className="flight">
            <Bar value={preset.progress} label={`Progress of ${name}`} tone={tone} />
            <span className="percent">{preset.progress == null ? "…" : percent(preset.progress)}</span>
          </div>
        )}
        {preset.error && <p className="reason">{preset.error}</p>}
        {preset.update_available && <p className="muted">{whatChanged(preset)}</p>}
        {description && <p>{description}</p>}
      </section>
      {tags.length > 0 && (
        <ul className="tags" aria-label="Tags">
          {tags.map((tag) => (
            <li key={tag}>{tag}</li>
          ))}
        </ul>
      )}
      <Notes of={warnings.filter(isLoud)} />
      <State of={sourceOf(details)} what="the files" lines={3}>
        {({ files, license, source, requirements, created_at, updated_at }) => (
          <>
            <section>
              <h3>{files.length === 1 ? "1 file" : `${files.length} files`}</h3>
              <ul className="preset-files">
                {files.map(({ path, size_bytes, installed, optional }) => (
                  <li key={path}>
                    {installed ? (
                      <a className="path" href={`/models?file=${encodeURIComponent(path)}`}>
                        {path}
                      </a>
                    ) : (
                      <span className="path">{path}</span>
                    )}
                    <span className="muted">
                      {size_bytes == null ? "size unknown" : bytes(size_bytes)}
                      {optional && " · optional"}
                    </span>
                    <Badge tone={installed ? "ok" : "idle"}>{installed ? "There" : "Missing"}</Badge>
                  </li>
                ))}
              </ul>
            </section>
            {(card === "available" || card === "failed") && <Impact id={id} status={status} />}
            <Notes of={warnings.filter((warning) => !isLoud(warning))} />
            <section>
              <h3>About</h3>
              <Facts
                of={[
                  ["Licence", license ?? undefined],
                  ["Published by", source ?? undefined],
                  ...Object.entries(requirements ?? {}).map(([key, value]) => [key.replaceAll("_", " "), value] as const),
                  ["Added", created_at ?? undefined],
                  ["Updated", updated_at ?? undefined],
                  ["Installed", preset.installed && preset.modified_at ? new Date(preset.modified_at).toLocaleString() : undefined],
                ]}
              />
            </section>
          </>
        )}
      </State>
      {preset.download_id && <Told id={preset.download_id} />}
      <Actions preset={preset} />
    </>
  );
}

function Told({ id }: { id: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="folded-section" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <Icon name="chevronRight" />
        The story of its download
      </summary>
      {open && <Story id={id} />}
    </details>
  );
}

/** What installing it would need, per volume. */
function Impact({ id, status }: { id: string; status: string }) {
  const plan = useQuery({
    queryKey: ["preset plan", id, status],
    queryFn: () => answer(api.GET("/api/v1/presets/{preset_id}/plan", { params: { path: { preset_id: id } } })),
    retry: false,
    gcTime: 0,
  });
  return (
    <section>
      <h3>Space</h3>
      <State of={sourceOf(plan)} what="the plan" lines={1}>
        {(found) => <Space plan={found} />}
      </State>
    </section>
  );
}

function Actions({ preset }: { preset: Preset }) {
  const { run } = useCommand();
  const card = cardOf(preset);
  const [asked, setAsked] = useState<"cancel" | "replace" | "uninstall">();
  const { id, name, download_id, error } = preset;
  // The same while it stays the same: an asking dialog opens for a download that is new to it.
  const ref = useMemo(() => ({ download_id: download_id ?? "", preset_id: id, name, error }), [download_id, id, name, error]);
  const running = card === "downloading" || card === "queued" || card === "paused";
  return (
    <DrawerFoot>
      {card === "installed" && (
        <Button icon="trash" onClick={() => setAsked("uninstall")}>
          Uninstall…
        </Button>
      )}
      {running && (
        <Button icon="close" onClick={() => setAsked("cancel")}>
          Cancel…
        </Button>
      )}
      {card === "downloading" && (
        <Button icon="pause" onClick={() => run(pause(ref))}>
          Pause
        </Button>
      )}
      {card === "paused" && (
        <Button icon="play" kind="primary" onClick={() => run(resume(ref))}>
          Resume
        </Button>
      )}
      {card === "failed" && preset.error_code === CONFLICT && <Button onClick={() => setAsked("replace")}>Replace what is there…</Button>}
      {card === "failed" && (
        <Button icon="refresh" kind="primary" onClick={() => run(retry(ref))}>
          Retry
        </Button>
      )}
      {card === "available" && (
        <Button icon="download" kind="primary" onClick={() => run(install(preset))}>
          Install
        </Button>
      )}
      {card === "installed" && preset.update_available && (
        <Button icon="download" kind="primary" onClick={() => run(update(preset))}>
          Update
        </Button>
      )}
      <CancelDialog download={asked === "cancel" ? ref : undefined} onClose={() => setAsked(undefined)} onCancel={(item, keepPartial) => run(cancel(item, keepPartial))} />
      <ReplaceDialog download={asked === "replace" ? ref : undefined} onClose={() => setAsked(undefined)} onReplace={(item) => run(replace(item))} />
      {asked === "uninstall" && <Uninstall preset={preset} onClose={() => setAsked(undefined)} />}
    </DrawerFoot>
  );
}
