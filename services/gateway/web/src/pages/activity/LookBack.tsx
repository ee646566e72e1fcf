import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState, type KeyboardEvent } from "react";
import { useShortcuts } from "../../shell/shortcuts";
import { sourceOf, State } from "../../state";
import { Button, Section } from "../../ui";
import { AtTime } from "./AtTime";
import { earlier, later, span, type Mark, type Span } from "./moments";
import { PastBoards } from "./PastBoards";
import { useMarks, usePast } from "./usePast";
import { usePlay } from "./usePlay";

const SETTLE_MS = 350;
/** A longer log is not folded before somebody asks for a moment of it. */
const FOLDED_AHEAD = 300_000;

interface LookBackProps {
  /** A position of the log; undefined is now. */
  at: number | undefined;
  onMove: (at: number | undefined) => void;
  onClose: () => void;
}

/** Go through the log by its events, by position or by time, and see the boards as they were. */
export function LookBack({ at, onMove, onClose }: LookBackProps) {
  const log = useQuery({ queryKey: ["log", "span"], queryFn: span, retry: 1, staleTime: 5_000 });
  return (
    <Section
      id="look-back"
      title="Look back in time"
      actions={
        <Button icon="close" kind="quiet" label="Stop looking back" onClick={onClose} />
      }
    >
      <State
        of={sourceOf(log)}
        what="the log"
        lines={2}
        empty={{ when: ({ first }) => first === undefined, icon: "activity", say: "The log is empty: nothing has happened yet." }}
      >
        {({ first, head }) => <Line span={{ first, head: Math.max(head, at ?? 0) }} at={at} onMove={onMove} />}
      </State>
      {at !== undefined && <PastBoards at={at} />}
    </Section>
  );
}

function Line({ span, at, onMove }: { span: Span } & Omit<LookBackProps, "onClose">) {
  const { first, head } = span;
  const low = first?.seq ?? 0;
  const events = useMarks();
  // The server keeps what it folded on the way, so that the first look back is as quick as the next ones.
  usePast(at ?? head, head < FOLDED_AHEAD);
  const [dragged, setDragged] = useState<number>();
  const value = dragged ?? at ?? head;
  useEffect(() => {
    if (dragged === undefined) return;
    // Only where the hand rests is asked for.
    const timer = setTimeout(() => {
      setDragged(undefined);
      onMove(dragged >= head ? undefined : dragged);
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [dragged, head, onMove]);
  const go = (to: number | undefined) => {
    setDragged(undefined);
    onMove(to);
  };
  const { refetch } = events;
  useEffect(() => void refetch(), [refetch, head]);
  const list = events.data ?? [];
  const known = events.data !== undefined;
  const back = () => known && go(earlier(list, value, low));
  const on = () => known && go(value >= head ? undefined : later(list, value));
  const play = usePlay({ at, onNext: () => later(list, value), onStart: () => list.find(({ seq }) => seq >= low)?.seq, go });
  const keys = [
    { keys: ",", does: "Look back: the event before", run: back },
    { keys: ".", does: "Look back: the event after", run: on },
    { keys: "p", does: play.playing ? "Look back: stop playing" : "Look back: play what happened", run: play.toggle },
  ];
  useShortcuts(keys);
  // Keys of the page are not heard while a field has the focus.
  const onKey = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLInputElement && event.target.type === "range") keys.find((key) => key.keys === event.key)?.run();
  };
  return (
    <div className="slider" onKeyDown={onKey}>
      <Track span={span} value={value} marks={list} isPast={at !== undefined || value < head} onDrag={setDragged} />
      <div className="line moments">
        <Button icon="arrowLeft" label="The event before" disabled={!known || value <= low} onClick={back} />
        <Button icon={play.playing ? "pause" : "play"} label={play.playing ? "Stop playing" : "Play what happened"} disabled={list.length === 0} onClick={play.toggle} />
        <Button icon="arrowRight" label="The event after" disabled={!known || at === undefined} onClick={on} />
        <AtTime span={span} onMove={go} />
        {at === undefined && <p className="muted">Move the line, or choose an event, to see queue, models and machines as they were.</p>}
      </div>
    </div>
  );
}

interface TrackProps {
  span: Span;
  value: number;
  marks: readonly Mark[];
  isPast: boolean;
  onDrag: (value: number) => void;
}

/** The log as a line, with a mark for each event that was told. */
function Track({ span: { first, head }, value, marks, isPast, onDrag }: TrackProps) {
  const id = useId();
  const low = first?.seq ?? 0;
  const said = marks.find(({ seq }) => seq === value)?.says;
  return (
    <>
      <div className="line">
        <label htmlFor={id}>Position of the log</label>
        <output className="end" htmlFor={id}>
          {isPast ? (
            <>
              {value} <span className="muted">of {head}</span>
            </>
          ) : (
            "Now"
          )}
        </output>
      </div>
      <div className="track">
        <div className="marks" aria-hidden="true">
          {head > low &&
            marks.map(({ seq, tone, says }) => (
              <i key={seq} className={tone} title={says} style={{ left: `${(100 * (Math.min(seq, head) - low)) / (head - low)}%` }} />
            ))}
        </div>
        <input
          id={id}
          type="range"
          min={low}
          max={head}
          step={1}
          value={value}
          aria-valuetext={isPast ? [`${value} of ${head}`, said].filter(Boolean).join(", ") : "Now"}
          onChange={(event) => onDrag(Number(event.target.value))}
        />
      </div>
      <div className="line ends muted" aria-hidden="true">
        <span>{first && new Date(first.time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}</span>
        <span className="end">now</span>
      </div>
    </>
  );
}
