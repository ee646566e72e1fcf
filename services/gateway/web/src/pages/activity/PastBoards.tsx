import { useEffect, useState } from "react";
import { useTopic } from "../../api/useLive";
import { bytes, compact, percent } from "../../format";
import { sourceOf, State } from "../../state";
import { Badge, Bar, Figure, type Tone } from "../../ui";
import type { Past } from "./moments";
import { PastMachines } from "./PastMachines";
import { usePast, usePlace } from "./usePast";

/** Queue, models, templates, statistics and machines as they were at a position of the log. */
export function PastBoards({ at }: { at: number }) {
  const past = usePast(at);
  const place = usePlace(at);
  return (
    <div className="past" aria-busy={past.isFetching} data-waits={past.isPlaceholderData || undefined}>
      {past.isFetching && <Folding />}
      <State of={sourceOf(past)} what="that moment" lines={3}>
        {(boards) => (
          <>
            <Figures past={boards} />
            <div className="past-parts">
              <Queue of={boards.queue} />
              <Models of={boards.presets} />
              {place.data && <PastMachines time={Date.parse(place.data.time)} />}
            </div>
          </>
        )}
      </State>
    </div>
  );
}

const SLOW_MS = 600;

/** A long log takes seconds the first time; a short one nobody need wait for. */
function Folding() {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="folding" role="status">
      {slow && (
        <>
          <p>Reading the log up to that moment. The first look back takes longest…</p>
          <Bar value={undefined} label="Reading the log" />
        </>
      )}
    </div>
  );
}

function Figures({ past: { stats, templates } }: { past: Past }) {
  const now = useTopic("stats")?.data;
  const difference = (then: number, present: number | undefined) =>
    present === undefined || present === then ? "as now" : `${compact(Math.abs(present - then))} ${present > then ? "fewer" : "more"} than now`;
  const generations = stats?.absent.includes("generations") ? undefined : stats?.totalGenerations;
  return (
    <ul className="figures four">
      <Figure icon="models" label="Model files" value={stats ? compact(stats.model_files) : undefined} note={stats ? difference(stats.model_files, now?.model_files) : "not known"} />
      <Figure icon="disk" label="Storage" value={stats ? bytes(stats.storage_used_bytes) : undefined} note={now ? `now ${bytes(now.storage_used_bytes)}` : "by model files"} />
      <Figure icon="workflows" label="Templates ready" value={templates ? compact(templates.compatible) : undefined} note={templates ? `of ${compact(templates.total)}` : "not known"} />
      <Figure
        icon="image"
        label="Generations"
        value={generations === undefined ? undefined : compact(generations)}
        note={generations === undefined ? "nothing was told" : difference(generations, now?.totalGenerations)}
      />
    </ul>
  );
}

const TONES: Record<string, Tone> = { completed: "ok", failed: "bad", paused: "warn", retrying: "warn", downloading: "info", verifying: "info" };
const ENDED = 5;

function Queue({ of }: { of: Past["queue"] }) {
  const active = Object.values(of.active);
  const waiting = Object.values(of.queue).sort((a, b) => a.position - b.position);
  const ended = Object.values(of.completed)
    .sort((a, b) => (b.finished_at ?? "").localeCompare(a.finished_at ?? ""))
    .slice(0, ENDED);
  return (
    <section>
      <h3>Download queue{of.paused ? ", paused" : ""}</h3>
      {active.length + waiting.length === 0 && <p className="none">It was empty.</p>}
      <ul className="rows">
        {active.map((item) => (
          <li key={item.download_id}>
            <div className="line">
              <span className="name">{item.name}</span>
              <Badge tone={TONES[item.status] ?? "info"}>{item.status}</Badge>
              <span className="end percent">{item.progress == null ? "…" : percent(item.progress)}</span>
            </div>
            <Bar value={item.progress} label={`Progress of ${item.name} then`} />
            {item.error && <p className="reason">{item.error}</p>}
          </li>
        ))}
        {waiting.map((item) => (
          <li key={item.download_id}>
            <div className="line">
              <span className="name">{item.name}</span>
              <Badge tone={TONES[item.status] ?? "idle"}>{item.status}</Badge>
              <span className="end muted">{item.total_bytes == null ? "" : bytes(item.total_bytes)}</span>
            </div>
          </li>
        ))}
        {ended.map((item) => (
          <li key={item.download_id}>
            <div className="line">
              <span className="name">{item.name}</span>
              <Badge tone={TONES[item.status] ?? "idle"}>{item.status}</Badge>
            </div>
            {item.status === "failed" && item.error && <p className="reason">{item.error}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}

type Presets = Record<string, { id: string; name: string; installed: boolean }>;

function installed(presets: Presets): Map<string, string> {
  return new Map(Object.values(presets).flatMap(({ id, name, installed: there }) => (there ? [[id, name] as const] : [])));
}

function Models({ of }: { of: Past["presets"] }) {
  const present = useTopic("presets")?.data.presets;
  const [then, now] = [installed(of.presets), present && installed(present)];
  const come = now && [...now].filter(([id]) => !then.has(id)).map(([, name]) => name);
  const gone = now && [...then].filter(([id]) => !now.has(id)).map(([, name]) => name);
  return (
    <section>
      <h3>Installed presets</h3>
      {then.size === 0 && <p className="none">None was installed.</p>}
      <ul className="names">
        {[...then].map(([id, name]) => (
          <li key={id}>{name}</li>
        ))}
      </ul>
      {come && come.length > 0 && <p className="muted">Installed since then: {come.join(", ")}.</p>}
      {gone && gone.length > 0 && <p className="muted">Gone since then: {gone.join(", ")}.</p>}
    </section>
  );
}
