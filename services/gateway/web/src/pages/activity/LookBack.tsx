import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { ApiError } from "../../api/client";
import { useShortcuts } from "../../shell/shortcuts";
import { sourceOf, State } from "../../state";
import { Badge, Button, Section } from "../../ui";
import { placeAt, positionOf, span, typeInWords, type Place, type Span } from "./moments";
import { PastBoards } from "./PastBoards";

const SETTLE_MS = 350;

interface LookBackProps {
  /** A position of the log; undefined is now. */
  at: number | undefined;
  onMove: (at: number | undefined) => void;
  onClose: () => void;
}

/** Go through the log by position or by time, and see the boards as they were. */
export function LookBack({ at, onMove, onClose }: LookBackProps) {
  const log = useQuery({ queryKey: ["log", "span"], queryFn: span, retry: 1, staleTime: 5_000 });
  return (
    <Section
      id="look-back"
      title="Look back"
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
        {(found) => <Slider span={found} at={at} onMove={onMove} />}
      </State>
    </Section>
  );
}

function Slider({ span: { first, head }, at, onMove }: { span: Span; at: number | undefined; onMove: LookBackProps["onMove"] }) {
  const low = first?.seq ?? 0;
  const shown = Math.min(at ?? head, head);
  const [dragged, setDragged] = useState<number>();
  const value = dragged ?? shown;
  useEffect(() => {
    if (dragged === undefined) return;
    // Each stop folds the log anew: only where the hand rests is asked for.
    const timer = setTimeout(() => {
      setDragged(undefined);
      onMove(dragged >= head ? undefined : dragged);
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [dragged, head, onMove]);
  const back = () => {
    setDragged(undefined);
    onMove(undefined);
  };
  const isPast = at !== undefined || (dragged !== undefined && dragged < head);
  useShortcuts(isPast ? [{ keys: "Escape", does: "Back to now", run: back }] : []);
  const place = useQuery({ queryKey: ["log", "place", shown], queryFn: () => placeAt(shown), placeholderData: keepPreviousData, staleTime: Infinity, retry: 1 });
  const label = useId();
  const words = isPast ? wordsOf(place.data, shown) : "Now";
  return (
    <div className="slider" onKeyDown={(event) => event.key === "Escape" && isPast && back()}>
      <div className="line">
        <label id={label} htmlFor={`${label}-range`}>
          Position of the log
        </label>
        <output className="end" htmlFor={`${label}-range`}>
          {value} <span className="muted">of {head}</span>
        </output>
      </div>
      <input
        id={`${label}-range`}
        type="range"
        min={low}
        max={head}
        step={1}
        value={value}
        aria-valuetext={`${value} of ${head}, ${words}`}
        onChange={(event) => setDragged(Number(event.target.value))}
      />
      <div className="line moments">
        <Button icon="arrowLeft" label="One fact back" disabled={value <= low} onClick={() => setDragged(Math.max(low, value - 1))} />
        <Button icon="arrowRight" label="One fact on" disabled={value >= head} onClick={() => setDragged(Math.min(head, value + 1))} />
        <AtTime span={{ first, head }} onMove={onMove} />
        {isPast && (
          <Button kind="primary" icon="reset" onClick={back}>
            Back to now
          </Button>
        )}
      </div>
      <p className="now-then" role="status">
        {isPast ? <Badge tone="warn">Past</Badge> : <Badge tone="ok">Now</Badge>}
        <span>{isPast ? words : "Move the slider to see queue, models, templates and statistics as they were."}</span>
        {isPast && (
          <span className="muted keys">
            <kbd>Esc</kbd> goes back to now
          </span>
        )}
      </p>
      {at !== undefined && <PastBoards at={at} time={place.data?.time} />}
    </div>
  );
}

function wordsOf(place: Place | undefined, seq: number): string {
  if (!place) return `Position ${seq}`;
  return `${new Date(place.time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })} · ${typeInWords(place.type)}`;
}

/** A date and a time of day as the browser asks for it, in the person's own time zone. */
function AtTime({ span: { first, head }, onMove }: { span: Span; onMove: LookBackProps["onMove"] }) {
  const [text, setText] = useState("");
  const find = useMutation({
    mutationFn: (time: number) => positionOf(time, { first, head }),
    onSuccess: (seq) => onMove(seq >= head ? undefined : seq),
    onError: (error) => {
      if (!(error instanceof ApiError)) throw error;
    },
    networkMode: "always",
  });
  const time = Date.parse(text);
  const tooEarly = first !== undefined && time < Date.parse(first.time);
  return (
    <form
      className="at-time"
      onSubmit={(event) => {
        event.preventDefault();
        if (!Number.isNaN(time) && !tooEarly) find.mutate(time);
      }}
    >
      <label>
        <span className="sr">Date and time</span>
        <input type="datetime-local" step={1} value={text} onChange={(event) => setText(event.target.value)} aria-invalid={tooEarly} />
      </label>
      <button type="submit" className="button" disabled={Number.isNaN(time) || find.isPending}>
        Go there
      </button>
      {(tooEarly || find.error) && (
        <p className="reason" role="alert">
          {tooEarly && first ? `The log begins on ${new Date(first.time).toLocaleString()}.` : find.error?.message}
        </p>
      )}
    </form>
  );
}
