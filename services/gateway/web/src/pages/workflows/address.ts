import { navigate, useQueryString } from "../../router";
import type { Filter, Sort } from "./templates";

const FILTERS: readonly Filter[] = ["all", "ready", "missing", "warnings"];
const SORTS: readonly Sort[] = ["name", "nearly", "most", "newest"];

/** What the page's address says: which templates are shown, in which order, and which one is open. */
export interface Place {
  filter: Filter;
  sort: Sort;
  template: string | null;
}

export function usePlace(): Place {
  const query = useQueryString();
  return {
    filter: FILTERS.find((filter) => filter === query.get("show")) ?? "all",
    sort: SORTS.find((sort) => sort === query.get("sort")) ?? "name",
    template: query.get("template"),
  };
}

/** Change some of it; only an opened template is a step that "back" takes back. */
export function go(change: Partial<Place>): void {
  const query = new URLSearchParams(location.search);
  const set = (name: string, value: string | null | undefined, standard: string | null) => {
    if (value === undefined) return;
    if (value === standard || value === null) query.delete(name);
    else query.set(name, value);
  };
  set("show", change.filter, "all");
  set("sort", change.sort, "name");
  set("template", change.template, null);
  navigate(`/workflows${query.size > 0 ? `?${query}` : ""}`, { replace: !change.template });
}
