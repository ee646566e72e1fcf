import { fileName } from "../../format";
import type { NewDownload, Repository, Variant } from "./data";

export const STATUS_NAMES = { downloaded: "Active", downloading: "Downloading", available: "Available" };

/** How the weights were shortened, as far as anybody says. */
export function precision({ quantization, metadata }: Variant): string | undefined {
  const shape = quantization ?? metadata.quantization;
  return shape?.method ?? metadata.dtype ?? (shape?.bits == null ? undefined : `${shape.bits} bits`);
}

/** How many files it comes in; 1 for most. */
export function partCount({ parts }: Pick<Variant, "parts">): number {
  return Math.max(1, parts?.length ?? 1);
}

/** What it is called: by its file, or by what all of its parts have in common. */
export function variantName(variant: Pick<Variant, "filename" | "parts">): string {
  return partCount(variant) > 1 ? variant.filename.replace(/-\d{5}-of-\d{5}(?=\.[^.]+$)/, "") : variant.filename;
}

/** The paths of all its files here: parts lie beside the first. */
export function pathsOf({ path, parts }: Pick<Variant, "path" | "parts">): string[] {
  if (!path) return [];
  const folder = path.slice(0, path.length - fileName(path).length);
  return parts && parts.length > 1 ? parts.map((part) => folder + fileName(part)) : [path];
}

/** What has to be asked for to have a variant; one that comes in several files is asked for by all of them, in order. */
export function toDownload({ repo, hub, revision }: Repository, { filename, url, path, parts, sha256, size_bytes }: Variant): NewDownload[] {
  if (hub === "civitai" && url && path) return [{ url, path, ...(sha256 ? { sha256 } : {}), ...(size_bytes ? { size_bytes } : {}) }];
  const at = revision ? { revision } : {};
  if (parts && parts.length > 1) return parts.map((name) => ({ repo, filename: name, ...at }));
  return [{ repo, filename, ...at, ...(path ? { path } : {}), ...(sha256 ? { sha256 } : {}), ...(size_bytes ? { size_bytes } : {}) }];
}

/** The page of a repository on its hub. */
export function hubPage({ metadata: { links } }: Pick<Repository, "metadata">): string | undefined {
  return links["huggingface"] ?? links["civitai"] ?? links["homepage"];
}

/** The page of one file on Hugging Face, where it is described; other hubs have a page for the whole alone. */
export function filePage({ hub }: Pick<Repository, "hub">, { url }: Pick<Variant, "url">): string | undefined {
  return hub === "huggingface" && url && /^https?:\/\//.test(url) ? url.replace("/resolve/", "/blob/") : undefined;
}

export type Column = "name" | "size" | "precision" | "status";

export interface Sorted {
  column: Column;
  descending: boolean;
}

const byText = new Intl.Collator("en", { numeric: true }).compare;
const RANK = { downloaded: 0, downloading: 1, available: 2 };

/** Variants in the order of one column; those of which the column is not known come last. */
export function ordered(variants: readonly Variant[], { column, descending }: Sorted): Variant[] {
  const way = descending ? -1 : 1;
  const bits = (variant: Variant) => variant.quantization?.bits ?? variant.metadata.quantization?.bits ?? undefined;
  return variants.toSorted((a, b) => {
    const name = byText(a.filename, b.filename);
    if (column === "name") return way * name;
    if (column === "status") return way * (RANK[a.status] - RANK[b.status]) || name;
    const [x, y] = column === "size" ? [a.size_bytes, b.size_bytes] : [bits(a), bits(b)];
    if (x == null || y == null) return Number(x == null) - Number(y == null) || name;
    return way * (x - y) || name;
  });
}
