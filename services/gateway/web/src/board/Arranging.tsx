import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { Icon, type IconName } from "../icons";
import { Button } from "../ui";
import { dragOver, stretch } from "./drag";
import "./arranging.css";
import { COLUMNS, MAX_ROWS, moved, resized, without, type Tile } from "./layout";
import { known, widgetOf, widgets } from "./registry";

interface ArrangingProps {
  tiles: readonly Tile[];
  isDefault: boolean;
  onArrange: (tiles: readonly Tile[]) => void;
  onDraft: (tiles: readonly Tile[] | undefined) => void;
  onReset: () => void;
  onDone: () => void;
  children: (tools: (tile: Tile, index: number) => ReactNode) => ReactNode;
}

const titleOf = (id: string) => widgetOf(id)?.title ?? id;

/** The board with its tools: every change by a button is announced, and the focus stays where it was. */
export default function Arranging({ tiles, isDefault, onArrange, onDraft, onReset, onDone, children }: ArrangingProps) {
  const [said, say] = useState("");
  const frame = useRef<HTMLDivElement>(null);
  // React may take a moved tile out of the document for a moment: the focus is put back to this.
  const keep = useRef<string>(undefined);
  useLayoutEffect(() => {
    if (keep.current) frame.current?.querySelector<HTMLElement>(keep.current)?.focus({ preventScroll: true });
    keep.current = undefined;
  }, [tiles]);
  useEffect(() => frame.current?.querySelector<HTMLElement>("[data-do=done]")?.focus(), []);
  // The next key may come before what the last one changed is drawn.
  const latest = useRef(tiles);
  useLayoutEffect(() => {
    latest.current = tiles;
  }, [tiles]);
  const hidden = widgets.filter(({ id }) => !tiles.some(({ widget }) => widget === id));

  const change = (next: readonly Tile[], announcement: string, focus: string) => {
    keep.current = focus;
    say(announcement);
    latest.current = next;
    onArrange(next);
  };
  const drop = (next: readonly Tile[], announcement: string) => {
    onDraft(undefined);
    say(announcement);
    if (next !== tiles) onArrange(next);
  };
  const move = (tile: Tile, by: number, what: string) => {
    const before = latest.current;
    const next = moved(before, tile.widget, before.findIndex(({ widget }) => widget === tile.widget) + by);
    const place = `place ${next.findIndex(({ widget }) => widget === tile.widget) + 1} of ${next.length}`;
    change(next, `${titleOf(tile.widget)}: ${place}.`, `[data-tile="${tile.widget}"] [data-do=${what}]`);
  };
  const resize = ({ widget: id }: Tile, side: "w" | "h", by: number, what: string) => {
    const before = latest.current.find(({ widget }) => widget === id);
    if (!before) return;
    const next = resized(latest.current, id, { [side]: before[side] + by });
    const { w, h } = next.find(({ widget }) => widget === id) ?? before;
    change(next, `${titleOf(id)}: ${w} of ${COLUMNS} columns wide, ${rows(h)} high.`, `[data-tile="${id}"] [data-do=${what}]`);
  };
  const hide = ({ widget }: Tile) => change(without(latest.current, widget), `${titleOf(widget)} is hidden.`, `[data-show="${widget}"]`);
  const show = (id: string) => {
    const added = known.find(({ widget }) => widget === id);
    if (!added) return;
    const { widget, w, h } = added;
    change([...without(latest.current, widget), { widget, w, h }], `${titleOf(id)} is shown, at the end.`, `[data-tile="${id}"] [data-do=earlier]`);
  };

  const tools = (tile: Tile, index: number) => {
    const title = titleOf(tile.widget);
    const tool = (what: string, icon: IconName, label: string, possible: boolean, run: () => void) => (
      <button
        type="button"
        className="icon quiet"
        data-do={what}
        aria-label={`${label}: ${title}`}
        title={label}
        aria-disabled={!possible}
        onClick={() => possible && run()}
      >
        <Icon name={icon} />
      </button>
    );
    const start = tiles;
    return (
      <>
        <div className="tools" role="group" aria-label={title}>
          <span
            className="handle"
            onPointerDown={(event) =>
              dragOver(event, tile.widget, {
                onMove: (over) => onDraft(moved(start, tile.widget, start.findIndex(({ widget }) => widget === over))),
                onEnd: (over) =>
                  over === undefined
                    ? onDraft(undefined)
                    : drop(moved(start, tile.widget, start.findIndex(({ widget }) => widget === over)), `${title} is moved.`),
              })
            }
          >
            <Icon name="grip" />
            <strong>{title}</strong>
          </span>
          {widgetOf(tile.widget)?.appears && <small className="muted">{widgetOf(tile.widget)?.appears}</small>}
          <span className="tool-buttons">
            {tool("earlier", "arrowLeft", "Move earlier", index > 0, () => move(tile, -1, "earlier"))}
            {tool("later", "arrowRight", "Move later", index < tiles.length - 1, () => move(tile, 1, "later"))}
            {tool("narrower", "narrower", "Make narrower", tile.w > 1, () => resize(tile, "w", -1, "narrower"))}
            {tool("wider", "wider", "Make wider", tile.w < COLUMNS, () => resize(tile, "w", 1, "wider"))}
            {tool("shorter", "shorter", "Make shorter", tile.h > 1, () => resize(tile, "h", -1, "shorter"))}
            {tool("taller", "taller", "Make taller", tile.h < MAX_ROWS, () => resize(tile, "h", 1, "taller"))}
            {tool("hide", "hide", "Hide", true, () => hide(tile))}
          </span>
        </div>
        <span
          className="corner"
          onPointerDown={(event) =>
            stretch(event, tile, {
              onMove: (size) => onDraft(resized(start, tile.widget, size)),
              onEnd: (size) => (size ? drop(resized(start, tile.widget, size), `${title} has another size.`) : onDraft(undefined)),
            })
          }
        />
      </>
    );
  };

  return (
    <div ref={frame} onKeyDown={(event) => event.key === "Escape" && onDone()}>
      <section className="arrange-bar card" aria-label="Arrange the dashboard">
        <p>Drag a title to move it and a corner to resize it, or use the buttons. Every change is saved.</p>
        <div className="buttons">
          <Button icon="reset" kind="quiet" disabled={isDefault} onClick={onReset}>
            Reset
          </Button>
          <button type="button" className="button primary" data-do="done" onClick={onDone}>
            <Icon name="check" />
            <span>Done</span>
          </button>
        </div>
        {hidden.length > 0 && (
          <div className="hidden-widgets">
            <span className="muted">Hidden:</span>
            {hidden.map(({ id, title }) => (
              <button key={id} type="button" className="button" data-show={id} onClick={() => show(id)}>
                <Icon name="plus" />
                <span>
                  <span className="sr">Show </span>
                  {title}
                </span>
              </button>
            ))}
          </div>
        )}
      </section>
      <p className="sr" role="status">
        {said}
      </p>
      {children(tools)}
    </div>
  );
}

function rows(count: number): string {
  return count === 1 ? "1 row" : `${count} rows`;
}
