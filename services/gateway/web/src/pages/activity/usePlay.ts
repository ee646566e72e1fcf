import { useIsFetching } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

const STEP_MS = 1_200;

interface PlayProps {
  at: number | undefined;
  /** The event after the one that is shown; undefined when there is none but now. */
  onNext: () => number | undefined;
  /** Where playing begins when nothing of the past is shown. */
  onStart: () => number | undefined;
  go: (at: number | undefined) => void;
}

/** Goes from event to event by itself, each shown before the next one; ends at now, or once somebody stops it. */
export function usePlay(props: PlayProps): { playing: boolean; toggle: () => void } {
  const { at } = props;
  const latest = useRef(props);
  latest.current = props;
  const [playing, setPlaying] = useState(false);
  const waits = useIsFetching({ queryKey: ["state", "at"] }) > 0;
  useEffect(() => {
    if (!playing || waits) return;
    const timer = setTimeout(() => {
      const { onNext, go } = latest.current;
      const next = onNext();
      if (next === undefined) setPlaying(false);
      go(next);
    }, STEP_MS);
    return () => clearTimeout(timer);
  }, [playing, waits, at]);
  const toggle = () => {
    if (!playing && at === undefined) props.go(props.onStart());
    setPlaying(!playing);
  };
  return { playing, toggle };
}
