import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { positionOf, type Span } from "./moments";

/** A date and a time of day as the browser asks for it, in the person's own time zone. */
export function AtTime({ span: { first, head }, onMove }: { span: Span; onMove: (at: number | undefined) => void }) {
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
