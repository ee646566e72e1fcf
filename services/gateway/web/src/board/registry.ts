import type { ComponentType } from "react";
import type { TopicName } from "../api/types";
import type { Known } from "./layout";

/** A section of the home page; a file in `widgets/` that exports one by default is shown without further edits. */
export interface Widget {
  /** As the server's layout names it. */
  id: string;
  title: string;
  /** Where the user's layout does not place it, lower comes first. */
  order: number;
  /** Columns of four on a wide screen. */
  w: 1 | 2 | 3 | 4;
  /** Rows; it grows with its content, unless it `scrolls`. */
  h: 1 | 2 | 3 | 4;
  scrolls?: boolean;
  /** The state topics it reads, so that all widgets' are asked for at once. */
  topics?: readonly TopicName[];
  /** When it shows itself, if that is not always: said while the board is arranged. */
  appears?: string;
  component: ComponentType;
}

const modules = import.meta.glob<{ default: Widget }>("../widgets/*.tsx", { eager: true });

export const widgets: readonly Widget[] = Object.values(modules)
  .map((module) => module.default)
  .sort((a, b) => a.order - b.order || a.id.localeCompare(b.id));

export const known: readonly Known[] = widgets.map(({ id, order, w, h }) => ({ widget: id, order, w, h }));

const byId = new Map(widgets.map((widget) => [widget.id, widget]));

export function widgetOf(id: string): Widget | undefined {
  return byId.get(id);
}
