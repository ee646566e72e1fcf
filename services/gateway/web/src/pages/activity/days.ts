import type { ActivityEntry } from "../../api/types";

/** The entries in which each word of the text is found, as the server looks for them. */
export function containing(entries: readonly ActivityEntry[], text: string): readonly ActivityEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entries;
  return entries.filter(({ title, subtitle, type, status, project_name }) => {
    const said = `${title} ${subtitle ?? ""} ${type} ${status ?? ""} ${project_name ?? ""}`.toLowerCase();
    return words.every((word) => said.includes(word));
  });
}

export interface Day {
  day: string;
  entries: ActivityEntry[];
}

/** Entries, newest first, by the day on which they happened where the reader is. */
export function byDay(entries: readonly ActivityEntry[], now: number): Day[] {
  const days: Day[] = [];
  let last: string | undefined;
  for (const entry of entries) {
    const date = new Date(entry.timestamp);
    const key = date.toDateString();
    if (key !== last) days.push({ day: nameOf(date, now), entries: [] });
    last = key;
    days.at(-1)?.entries.push(entry);
  }
  return days;
}

function nameOf(date: Date, now: number): string {
  const key = date.toDateString();
  if (key === new Date(now).toDateString()) return "Today";
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  if (key === yesterday.toDateString()) return "Yesterday";
  return date.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}
