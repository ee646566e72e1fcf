import { lazy, Suspense, useEffect, useState } from "react";
import { useLiveContext } from "../api/useLive";
import { Boundary, Loading } from "../ui";
import type { Tile } from "./layout";
import { widgetOf, widgets } from "./registry";

const Arranging = lazy(() => import("./Arranging"));
const TOPICS = new Set(widgets.flatMap(({ topics = [] }) => topics));

interface BoardProps {
  tiles: readonly Tile[] | undefined;
  /** Present while the board is arranged. */
  arranging?: { isDefault: boolean; onArrange: (tiles: readonly Tile[]) => void; onReset: () => void; onDone: () => void } | undefined;
}

/** The home page's widgets, each failing alone. */
export function Board({ tiles, arranging }: BoardProps) {
  const { store } = useLiveContext();
  useEffect(() => {
    const ends = [...TOPICS].map((topic) => store.follow(topic));
    return () => ends.forEach((end) => end());
  }, [store]);
  // What a drag shows while the button is down; nothing of it is saved yet.
  const [draft, setDraft] = useState<readonly Tile[]>();
  if (!tiles) return <Loading what="your dashboard" lines={6} />;
  const shown = draft ?? tiles;
  const grid = (tools?: (tile: Tile, index: number) => React.ReactNode) => (
    <div className={`board${tools ? " arranging" : ""}`}>
      {shown.map((tile, index) => (
        <BoardTile key={tile.widget} tile={tile} tools={tools?.(tile, index)} />
      ))}
    </div>
  );
  if (!arranging) return grid();
  return (
    <Suspense fallback={grid()}>
      <Arranging {...arranging} tiles={shown} onDraft={setDraft}>
        {grid}
      </Arranging>
    </Suspense>
  );
}

function BoardTile({ tile, tools }: { tile: Tile; tools: React.ReactNode }) {
  const widget = widgetOf(tile.widget);
  if (!widget) return null;
  const { id, title, scrolls, component: Component } = widget;
  return (
    <div className={`tile w${tile.w} h${tile.h}${scrolls ? " fixed" : ""}`} style={{ "--h": tile.h } as React.CSSProperties} data-tile={id}>
      {tools}
      <div className="tile-body" inert={tools !== undefined}>
        <Boundary title={title}>
          <Component />
        </Boundary>
      </div>
    </div>
  );
}
