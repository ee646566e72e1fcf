import type { ComponentType } from "react";

/** A section of the home page; a file in `widgets/` that exports one by default is shown without further edits. */
export interface Widget {
  id: string;
  title: string;
  /** Lower comes first; also the reading order. */
  order: number;
  /** Columns of four on a wide screen. */
  w: 1 | 2 | 3 | 4;
  component: ComponentType;
}

const modules = import.meta.glob<{ default: Widget }>("../widgets/*.tsx", { eager: true });

export const widgets: readonly Widget[] = Object.values(modules)
  .map((module) => module.default)
  .sort((a, b) => a.order - b.order || a.id.localeCompare(b.id));
