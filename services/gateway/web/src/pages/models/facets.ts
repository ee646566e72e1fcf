/**
 * Filters of a list: several values of one kind mean "any of them", several kinds mean "all of them". Pure; the
 * lists differ in what they offer under each kind.
 */
export const KINDS = ["families", "folders", "sizes", "statuses"] as const;
export type Kind = (typeof KINDS)[number];

export interface Facet<T> {
  kind: Kind;
  label: string;
  /** The values that a thing has; none when nothing is known of it. */
  of: (item: T) => readonly string[];
  /** How a value is called, if not by itself. */
  names?: Readonly<Record<string, string>>;
}

export interface Order<T> {
  key: string;
  label: string;
  compare: (a: T, b: T) => number;
}

export interface Chosen extends Record<Kind, readonly string[]> {
  text: string;
  sort: string;
  descending: boolean;
}

export const NOTHING: Chosen = { text: "", families: [], folders: [], sizes: [], statuses: [], sort: "", descending: false };

/** What a list is searched, filtered and sorted by. */
export interface Listing<T> {
  facets: readonly Facet<T>[];
  orders: readonly [Order<T>, ...Order<T>[]];
  /** All that the search looks through. */
  words: (item: T) => string;
}

export function isFiltered(chosen: Chosen): boolean {
  return chosen.text.trim() !== "" || KINDS.some((kind) => chosen[kind].length > 0);
}

/** All things in the chosen order; by the list's first order where none, or an unknown one, was chosen. */
export function sorted<T>(items: readonly T[], { sort, descending }: Chosen, { orders }: Listing<T>): T[] {
  const { compare } = orders.find(({ key }) => key === sort) ?? orders[0];
  return items.toSorted(descending ? (a, b) => compare(b, a) : compare);
}

/** Those that fit: every word is found, and of each kind any chosen value. */
export function fitting<T>(items: readonly T[], chosen: Chosen, { facets, words }: Listing<T>): T[] {
  const wanted = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
  const asked = facets.filter(({ kind }) => chosen[kind].length > 0).map(({ kind, of }) => ({ of, any: new Set(chosen[kind]) }));
  return items.filter((item) => {
    if (!asked.every(({ of, any }) => of(item).some((value) => any.has(value)))) return false;
    if (wanted.length === 0) return true;
    const text = words(item).toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

export interface Option {
  value: string;
  name: string;
  count: number;
}

/** The values that there are of a facet, with how many have each; chosen ones also when nothing has them (any more). */
export function options<T>(items: readonly T[], { of, names, kind }: Facet<T>, chosen: Chosen): Option[] {
  const counts = new Map<string, number>(chosen[kind].map((value) => [value, 0]));
  for (const item of items) for (const value of of(item)) counts.set(value, (counts.get(value) ?? 0) + 1);
  const rank = names ? Object.keys(names) : [];
  return [...counts]
    .map(([value, count]) => ({ value, count, name: names?.[value] ?? value }))
    .sort((a, b) => rank.indexOf(a.value) - rank.indexOf(b.value) || byText(a.name, b.name));
}

export const byText = new Intl.Collator("en", { numeric: true }).compare;

const GB = 1e9;
const CLASSES = [["XS", 1], ["S", 4], ["M", 12], ["L", 40]] as const;

/** The classes in which the server puts featured models too. */
export const SIZE_NAMES = { XS: "XS · under 1 GB", S: "S · 1 to 4 GB", M: "M · 4 to 12 GB", L: "L · 12 to 40 GB", XL: "XL · 40 GB and more" };

export function sizeClass(size: number | null | undefined): string[] {
  if (size == null) return [];
  return [CLASSES.find(([, below]) => size < below * GB)?.[0] ?? "XL"];
}
