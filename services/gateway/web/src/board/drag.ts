import type { PointerEvent as ReactPointerEvent } from "react";
import { COLUMNS, MAX_ROWS } from "./layout";

interface Gesture<T> {
  onMove: (now: T) => void;
  /** With undefined it was given up. */
  onEnd: (result: T | undefined) => void;
}

/** Follow a pointer from here until it is released, or Escape is pressed. */
function follow<T>(event: ReactPointerEvent<HTMLElement>, at: (event: PointerEvent) => T | undefined, { onMove, onEnd }: Gesture<T>): void {
  if (event.button !== 0) return;
  event.preventDefault();
  let last: T | undefined;
  const end = new AbortController();
  const finish = (result: T | undefined) => {
    end.abort();
    onEnd(result);
  };
  const { signal } = end;
  addEventListener("pointermove", (moved) => {
    const now = at(moved);
    if (now === undefined || JSON.stringify(now) === JSON.stringify(last)) return;
    last = now;
    onMove(now);
  }, { signal });
  addEventListener("pointerup", () => finish(last), { signal });
  addEventListener("pointercancel", () => finish(undefined), { signal });
  addEventListener("keydown", (key) => {
    if (key.key !== "Escape") return;
    key.stopPropagation();
    finish(undefined);
  }, { signal, capture: true });
}

/** Drag a tile over others: `onMove` and `onEnd` get the tile whose place it takes. */
export function dragOver(event: ReactPointerEvent<HTMLElement>, own: string, gesture: Gesture<string>): void {
  let over: string | undefined;
  follow(
    event,
    ({ clientX, clientY }) => {
      const tile = document.elementFromPoint(clientX, clientY)?.closest<HTMLElement>("[data-tile]")?.dataset["tile"];
      // Tiles that move under a resting pointer change nothing until it has left them.
      if (tile === over) return undefined;
      over = tile;
      return tile === own ? undefined : tile;
    },
    gesture,
  );
}

/** Drag the corner of a tile of this size: its new one in columns and rows. */
export function stretch(event: ReactPointerEvent<HTMLElement>, size: { w: number; h: number }, gesture: Gesture<{ w: number; h: number }>): void {
  const board = event.currentTarget.closest<HTMLElement>("[data-tile]")?.parentElement;
  if (!board) return;
  const [left, top] = [event.clientX, event.clientY];
  const style = getComputedStyle(board);
  const gap = parseFloat(style.columnGap);
  const columns = style.gridTemplateColumns.split(" ").length;
  const column = (board.clientWidth + gap) / columns;
  const row = parseFloat(style.getPropertyValue("--row")) + gap;
  const cells = (before: number, by: number, most: number) => Math.min(most, Math.max(1, before + Math.round(by)));
  follow(
    event,
    ({ clientX, clientY }) => ({ w: cells(size.w, (clientX - left) / column, COLUMNS), h: cells(size.h, (clientY - top) / row, MAX_ROWS) }),
    gesture,
  );
}
