export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Placed {
  left: number;
  top: number;
  side: "top" | "bottom" | "left" | "right" | "none";
  /** Where along that side the arrow is. */
  arrow: number;
}

const GAP = 12;
const MARGIN = 8;

/** Below, above, right or left of the light, whichever has room; at the window's end without one, in the middle without a light. */
export function placed(box: Box | undefined, width: number, height: number, view = { width: innerWidth, height: innerHeight }): Placed {
  const clamp = (value: number, size: number, room: number) => Math.min(Math.max(MARGIN, value), Math.max(MARGIN, room - size - MARGIN));
  if (!box) return { left: (view.width - width) / 2, top: (view.height - height) / 2, side: "none", arrow: 0 };
  const middle = box.left + box.width / 2;
  const center = box.top + box.height / 2;
  const left = clamp(middle - width / 2, width, view.width);
  const top = clamp(center - height / 2, height, view.height);
  const arrowX = Math.min(Math.max(16, middle - left), width - 16);
  const arrowY = Math.min(Math.max(16, center - top), height - 16);
  const below = box.top + box.height + GAP;
  if (below + height + MARGIN <= view.height) return { left, top: below, side: "bottom", arrow: arrowX };
  if (box.top - GAP - height >= MARGIN) return { left, top: box.top - GAP - height, side: "top", arrow: arrowX };
  if (box.left + box.width + GAP + width + MARGIN <= view.width) return { left: box.left + box.width + GAP, top, side: "right", arrow: arrowY };
  if (box.left - GAP - width >= MARGIN) return { left: box.left - GAP - width, top, side: "left", arrow: arrowY };
  return { left, top: view.height - height - MARGIN, side: "none", arrow: 0 };
}
