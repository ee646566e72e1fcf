import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import { useTopic } from "../../api/useLive";
import { bytes, compact, percent } from "../../format";
import { sourceOf, State } from "../../state";
import { Badge, Bar, Figure } from "../../ui";
import { readingsAt, statesAt, type Past } from "./moments";

/** Queue, models, templates, statistics and machines as they were at a position of the log. */
export function PastBoards({ at, time }: { at: number; time: string | undefined }) {
  const past = useQuery({
    queryKey: ["state", "at", at],
    queryFn: () => statesAt(`${at}`),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
  });
  return (
    <div className="past" aria-busy={past.isFetching} data-waits={past.isPlaceholderData || undefined}>
      <State of={sourceOf(past)} what="that moment" lines={3}>
        {(boards) => <Boards past={boards} />}
      </State>
      {time && <Machines time={Date.parse(time)} />}
    </div>
  );
}

function Boards({ past: { queue, stats, templates } }: { past: Past }) {
  const now = useTopic("stats")?.data;
  const active = Object.values(queue?.active ?? {});
  const waiting = Object.values(queue?.queue ?? {}).sort((a, b) => a.position - b.position);
  const difference = (then: number, present: number | undefined) =>
    present === undefined || present === then ? "as now" : `${compact(Math.abs(present - then))} ${present > then ? "fewer" : "more"} than now`;
  const generations = stats?.absent.includes("generations") ? undefined : stats?.totalGenerations;
  return (
    <>
      <ul className="figures four">
        <Figure icon="models" label="Model files" value={stats ? compact(stats.model_files) : undefined} note={stats ? difference(stats.model_files, now?.model_files) : "not known"} />
        <Figure icon="disk" label="Storage" value={stats ? bytes(stats.storage_used_bytes) : undefined} note={now ? `now ${bytes(now.storage_used_bytes)}` : "by model files"} />
        <Figure
          icon="workflows"
          label="Templates ready"
          value={templates ? compact(templates.compatible) : undefined}
          note={templates ? `of ${compact(templates.total)}` : "not known"}
        />
        <Figure
          icon="image"
          label="Generations"
          value={generations === undefined ? undefined : compact(generations)}
          note={generations === undefined ? "nothing was told" : difference(generations, now?.totalGenerations)}
        />
      </ul>
      <h3>Download queue{queue?.paused ? ", paused" : ""}</h3>
      {active.length + waiting.length === 0 && <p className="none">It was empty.</p>}
      {active.length + waiting.length > 0 && (
        <ul className="rows">
          {active.map((item) => (
            <li key={item.download_id}>
              <div className="line">
                <span className="name">{item.name}</span>
                <Badge tone="info">{item.status}</Badge>
                <span className="end percent">{item.progress == null ? "…" : percent(item.progress)}</span>
              </div>
              <Bar value={item.progress} label={`Progress of ${item.name} then`} />
            </li>
          ))}
          {waiting.map((item) => (
            <li key={item.download_id}>
              <div className="line">
                <span className="name">{item.name}</span>
                <Badge tone={item.status === "paused" ? "warn" : "idle"}>{item.status}</Badge>
                <span className="end muted">{item.total_bytes == null ? "" : bytes(item.total_bytes)}</span>
              </div>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

const HOUR_MS = 3_600_000;

/** What the machines were busy with; their readings are kept for an hour. */
function Machines({ time }: { time: number }) {
  const kept = Date.now() - time < HOUR_MS;
  const read = useQuery({
    queryKey: ["resources", "past"],
    queryFn: () => answer(api.GET("/api/v1/system/resources/history", { params: { query: { minutes: 60 } } })),
    enabled: kept,
    staleTime: 30_000,
    retry: 1,
  });
  const readings = read.data && readingsAt(read.data.hosts ?? {}, time);
  return (
    <>
      <h3>Machines</h3>
      {!kept && <p className="none">Readings of the machines are kept for an hour; this moment is older.</p>}
      {kept && read.error && <p className="reason">{read.error.message}</p>}
      {kept && read.data && !readings && <p className="none">No machine was read at that moment.</p>}
      {readings && (
        <ul className="machines">
          {readings.map(({ host, cpu, memory, disk }) => (
            <li key={host}>
              <span className="name">{host}</span>
              <span className="muted">
                {[
                  cpu != null && `CPU ${percent(cpu)}`,
                  memory != null && `memory ${percent(memory)}`,
                  disk != null && `disk ${percent(disk)}`,
                ]
                  .filter(Boolean)
                  .join(" · ")}
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
