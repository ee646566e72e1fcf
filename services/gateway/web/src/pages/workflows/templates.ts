import type { components } from "../../api/schema";

type Stated = components["schemas"];
export type Template = Stated["Template"];
export type Reference = Stated["Reference"];
export type Scan = Stated["Scan"];

export type Filter = "all" | "ready" | "missing" | "warnings";
export type Sort = "name" | "nearly" | "most" | "newest";

/** Read in part or not at all: more may be needed than is listed. */
export function isIncomplete({ complete, format }: Pick<Scan, "complete" | "format">): boolean {
  return !complete || format === "unreadable";
}

/** It names files by nodes that are in no table, so nobody knows where these belong. */
export function isUnchecked({ warnings }: Pick<Scan, "warnings">): boolean {
  return warnings.some(({ code }) => code === "unknown_loader");
}

const FITS: Record<Filter, (template: Template) => boolean> = {
  all: () => true,
  ready: ({ compatible }) => compatible,
  missing: ({ missing_count }) => missing_count > 0,
  warnings: (template) => template.warnings.length > 0 || isIncomplete(template),
};

/** One file that a workflow names, however many of its nodes name it. */
export interface Needed
  extends Pick<Reference, "path" | "directory" | "filename" | "status" | "active" | "form" | "url" | "found_at" | "candidates"> {
  uses: { node_type: string; input_name: string; active: boolean }[];
}

const byText = new Intl.Collator("en", { numeric: true }).compare;
const ORDER = ["missing", "ambiguous", "present_elsewhere", "present"] as const;

/** The files of a workflow, each once: what stands in its way first, files of nodes that do not run last. */
export function needed(references: readonly Reference[]): Needed[] {
  const byPath = new Map<string, Needed>();
  for (const { node_type, input_name, ...reference } of references) {
    const file = byPath.get(reference.path) ?? { ...reference, active: false, uses: [] };
    file.uses.push({ node_type, input_name, active: reference.active });
    file.active ||= reference.active;
    byPath.set(reference.path, file);
  }
  const place = (file: Needed) => (file.active ? 0 : ORDER.length) + ORDER.indexOf(file.status);
  return [...byPath.values()].sort((a, b) => place(a) - place(b) || byText(a.path, b.path));
}

/** The files that a workflow cannot run without and that ComfyUI would not find, each once. */
export function missingFiles({ missing_models }: Pick<Scan, "missing_models">): string[] {
  return [...new Set(missing_models.map(({ path }) => path))];
}

export interface Wanted {
  text: string;
  filter: Filter;
  sort: Sort;
}

const haystacks = new WeakMap<Template, string>();

function haystack(template: Template): string {
  let text = haystacks.get(template);
  if (text === undefined) {
    text = [template.id, template.name, ...template.references.map(({ filename }) => filename)].join("\n").toLowerCase();
    haystacks.set(template, text);
  }
  return text;
}

/** What is nearly ready first; what is ready needs nothing any more, and what was not read whole cannot be judged. */
function distance(template: Template): number {
  if (template.missing_count > 0) return missingFiles(template).length;
  return template.compatible ? 1_000_000 : 2_000_000;
}

const byId = (a: Template, b: Template) => byText(a.path, b.path);
const SORTS: Record<Sort, (a: Template, b: Template) => number> = {
  name: byId,
  nearly: (a, b) => distance(a) - distance(b) || byId(a, b),
  most: (a, b) => missingFiles(b).length - missingFiles(a).length || byId(a, b),
  newest: (a, b) => b.modified_at.localeCompare(a.modified_at) || byId(a, b),
};

export interface Group {
  /** The root's name and the folders below it. */
  folder: string;
  templates: Template[];
}

function folderOf({ id }: Template): string {
  return id.slice(0, Math.max(0, id.lastIndexOf("/")));
}

/**
 * The templates that fit, by their folder; each word of the text has to be in its name or in one of its files. Small roots
 * come first: a person's own workflows shall not lie below a library of hundreds.
 */
export function grouped(all: readonly Template[], { text, filter, sort }: Wanted): Group[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map<string, Template[]>();
  const sizes = new Map<string, number>();
  for (const template of all) {
    sizes.set(template.root, (sizes.get(template.root) ?? 0) + 1);
    if (!FITS[filter](template) || !words.every((word) => haystack(template).includes(word))) continue;
    const folder = folderOf(template);
    const group = groups.get(folder);
    if (group) group.push(template);
    else groups.set(folder, [template]);
  }
  const size = ([{ root = "" } = {}]: readonly Partial<Template>[]) => sizes.get(root) ?? 0;
  return [...groups]
    .sort(([a, inA], [b, inB]) => size(inA) - size(inB) || byText(a, b))
    .map(([folder, templates]) => ({ folder, templates: templates.sort(SORTS[sort]) }));
}

export function counted(all: readonly Template[]): Record<Filter, number> {
  const count = (filter: Filter) => all.filter(FITS[filter]).length;
  return { all: all.length, ready: count("ready"), missing: count("missing"), warnings: count("warnings") };
}

/** 1 file, 3 files */
export function files(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}
