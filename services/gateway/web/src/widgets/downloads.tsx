import { useState, type ReactNode } from "react";
import { cancel, move, pause, pauseQueue, resume, useCommand, type DownloadRef } from "../api/commands";
import { useNow, useTopic } from "../api/useLive";
import type { ActiveItem, QueuedItem, QueueTopic } from "../api/types";
import type { Widget } from "../board/registry";
import { CancelDialog } from "../dialogs";
import { reachable } from "../pages/paths";
import { bytes, duration, fileName, kindLabel, percent } from "../format";
import { Badge, Bar, Button, Section, type Tone } from "../ui";

const LABELS: Record<string, [string, Tone]> = {
  queued: ["Queued", "idle"],
  downloading: ["Downloading", "info"],
  verifying: ["Verifying", "info"],
  retrying: ["Retrying", "warn"],
  paused: ["Paused", "warn"],
};

/** Running downloads in the order they began, the current one first; then the waiting list. */
export function inOrder(queue: QueueTopic): { active: ActiveItem[]; waiting: QueuedItem[] } {
  const rank = (item: ActiveItem) => (item.download_id === queue.current ? "" : (item.started_at ?? "~"));
  return {
    active: Object.values(queue.active).sort((a, b) => rank(a).localeCompare(rank(b))),
    waiting: Object.values(queue.queue).sort((a, b) => a.position - b.position),
  };
}

/** So many of those that wait; the queue itself has them all. */
const WAITING_SHOWN = 4;

function Downloads() {
  const held = useTopic("queue");
  const { run } = useCommand();
  const [asked, setAsked] = useState<DownloadRef>();
  if (!held) return null;
  const { active, waiting } = inOrder(held.data);
  if (active.length + waiting.length === 0) return null;
  const { paused } = held.data;
  const all = reachable("/models?status=queue");
  return (
    <Section
      id="downloads"
      title="Download queue"
      count={active.length > 0 && `(${active.length} active)`}
      at={held.at}
      actions={
        <>
          {all && (
            <a className="button quiet" href={all}>
              View all<span className="sr"> downloads</span>
            </a>
          )}
          <Button icon={paused ? "play" : "pause"} kind="quiet" onClick={() => run(pauseQueue(!paused))}>
            {paused ? "Resume all" : "Pause all"}
          </Button>
        </>
      }
    >
      {paused && <p className="note warn">The whole queue is paused. Nothing new starts until you resume it.</p>}
      {active.length > 0 && (
        <ul className="active">
          {active.map((item) => (
            <Active key={item.download_id} item={item} onCancel={() => setAsked(item)} />
          ))}
        </ul>
      )}
      {waiting.length > 0 && (
        <>
          <h3>Waiting ({waiting.length})</h3>
          <ol className="waiting">
            {waiting.slice(0, all ? WAITING_SHOWN : undefined).map((item, index) => (
              <Waiting key={item.download_id} item={item} index={index} list={waiting} busy={active.length > 0} onCancel={() => setAsked(item)} />
            ))}
          </ol>
          {all && waiting.length > WAITING_SHOWN && (
            <a className="button quiet rest" href={all}>
              And {waiting.length - WAITING_SHOWN} more
            </a>
          )}
        </>
      )}
      <CancelDialog
        download={asked}
        onClose={() => setAsked(undefined)}
        onCancel={(download, keepPartial) => run(cancel(download, keepPartial))}
      />
    </Section>
  );
}

function Status({ status }: { status: string }) {
  const [label, tone] = LABELS[status] ?? [status, "idle"];
  return <Badge tone={tone}>{label}</Badge>;
}

interface ActiveProps {
  item: ActiveItem;
  onCancel: () => void;
  children?: ReactNode;
}

/** A running download and its buttons. */
export function Active({ item, onCancel, children }: ActiveProps) {
  const { run } = useCommand();
  const stopped = item.status === "paused" || item.status === "queued";
  const amount = [
    item.downloaded_bytes != null && bytes(item.downloaded_bytes),
    item.total_bytes != null && `${item.downloaded_bytes == null ? "" : "of "}${bytes(item.total_bytes)}`,
  ].filter(Boolean);
  return (
    <li className="download">
      <div className="line">
        <h3 className="name">{item.name}</h3>
        <Status status={item.status} />
        <Tries item={item} />
        <strong className="percent">{item.progress == null ? "…" : percent(item.progress)}</strong>
      </div>
      <Bar value={item.progress} label={`Progress of ${item.name}`} tone={LABELS[item.status]?.[1] ?? "info"} />
      <div className="line facts">
        {amount.length > 0 && <span>{amount.join(" ")}</span>}
        {!stopped && <Speed item={item} />}
        {item.file?.path && <FileOf file={item.file} />}
      </div>
      {item.error && <p className={item.status === "downloading" || item.status === "verifying" ? "muted small" : "reason"}>{item.error}</p>}
      <div className="buttons">
        {stopped ? (
          <Button icon="play" label={`Resume ${item.name}`} onClick={() => run(resume(item))}>
            Resume
          </Button>
        ) : (
          <Button icon="pause" label={`Pause ${item.name}`} onClick={() => run(pause(item))}>
            Pause
          </Button>
        )}
        <Button icon="close" kind="quiet" label={`Cancel ${item.name}`} onClick={onCancel}>
          Cancel
        </Button>
      </div>
      {children}
    </li>
  );
}

function Tries({ item: { status, attempt, tries, max_tries, retry_at } }: { item: ActiveItem }) {
  const now = useNow(1_000);
  if (status !== "retrying" || tries == null || max_tries == null) {
    return (attempt ?? 1) > 1 ? <span className="muted">Attempt {attempt}</span> : null;
  }
  const wait = retry_at ? (Date.parse(retry_at) - now) / 1000 : 0;
  return (
    <span className="muted">
      Try {tries} of {max_tries} failed, {wait > 0 ? `next in ${duration(wait)}` : "trying again"}
    </span>
  );
}

function Speed({ item }: { item: ActiveItem }) {
  const speed = item.speed ?? (item.speed_bps == null ? undefined : `${bytes(item.speed_bps)}/s`);
  const eta = item.eta ?? (item.eta_s == null ? undefined : duration(item.eta_s));
  return (
    <>
      {speed && <span>{speed}</span>}
      {eta && <span>{eta} left</span>}
    </>
  );
}

function FileOf({ file }: { file: NonNullable<ActiveItem["file"]> }) {
  const { path = "", kind, index, count } = file;
  return (
    <span className="file" title={path}>
      {index != null && count != null && `File ${index} of ${count} · `}
      {kind && `${kindLabel(kind)} · `}
      <code>{fileName(path)}</code>
    </span>
  );
}

interface WaitingProps {
  item: QueuedItem;
  index: number;
  list: readonly QueuedItem[];
  /** Something is being downloaded right now. */
  busy: boolean;
  onCancel: () => void;
  /** Told where a button has moved it, as an index. */
  onMoved?: (to: number) => void;
  /** Instead of its number: what it is dragged by. */
  handle?: ReactNode;
  children?: ReactNode;
}

/** A download that waits for its turn; the buttons move it. */
export function Waiting({ item, index, list, busy, onCancel, onMoved, handle, children }: WaitingProps) {
  const { run } = useCommand();
  const paused = item.status === "paused";
  const moveTo = (to: number) => {
    run(move(item, list, to));
    onMoved?.(to);
  };
  const kept = item.downloaded_bytes ? `${bytes(item.downloaded_bytes)} of ` : "";
  return (
    <li className="queued" data-tile={handle ? item.download_id : undefined}>
      {handle ?? (
        <span className="position" aria-hidden="true">
          {index + 1}
        </span>
      )}
      <div className="what">
        <div className="line">
          <h4 className="name">{item.name}</h4>
          <Status status={item.status} />
        </div>
        <p className="muted">
          {item.total_bytes != null && `${kept}${bytes(item.total_bytes)} · `}
          {paused ? "Paused until you resume it" : busy ? "Waiting for current download" : "Waiting to start"}
        </p>
        {item.error && <p className="reason">{item.error}</p>}
      </div>
      <div className="buttons">
        <Button icon="top" label={`Move ${item.name} to the top`} disabled={index === 0} onClick={() => moveTo(0)} />
        <Button icon="chevronUp" label={`Move ${item.name} up`} disabled={index === 0} onClick={() => moveTo(index - 1)} />
        <Button
          icon="chevronDown"
          label={`Move ${item.name} down`}
          disabled={index === list.length - 1}
          onClick={() => moveTo(index + 1)}
        />
        {paused ? (
          <Button icon="play" label={`Resume ${item.name}`} onClick={() => run(resume(item))} />
        ) : (
          <Button icon="pause" label={`Pause ${item.name}`} onClick={() => run(pause(item))} />
        )}
        <Button icon="close" label={`Cancel ${item.name}`} onClick={onCancel} />
      </div>
      {children}
    </li>
  );
}

export default {
  id: "download-queue", title: "Download queue", order: 5, w: 4, h: 1, topics: ["queue"], appears: "Shown while something is queued.",
  component: Downloads,
} satisfies Widget;
