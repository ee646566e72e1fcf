import { useLayoutEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import { cancel, CONFLICT, move, pauseQueue, replace, retry, useCommand, type DownloadRef } from "../../api/commands";
import type { EndedItem, QueuedItem, QueueTopic } from "../../api/types";
import { useNow } from "../../api/useLive";
import { dragOver } from "../../board/drag";
import { CancelDialog, ReplaceDialog } from "../../dialogs";
import { ago, bytes } from "../../format";
import { Icon } from "../../icons";
import { Story } from "../../parts/DownloadStory";
import { Drawer } from "../../parts/Drawer";
import { State, useTopicSource } from "../../state";
import { Badge, Button } from "../../ui";
import { Active, inOrder, Waiting } from "../../widgets/downloads";
import { configure } from "./commands";

/** All downloads: running, waiting in an order that can be changed, failed and completed (R-198). */
export default function QueueDrawer({ onClose }: { onClose: () => void }) {
  const source = useTopicSource("queue");
  return (
    <Drawer title="Active downloads" about={source.data && summary(source.data)} onClose={onClose}>
      <State of={source} what="the queue" lines={5}>
        {(queue) => <Queue queue={queue} />}
      </State>
    </Drawer>
  );
}

function summary(queue: QueueTopic): string {
  const { active, waiting } = inOrder(queue);
  const parts = [active.length > 0 && `${active.length} downloading`, waiting.length > 0 && `${waiting.length} waiting`].filter(Boolean);
  return parts.length > 0 ? parts.join(", ") : "Nothing is on its way.";
}

function Queue({ queue }: { queue: QueueTopic }) {
  const { run } = useCommand();
  const { active, waiting } = inOrder(queue);
  const [asked, setAsked] = useState<DownloadRef>();
  const [inTheWay, setInTheWay] = useState<EndedItem>();
  const ended = Object.values(queue.completed).sort((a, b) => (b.finished_at ?? "").localeCompare(a.finished_at ?? ""));
  const failed = ended.filter(({ status }) => status === "failed");
  const done = ended.filter(({ status }) => status !== "failed");
  const nothing = active.length + waiting.length === 0;
  return (
    <>
      <div className="queue-tools">
        <Button icon={queue.paused ? "play" : "pause"} onClick={() => run(pauseQueue(!queue.paused))}>
          {queue.paused ? "Resume all" : "Pause all"}
        </Button>
        <Limits queue={queue} />
      </div>
      {queue.paused && <p className="note warn">The whole queue is paused. Nothing new starts until you resume it.</p>}
      {nothing && ended.length === 0 && <p className="muted">Nothing is on its way. What you download stands here.</p>}
      {active.length > 0 && (
        <section>
          <h3>Downloading ({active.length})</h3>
          <ul className="active">
            {active.map((item) => (
              <Active key={item.download_id} item={item} onCancel={() => setAsked(item)}>
                <Told id={item.download_id} name={item.name} />
              </Active>
            ))}
          </ul>
        </section>
      )}
      {waiting.length > 0 && <WaitingList waiting={waiting} busy={active.length > 0} onCancel={setAsked} />}
      {failed.length > 0 && (
        <section>
          <div className="line between">
            <h3>Failed ({failed.length})</h3>
            {failed.length > 1 && (
              <Button icon="refresh" onClick={() => failed.forEach((item) => run(retry(item)))}>
                Retry all
              </Button>
            )}
          </div>
          <ul className="ended">
            {failed.map((item) => (
              <Ended key={item.download_id} item={item}>
                <Button icon="refresh" label={`Retry ${item.name}`} onClick={() => run(retry(item))}>
                  Retry
                </Button>
                {item.error_code === CONFLICT && (
                  <Button label={`Replace what is there for ${item.name}`} onClick={() => setInTheWay(item)}>
                    Replace…
                  </Button>
                )}
              </Ended>
            ))}
          </ul>
        </section>
      )}
      {done.length > 0 && (
        <section>
          <h3>Completed ({done.length})</h3>
          <ul className="ended">
            {done.map((item) => (
              <Ended key={item.download_id} item={item}>
                {item.status === "cancelled" && (
                  <Button icon="refresh" label={`Download ${item.name} again`} onClick={() => run(retry(item))}>
                    Again
                  </Button>
                )}
              </Ended>
            ))}
          </ul>
        </section>
      )}
      <CancelDialog download={asked} onClose={() => setAsked(undefined)} onCancel={(item, keepPartial) => run(cancel(item, keepPartial))} />
      <ReplaceDialog download={inTheWay} onClose={() => setInTheWay(undefined)} onReplace={(item) => run(replace(item))} />
    </>
  );
}

interface WaitingListProps {
  waiting: readonly QueuedItem[];
  busy: boolean;
  onCancel: (item: DownloadRef) => void;
}

/** The order is changed by buttons, by the arrow keys on a handle, or by drag; each way it is said. */
function WaitingList({ waiting, busy, onCancel }: WaitingListProps) {
  const { run } = useCommand();
  const [said, say] = useState("");
  const [draft, setDraft] = useState<readonly string[]>();
  const list = useRef<HTMLOListElement>(null);
  // A button at the end of the list is disabled, and a moved row leaves the document for a moment: the focus stays with the row.
  const keep = useRef<{ id: string; part: string }>(undefined);
  useLayoutEffect(() => {
    if (!keep.current) return;
    const { id, part } = keep.current;
    keep.current = undefined;
    const row = list.current?.querySelector<HTMLElement>(`[data-tile="${CSS.escape(id)}"]`);
    const { activeElement: now } = document;
    if (now !== document.body && !(now instanceof HTMLButtonElement && now.disabled)) return;
    row?.querySelector<HTMLElement>(part)?.focus();
  });
  const order = draft ? draft.flatMap((id) => waiting.find(({ download_id }) => download_id === id) ?? []) : waiting;
  const announce = (item: QueuedItem, to: number) => say(`${item.name}: place ${to + 1} of ${waiting.length}.`);
  const goTo = (item: QueuedItem, to: number) => {
    if (to === order.indexOf(item) || to < 0 || to >= order.length) return;
    run(move(item, waiting, to));
    announce(item, to);
  };
  const onKey = (event: React.KeyboardEvent<HTMLElement>, item: QueuedItem, index: number) => {
    const to = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: order.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    keep.current = { id: item.download_id, part: ".handle" };
    goTo(item, to);
  };
  const drag = (event: React.PointerEvent<HTMLElement>, item: QueuedItem) => {
    const moved = (over: string) => {
      const ids = waiting.map(({ download_id }) => download_id);
      return ids.filter((id) => id !== item.download_id).toSpliced(ids.indexOf(over), 0, item.download_id);
    };
    dragOver(event, item.download_id, {
      onMove: (over) => setDraft(moved(over)),
      onEnd: (over) => {
        setDraft(undefined);
        if (over === undefined) return;
        goTo(item, moved(over).indexOf(item.download_id));
      },
    });
  };
  return (
    <section>
      <h3>Queued ({waiting.length})</h3>
      <p className="sr" role="status">
        {said}
      </p>
      <ol className="waiting" ref={list}>
        {order.map((item, index) => (
          <Waiting
            key={item.download_id}
            item={item}
            index={index}
            list={order}
            busy={busy}
            onCancel={() => onCancel(item)}
            onMoved={(to) => {
              keep.current = { id: item.download_id, part: ".buttons button:enabled" };
              announce(item, to);
            }}
            handle={
              <button
                type="button"
                className="handle"
                title="Drag it, or move it by the arrow keys"
                aria-label={`Move ${item.name}, place ${index + 1} of ${order.length}, by the arrow keys`}
                onPointerDown={(event) => drag(event, item)}
                onKeyDown={(event) => onKey(event, item, index)}
              >
                <Icon name="grip" />
                <span>{index + 1}</span>
              </button>
            }
          >
            <Told id={item.download_id} name={item.name} />
          </Waiting>
        ))}
      </ol>
    </section>
  );
}

function Ended({ item, children }: { item: EndedItem; children: ReactNode }) {
  const now = useNow(30_000);
  const { name, status, error, total_bytes, finished_at } = item;
  return (
    <li>
      <div className="line">
        <span className="name">{name}</span>
        <Badge tone={status === "completed" ? "ok" : status === "failed" ? "bad" : "idle"}>{status === "completed" ? "Completed" : status === "failed" ? "Failed" : "Cancelled"}</Badge>
      </div>
      <p className="muted">{[total_bytes != null && bytes(total_bytes), finished_at && ago(finished_at, now)].filter(Boolean).join(" · ")}</p>
      {status === "failed" && error && <p className="reason">{error}</p>}
      <div className="buttons">{children}</div>
      <Told id={item.download_id} name={name} />
    </li>
  );
}

/** The story, once somebody wants to read it. */
function Told({ id, name }: { id: string; name: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="told" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <Icon name="chevronRight" />
        Story<span className="sr"> of {name}</span>
      </summary>
      {open && <Story id={id} />}
    </details>
  );
}

const MOST = 8;

/** How many at a time, and how fast; both hold at once, also for what runs. */
function Limits({ queue }: { queue: QueueTopic }) {
  const { run } = useCommand("limits");
  const limit = queue.bandwidth_limit_bps ?? 0;
  const [text, setText] = useState<string>();
  const shown = text ?? (limit > 0 ? `${bytes(limit)}/s` : "");
  const wrong = text !== undefined && text.trim() !== "" && !/^\d+(?:\.\d+)?\s*[kmgt]?i?b?(?:\/s)?$/i.test(text.trim());
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text === undefined || wrong) return;
    run(configure({ bandwidth_limit: text.trim() === "" ? null : text.replaceAll(/\s/g, "") }));
    setText(undefined);
  };
  return (
    <details className="limits">
      <summary>
        <Icon name="settings" />
        Limits
        <span className="muted">{` ${queue.max_concurrent} at a time${limit > 0 ? ` · ${bytes(limit)}/s` : ""}`}</span>
      </summary>
      <div className="limit-fields">
        <label>
          <span>At a time</span>
          <select value={queue.max_concurrent} onChange={(event) => run(configure({ max_concurrent: Number(event.target.value) }))}>
            {Array.from({ length: Math.max(MOST, queue.max_concurrent) }, (_, index) => (
              <option key={index}>{index + 1}</option>
            ))}
          </select>
        </label>
        <form onSubmit={submit}>
          <label>
            <span>Bandwidth of all together</span>
            <input type="text" placeholder="no limit, or 50MB/s" value={shown} aria-invalid={wrong} onChange={(event) => setText(event.target.value)} />
          </label>
          <button type="submit" className="button" disabled={text === undefined || wrong}>
            Set
          </button>
        </form>
        {wrong && (
          <p className="reason small" role="alert">
            Write for example 50MB/s, or leave it empty for no limit.
          </p>
        )}
      </div>
    </details>
  );
}
