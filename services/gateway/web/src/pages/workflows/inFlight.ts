import { useMemo } from "react";
import type { ActiveItem, QueuedItem, QueueTopic } from "../../api/types";
import { useTopic } from "../../api/useLive";
import { fileName } from "../../format";

export type InFlight = (ActiveItem | QueuedItem) & { progress?: number | null };

/** The downloads that bring files now, by path; one that waits is known by its file's name. */
export function inFlight(queue: QueueTopic | undefined): (path: string) => InFlight | undefined {
  const byPath = new Map<string, InFlight>();
  const byName = new Map<string, InFlight>();
  for (const item of Object.values(queue?.queue ?? {})) if (!item.preset_id) byName.set(item.name, item);
  for (const item of Object.values(queue?.active ?? {})) {
    if (item.file?.path) byPath.set(item.file.path, item);
    if (!item.preset_id) byName.set(item.name, item);
  }
  return (path) => byPath.get(path) ?? byName.get(fileName(path));
}

export function useInFlight(): (path: string) => InFlight | undefined {
  const queue = useTopic("queue")?.data;
  return useMemo(() => inFlight(queue), [queue]);
}
