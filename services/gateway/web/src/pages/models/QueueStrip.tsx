import { useState } from "react";
import { cancel, pause, resume, useCommand, type DownloadRef } from "../../api/commands";
import { useTopic } from "../../api/useLive";
import { CancelDialog } from "../../dialogs";
import { bytes, percent } from "../../format";
import { Bar, Button } from "../../ui";
import { inOrder } from "../../widgets/downloads";

/** Names shown before one asks for all of them. */
const SHOWN = 4;

/** What is on its way, in one line; there while something is. */
export function QueueStrip({ onOpen }: { onOpen: () => void }) {
  const queue = useTopic("queue")?.data;
  const { run } = useCommand();
  const [asked, setAsked] = useState<DownloadRef>();
  if (!queue) return null;
  const { active, waiting } = inOrder(queue);
  const [current] = active;
  if (!current && waiting.length === 0) return null;
  const stopped = current?.status === "paused" || current?.status === "queued";
  return (
    <section className="card strip" aria-label="Download queue">
      {current && (
        <div className="strip-current">
          <strong className="name">{current.name}</strong>
          <span className="muted amount">
            {current.total_bytes != null && `${bytes(current.downloaded_bytes ?? 0)} / ${bytes(current.total_bytes)}`}
            {current.speed && !stopped && ` · ${current.speed}`}
          </span>
          <span className="percent">{current.progress == null ? "…" : percent(current.progress)}</span>
          <Bar value={current.progress} label={`Progress of ${current.name}`} tone={stopped ? "warn" : "info"} />
        </div>
      )}
      {waiting.length > 0 && (
        <div className="strip-waiting">
          <span className="muted">{`${waiting.length} waiting${queue.paused ? ", the queue is paused" : ""}:`}</span>
          <ul>
            {waiting.slice(0, SHOWN).map((item) => (
              <li key={item.download_id}>
                <span>{item.name}</span>
                <Button icon="close" kind="quiet" label={`Cancel ${item.name}`} onClick={() => setAsked(item)} />
              </li>
            ))}
            {waiting.length > SHOWN && <li className="muted">{waiting.length - SHOWN} more</li>}
          </ul>
        </div>
      )}
      <div className="buttons">
        {current && (
          <Button icon={stopped ? "play" : "pause"} label={`${stopped ? "Resume" : "Pause"} ${current.name}`} onClick={() => run(stopped ? resume(current) : pause(current))}>
            {stopped ? "Resume" : "Pause"}
          </Button>
        )}
        <Button icon="queue" onClick={onOpen}>
          Open queue
        </Button>
      </div>
      <CancelDialog download={asked} onClose={() => setAsked(undefined)} onCancel={(item, keepPartial) => run(cancel(item, keepPartial))} />
    </section>
  );
}
