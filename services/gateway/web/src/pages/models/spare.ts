import type { ModelFile } from "./data";

/** The copies that can go while one of each content stays: what something needs stays, else what is named shortest. */
export function spareCopies(files: readonly ModelFile[]): ModelFile[] {
  const groups = new Map<string, ModelFile[]>();
  for (const file of files) {
    if (!file.sha256 || !file.duplicates?.length) continue;
    groups.set(file.sha256, [...(groups.get(file.sha256) ?? []), file]);
  }
  return [...groups.values()].flatMap((group) => {
    const [kept] = group.toSorted((a, b) => b.needed_by.length - a.needed_by.length || Number(b.restorable) - Number(a.restorable) || a.path.length - b.path.length || (a.path < b.path ? -1 : 1));
    return group.filter((file) => file !== kept && file.needed_by.length === 0);
  });
}
