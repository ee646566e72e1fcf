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
  const hidden = widgets.filter(({ id }) => !tiles.some(({ widget }) => widget === id));

  const change = (next: readonly Tile[], announcement: string, focus: string) => {
    keep.current = focus;
    say(announcement);
    onArrange(next);
  };
  const drop = (next: readonly Tile[], announcement: string) => {
    onDraft(undefined);
    say(announcement);
    if (next !== tiles) onArrange(next);
  };
  const move = (tile: Tile, to: number, what: string) => {
    const place = `place ${to + 1} of ${tiles.length}`;
    change(moved(tiles, tile.widget, to), `${titleOf(tile.widget)}: ${place}.`, `[data-tile="${tile.widget}"] [data-do=${what}]`);
  };
  const resize = (tile: Tile, size: Partial<Tile>, what: string) => {
    const next = { ...tile, ...size };
    const words = `${titleOf(tile.widget)}: ${next.w} of ${COLUMNS} columns wide, ${rows(next.h)} high.`;
    change(resized(tiles, tile.widget, size), words, `[data-tile="${tile.widget}"] [data-do=${what}]`);
  };
  const hide = ({ widget }: Tile) => change(without(tiles, widget), `${titleOf(widget)} is hidden.`, `[data-show="${widget}"]`);
  const show = (id: string) => {
    const added = known.find(({ widget }) => widget === id);
    if (!added) return;
    const { widget, w, h } = added;
    change([...tiles, { widget, w, h }], `${titleOf(id)} is shown, at the end.`, `[data-tile="${id}"] [data-do=earlier]`);
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
            {tool("earlier", "arrowLeft", "Move earlier", index > 0, () => move(tile, index - 1, "earlier"))}
            {tool("later", "arrowRight", "Move later", index < tiles.length - 1, () => move(tile, index + 1, "later"))}
            {tool("narrower", "narrower", "Make narrower", tile.w > 1, () => resize(tile, { w: tile.w - 1 }, "narrower"))}
            {tool("wider", "wider", "Make wider", tile.w < COLUMNS, () => resize(tile, { w: tile.w + 1 }, "wider"))}
            {tool("shorter", "shorter", "Make shorter", tile.h > 1, () => resize(tile, { h: tile.h - 1 }, "shorter"))}
            {tool("taller", "taller", "Make taller", tile.h < MAX_ROWS, () => resize(tile, { h: tile.h + 1 }, "taller"))}
            {tool("hide", "hide", "Hide", true, () => hide(tile))}
          </span>
        </div>
        <span
          className="corner"
          onPointerDown={(event) =>
            stretch(event, {
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
