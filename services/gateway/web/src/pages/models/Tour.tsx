import { useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { Button } from "../../ui";
import { STOPS } from "./tour";

interface TourProps {
  step: number;
  onStep: (step: number) => void;
  /** It is over; `done` when the last stop was seen. */
  onEnd: (done: boolean) => void;
}

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

const GAP = 12;
const MARGIN = 8;

/** Four stops with a light on what they are about; arrow keys go on and back, Escape skips the rest. */
export default function Tour({ step, onStep, onEnd }: TourProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const heading = useId();
  const [light, setLight] = useState<Box>();
  const [place, setPlace] = useState<{ left: number; top: number; side: "top" | "bottom" | "left" | "right" | "none"; arrow: number }>();
  const stop = STOPS[step];
  const last = step === STOPS.length - 1;
  const ended = useRef(false);
  const end = (done: boolean) => {
    if (ended.current) return;
    ended.current = true;
    dialog.current?.close();
    onEnd(done);
  };
  useEffect(() => dialog.current?.showModal(), []);
  useLayoutEffect(() => {
    if (!stop) return;
    const target = document.querySelector<HTMLElement>(stop.target);
    target?.scrollIntoView({ block: "center" });
    const measure = () => {
      const found = target?.checkVisibility() ? target.getBoundingClientRect() : undefined;
      const box = found && { left: found.left - 4, top: found.top - 4, width: found.width + 8, height: found.height + 8 };
      setLight(box);
      const size = tip.current?.getBoundingClientRect();
      if (size) setPlace(placed(box, size.width, size.height));
    };
    measure();
    addEventListener("resize", measure);
    addEventListener("scroll", measure, { capture: true, passive: true });
    return () => {
      removeEventListener("resize", measure);
      removeEventListener("scroll", measure, { capture: true });
    };
  }, [stop]);
  useEffect(() => tip.current?.querySelector<HTMLElement>("button:last-of-type")?.focus(), [step]);
  const swipe = useSwipe((direction) => {
    const to = step + direction;
    if (to >= 0 && to < STOPS.length) onStep(to);
  });
  if (!stop) return null;
  const go = (to: number) => (to >= STOPS.length ? end(true) : onStep(Math.max(0, to)));
  return (
    <dialog
      ref={dialog}
      className="tour"
      aria-labelledby={heading}
      onClose={() => end(last)}
      onClick={(event) => event.target === dialog.current && end(false)}
      onKeyDown={(event) => {
        if (event.key === "ArrowRight") go(step + 1);
        if (event.key === "ArrowLeft") go(step - 1);
      }}
      {...swipe}
    >
      {light && <div className="light" style={{ left: light.left, top: light.top, width: light.width, height: light.height }} />}
      <div className="tip" ref={tip} data-side={place?.side} style={place && { left: place.left, top: place.top }}>
        {place && place.side !== "none" && <i className="arrow" style={place.side === "left" || place.side === "right" ? { top: place.arrow } : { left: place.arrow }} />}
        <p className="muted small" role="status">{`Step ${step + 1}/${STOPS.length}`}</p>
        <h2 id={heading}>{stop.title}</h2>
        <p>{stop.text}</p>
        <div className="buttons">
          {!last && (
            <Button kind="quiet" onClick={() => end(false)}>
              Skip
            </Button>
          )}
          {step > 0 && <Button onClick={() => go(step - 1)}>Back</Button>}
          <Button kind="primary" onClick={() => go(step + 1)}>
            {last ? "Finish" : "Next"}
          </Button>
        </div>
      </div>
    </dialog>
  );
}

/** Below, above, right or left of the light, whichever has room; in the middle without one. */
export function placed(box: Box | undefined, width: number, height: number, view = { width: innerWidth, height: innerHeight }) {
  const clamp = (value: number, size: number, room: number) => Math.min(Math.max(MARGIN, value), Math.max(MARGIN, room - size - MARGIN));
  if (!box) return { left: (view.width - width) / 2, top: (view.height - height) / 2, side: "none" as const, arrow: 0 };
  const middle = box.left + box.width / 2;
  const center = box.top + box.height / 2;
  const left = clamp(middle - width / 2, width, view.width);
  const top = clamp(center - height / 2, height, view.height);
  const arrowX = Math.min(Math.max(16, middle - left), width - 16);
  const arrowY = Math.min(Math.max(16, center - top), height - 16);
  const below = box.top + box.height + GAP;
  if (below + height + MARGIN <= view.height) return { left, top: below, side: "bottom" as const, arrow: arrowX };
  if (box.top - GAP - height >= MARGIN) return { left, top: box.top - GAP - height, side: "top" as const, arrow: arrowX };
  if (box.left + box.width + GAP + width + MARGIN <= view.width) return { left: box.left + box.width + GAP, top, side: "right" as const, arrow: arrowY };
  if (box.left - GAP - width >= MARGIN) return { left: box.left - GAP - width, top, side: "left" as const, arrow: arrowY };
  return { left, top: view.height - height - MARGIN, side: "none" as const, arrow: 0 };
}

function useSwipe(onSwipe: (direction: 1 | -1) => void) {
  const from = useRef<number>(undefined);
  return {
    onTouchStart: (event: React.TouchEvent) => {
      from.current = event.touches[0]?.clientX;
    },
    onTouchEnd: (event: React.TouchEvent) => {
      const to = event.changedTouches[0]?.clientX;
      if (from.current === undefined || to === undefined) return;
      if (Math.abs(to - from.current) > 50) onSwipe(to < from.current ? 1 : -1);
      from.current = undefined;
    },
  };
}
