import { useMemo, useRef } from "react";
import type { ActiveItem, DownloadStatus, QueuedItem, QueueTopic } from "../../api/types";
import { useTopic } from "../../api/useLive";
import { fileName } from "../../format";
import type { Installation } from "./asked";

/** A file on its way. */
export interface InFlight extends Partial<Omit<ActiveItem & QueuedItem, "status">> {
  status: DownloadStatus;
}

export type Flying = (path: string) => InFlight | undefined;

/** The downloads that bring files now, by path; one that waits is known by its file's name. */
export function inFlight(queue: QueueTopic | undefined): Flying {
  const byPath = new Map<string, InFlight>();
  const byName = new Map<string, InFlight>();
  for (const item of Object.values(queue?.queue ?? {})) if (!item.preset_id) byName.set(item.name, item);
  for (const item of Object.values(queue?.active ?? {})) {
    if (item.file?.path) byPath.set(item.file.path, item);
    if (!item.preset_id) byName.set(item.name, item);
  }
  return (path) => byPath.get(path) ?? byName.get(fileName(path));
}

/**
 * The files that are on their way, also those that were asked for a moment ago: between two states of the queue, and
 * between a download's end and the file's being found, they are neither in the queue nor there.
 */
export function useFlying(asked?: Installation): Flying {
  const queue = useTopic("queue")?.data;
  const seen = useRef(new Set<string>());
  return useMemo(() => {
    const now = inFlight(queue);
    for (const id of [...Object.keys(queue?.active ?? {}), ...Object.keys(queue?.queue ?? {})]) seen.current.add(id);
    return (path) => now(path) ?? betweenTimes(path, asked, queue, seen.current);
  }, [queue, asked]);
}

function betweenTimes(path: string, asked: Installation | undefined, queue: QueueTopic | undefined, seen: ReadonlySet<string>): InFlight | undefined {
  // A name without extension is fetched with one.
  const one = asked?.queued.find((file) => file.path === path || file.path.startsWith(`${path}.`));
  const id = one?.download_id;
  if (!id) return undefined;
  const end = queue?.completed[id];
  if (end?.status === "completed") return { status: "verifying", progress: 100 };
  return end || seen.has(id) ? undefined : { status: "queued" };
}
