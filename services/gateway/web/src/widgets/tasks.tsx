import { useEffect, useRef } from "react";
import type { Topics } from "../api/types";
import { useNow } from "../api/useLive";
import type { Widget } from "../board/registry";
import { ago, duration, percent } from "../format";
import { useQueryString } from "../router";
import { State, useTopicSource } from "../state";
import { Badge, Bar, Section, type Tone } from "../ui";

/** Of a task; the topic's items carry more than the document names. */
type Task = Topics["active-tasks"]["tasks"][string] & { started_at?: string; finished_at?: string };

const TONES: Record<string, Tone> = { running: "info", queued: "idle", paused: "warn", completed: "ok", failed: "bad" };
const RANK: Record<string, number> = { running: 0, paused: 1, queued: 1 };
const ENDED = 2;

/** A downloader calls itself by its host, its process and a number of its own: people know the host. */
export function hostOf(worker: string): string {
  return worker.replace(/-\d+-[0-9a-f]{8}$/, "");
}

/** What runs, then what waits by its place, then what ended, the newest first. */
export function inOrder(tasks: Topics["active-tasks"]["tasks"]): Task[] {
  const rank = ({ finished_at, status }: Task) => (finished_at ? ENDED : (RANK[status] ?? 1));
  return (Object.values(tasks) as Task[]).sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.queue_position ?? Infinity) - (b.queue_position ?? Infinity) ||
      (b.finished_at ?? "").localeCompare(a.finished_at ?? "") ||
      (a.started_at ?? a.submitted_at ?? "").localeCompare(b.started_at ?? b.submitted_at ?? ""),
  );
}

const NONE = (
  <>
    No active tasks
    <small>Downloads, trainings and generations are shown here while they run.</small>
  </>
);

function Tasks() {
  const source = useTopicSource("active-tasks");
  const active = Object.values(source.data?.tasks ?? {}).filter(({ status }) => status === "running").length;
  return (
    <Section id="tasks" title="Active tasks" count={active > 0 && `(${active} running)`} at={source.at} scrolls>
      <State of={source} what="tasks" empty={{ when: ({ tasks }) => Object.keys(tasks).length === 0, icon: "activity", say: NONE }}>
        {({ tasks }) => (
          <ul className="rows">
            {inOrder(tasks).map((task) => (
              <Row key={task.id} task={task} />
            ))}
          </ul>
        )}
      </State>
    </Section>
  );
}

function Row({ task }: { task: Task }) {
  const { name, job_type, status, progress_pct, progress_message, worker_id, submitted_by, queue_position } = task;
  const title = name || job_type;
  const open = !task.finished_at;
  const here = useQueryString().get("job") === task.job_id;
  const place = useRef<HTMLLIElement>(null);
  // A link of the activity leads to its job.
  useEffect(() => {
    if (here) place.current?.scrollIntoView({ block: "nearest" });
  }, [here]);
  return (
    <li ref={place} className={here ? "here" : undefined}>
      <div className="line">
        <span className="name">{title}</span>
        <Badge tone={TONES[status] ?? "idle"}>{status}</Badge>
        {open && status !== "queued" && progress_pct != null && <strong className="percent">{percent(progress_pct)}</strong>}
      </div>
      {open && status !== "queued" && progress_pct != null && <Bar value={progress_pct} label={`Progress of ${title}`} tone={TONES[status] ?? "info"} />}
      <p className="muted small">
        {name && `${job_type} · `}
        {queue_position != null && open && `place ${queue_position} · `}
        {worker_id && `on ${hostOf(worker_id)} · `}
        {submitted_by && `by ${submitted_by} · `}
        <When task={task} />
      </p>
      {progress_message && <p className={`small ${status === "failed" ? "reason" : "muted"}`}>{progress_message}</p>}
    </li>
  );
}

function When({ task: { status, started_at, finished_at, submitted_at, elapsed_seconds } }: { task: Task }) {
  const running = status === "running" && started_at !== undefined && !finished_at;
  const now = useNow(running ? 1_000 : 30_000);
  if (running) return `${duration((now - Date.parse(started_at)) / 1000)} so far`;
  if (finished_at) return `${elapsed_seconds == null ? "" : `${duration(elapsed_seconds)} · `}${ago(finished_at, now)}`;
  return submitted_at ? `since ${ago(submitted_at, now)}` : "";
}

export default {
  id: "active-tasks", title: "Active tasks", order: 1, w: 2, h: 2, scrolls: true, topics: ["active-tasks"], component: Tasks,
} satisfies Widget;
