import { useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { Button } from "../../ui";
import { placed, type Box, type Placed } from "./placed";
import { STOPS } from "./tour";
import "./tour.css";

interface TourProps {
  step: number;
  onStep: (step: number) => void;
  /** It is over; `done` when the last stop was seen. */
  onEnd: (done: boolean) => void;
}

/** Four stops with a light on what they are about; arrow keys go on and back, Escape skips the rest. */
export default function Tour({ step, onStep, onEnd }: TourProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const [heading, text] = [useId(), useId()];
  const stop = STOPS[step];
  const { light, place } = usePlace(stop?.target, tip);
  const last = step === STOPS.length - 1;
  const ended = useRef(false);
  const end = (done: boolean) => {
    if (ended.current) return;
    ended.current = true;
    dialog.current?.close();
    onEnd(done);
    // The welcome with its button may be gone by then.
    requestAnimationFrame(() => {
      if (!document.activeElement || document.activeElement === document.body) document.querySelector<HTMLElement>("#main h1")?.focus();
    });
  };
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => tip.current?.querySelector<HTMLElement>("button.primary")?.focus({ preventScroll: true }), [step]);
  const go = (to: number) => (to >= STOPS.length ? end(true) : onStep(Math.max(0, to)));
  const swipe = useSwipe((direction) => {
    const to = step + direction;
    if (to >= 0 && to < STOPS.length) onStep(to);
  });
  if (!stop) return null;
  const sideways = place?.side === "left" || place?.side === "right";
  return (
    <dialog
      ref={dialog}
      className="tour"
      aria-labelledby={heading}
      aria-describedby={text}
      onClose={() => end(last)}
      onClick={(event) => event.target === dialog.current && end(false)}
      onKeyDown={(event) => {
        if (event.key === "ArrowRight") go(step + 1);
        if (event.key === "ArrowLeft") go(step - 1);
      }}
      {...swipe}
    >
      {light && <div className="light" style={light} />}
      <div className="tip" ref={tip} data-side={place?.side} style={place && { left: place.left, top: place.top }}>
        {place && place.side !== "none" && <i className="arrow" style={sideways ? { top: place.arrow } : { left: place.arrow }} />}
        <p className="tour-step muted small" role="status">
          {`Step ${step + 1}/${STOPS.length}`}
          <span className="dots" aria-hidden="true">
            {STOPS.map(({ title }, index) => (
              <i key={title} className={index === step ? "now" : undefined} />
            ))}
          </span>
        </p>
        <h2 id={heading}>{stop.title}</h2>
        <p id={text}>{light === undefined && stop.gone ? stop.gone : stop.text}</p>
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

/** Where the light and the text are, also after the window or the page changed; no light while the target is not there. */
function usePlace(selector: string | undefined, tip: React.RefObject<HTMLElement | null>): { light: Box | undefined; place: Placed | undefined } {
  const [found, setFound] = useState<{ light: Box | undefined; place: Placed | undefined }>({ light: undefined, place: undefined });
  useLayoutEffect(() => {
    if (!selector) return;
    const target = () => {
      const element = document.querySelector<HTMLElement>(selector);
      return element?.checkVisibility() ? element : undefined;
    };
    const measure = () => {
      const seen = target()?.getBoundingClientRect();
      const light = seen && { left: seen.left - 4, top: seen.top - 4, width: seen.width + 8, height: seen.height + 8 };
      const size = tip.current?.getBoundingClientRect();
      setFound({ light, place: size && placed(light, size.width, size.height, { width: innerWidth, height: innerHeight }) });
    };
    const show = () => {
      const element = target();
      // In the middle if the text has room above or below it there; else from its beginning, the text below.
      const room = (innerHeight - (element?.offsetHeight ?? 0)) / 2;
      element?.scrollIntoView({ block: room < (tip.current?.offsetHeight ?? 0) + ROOM_PX ? "start" : "center" });
      measure();
    };
    show();
    // Sections that come, go or grow move what is lit.
    const sizes = new ResizeObserver(measure);
    sizes.observe(document.body);
    addEventListener("resize", show);
    addEventListener("scroll", measure, { capture: true, passive: true });
    return () => {
      sizes.disconnect();
      removeEventListener("resize", show);
      removeEventListener("scroll", measure, { capture: true });
    };
  }, [selector, tip]);
  return found;
}

const SWIPE_PX = 50;
/** For the gap, the margin and the light around it. */
const ROOM_PX = 28;

function useSwipe(onSwipe: (direction: 1 | -1) => void) {
  const from = useRef<number>(undefined);
  return {
    onTouchStart: (event: React.TouchEvent) => {
      from.current = event.touches[0]?.clientX;
    },
    onTouchEnd: (event: React.TouchEvent) => {
      const to = event.changedTouches[0]?.clientX;
      if (from.current === undefined || to === undefined) return;
      if (Math.abs(to - from.current) > SWIPE_PX) onSwipe(to < from.current ? 1 : -1);
      from.current = undefined;
    },
  };
}
