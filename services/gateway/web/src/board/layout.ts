/**
 * The arrangement of the home board, pure. The board is a list of tiles in reading order with their sizes; the server
 * keeps it with the columns and rows that follow from it.
 */
export interface Tile {
  widget: string;
  /** Columns of four. */
  w: number;
  /** Rows, at least. */
  h: number;
}

export interface Place extends Tile {
  x: number;
  y: number;
}

/** What the server keeps for a user; `widget_settings.board.known` are the widgets there were when it was arranged. */
export interface Saved {
  layout: readonly Place[];
  is_default: boolean;
  widget_settings?: Readonly<Record<string, unknown>>;
}

export interface Arranged {
  tiles: readonly Tile[];
  /** Places of widgets that this build does not know: kept as they are. */
  foreign: readonly Tile[];
}

export interface Known extends Tile {
  order: number;
}

export const COLUMNS = 4;
export const MAX_ROWS = 6;

const tileOf = ({ widget, w, h }: Tile): Tile => ({ widget, w: between(w, 1, COLUMNS), h: between(h, 1, MAX_ROWS) });

function between(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

/** The board to show. A widget that was not known when the user arranged his board is new to him: it comes last. */
export function arranged(saved: Saved, widgets: readonly Known[]): Arranged {
  const inOrder = [...saved.layout].sort((a, b) => a.y - b.y || a.x - b.x).map(tileOf);
  const ids = new Set(widgets.map(({ widget }) => widget));
  const placed = new Set(inOrder.map(({ widget }) => widget));
  const before = saved.is_default ? [] : knownThen(saved);
  const added = widgets
    .filter(({ widget }) => !placed.has(widget) && before !== undefined && !before.includes(widget))
    .sort((a, b) => a.order - b.order);
  return {
    tiles: [...inOrder.filter(({ widget }) => ids.has(widget)), ...added.map(tileOf)],
    foreign: inOrder.filter(({ widget }) => !ids.has(widget)),
  };
}

function knownThen({ widget_settings }: Saved): readonly unknown[] | undefined {
  const { known } = (widget_settings?.["board"] ?? {}) as { known?: unknown };
  return Array.isArray(known) ? known : undefined;
}

/** What is sent to the server. */
export function toSave({ tiles, foreign }: Arranged, widgets: readonly Known[], settings: Saved["widget_settings"]) {
  const board = { known: widgets.map(({ widget }) => widget) };
  return { layout: placed([...tiles, ...foreign]), widget_settings: { ...settings, board } };
}

/** Where the tiles come to lie: each after the one before it, in the first row with room (CSS grid's own placing). */
export function placed(tiles: readonly Tile[]): Place[] {
  const taken = new Set<number>();
  const free = (x: number, y: number, { w, h }: Tile) => {
    for (let row = y; row < y + h; row += 1) for (let column = x; column < x + w; column += 1) if (taken.has(row * COLUMNS + column)) return false;
    return true;
  };
  let [x, y] = [0, 0];
  return tiles.map((tile) => {
    while (x + tile.w > COLUMNS || !free(x, y, tile)) [x, y] = x + 1 + tile.w > COLUMNS ? [0, y + 1] : [x + 1, y];
    for (let row = y; row < y + tile.h; row += 1) for (let column = x; column < x + tile.w; column += 1) taken.add(row * COLUMNS + column);
    return { ...tile, x, y };
  });
}

export function moved(tiles: readonly Tile[], widget: string, to: number): readonly Tile[] {
  const from = tiles.findIndex((tile) => tile.widget === widget);
  const target = between(to, 0, tiles.length - 1);
  const tile = tiles[from];
  if (!tile || from === target) return tiles;
  const rest = tiles.filter((_, index) => index !== from);
  return [...rest.slice(0, target), tile, ...rest.slice(target)];
}

export function resized(tiles: readonly Tile[], widget: string, size: Partial<Tile>): readonly Tile[] {
  return tiles.map((tile) => (tile.widget === widget ? tileOf({ ...tile, ...size, widget }) : tile));
}

export function without(tiles: readonly Tile[], widget: string): readonly Tile[] {
  return tiles.filter((tile) => tile.widget !== widget);
}
