import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { answer, api } from "./api/client";
import type { HostResources, ResourcesTopic } from "./api/types";
import { useLive } from "./api/useLive";

/** One moment of a host; what was not read is absent. `gpu` by its place in the list of devices. */
export interface Moment {
  at: number;
  cpu?: number | undefined;
  memory?: number | undefined;
  disk?: number | undefined;
  gpu: readonly { used_mb?: number | undefined; load?: number | undefined }[];
}

const HOUR_MS = 3_600_000;
const STEP_MS = 10_000;
const MB = 1024 * 1024;

interface Point {
  at: string;
  cpu_percent?: number;
  memory_percent?: number;
  disk_percent?: number;
  gpu?: { memory_used?: number; utilization?: number }[];
}

function momentOf({ at, cpu_percent, memory_percent, disk_percent, gpu = [] }: Point): Moment {
  return {
    at: Date.parse(at),
    cpu: cpu_percent,
    memory: memory_percent,
    disk: disk_percent,
    gpu: gpu.map(({ memory_used, utilization }) => ({ used_mb: memory_used, load: utilization })),
  };
}

function nowOf({ at, cpu_percent, memory, disk, gpu }: HostResources): Moment | undefined {
  if (!at) return undefined;
  return {
    at: Date.parse(at),
    cpu: cpu_percent ?? undefined,
    memory: memory?.percent,
    disk: disk?.percent ?? undefined,
    gpu: (gpu?.devices ?? []).map((device) => ({
      used_mb: device.memory_used_bytes == null ? undefined : device.memory_used_bytes / MB,
      load: device.utilization ?? undefined,
    })),
  };
}

/** The moments with a newer one, at most one in ten seconds and for one hour. */
export function extended(moments: readonly Moment[], next: Moment): readonly Moment[] {
  const last = moments.at(-1);
  if (last && next.at - last.at < STEP_MS - 500) return moments;
  return [...moments.filter(({ at }) => next.at - at <= HOUR_MS), next];
}

/** The last hour of every host: read once, and continued by what the stream brings. */
export function useHistory(resources: ResourcesTopic | undefined): Readonly<Record<string, readonly Moment[]>> {
  const live = useLive((state) => state.status.phase === "live");
  const since = useLive((state) => state.status.since);
  // After an outage it is read again: the stream brings only what is now.
  const read = useQuery({
    queryKey: ["resources", "history", live ? since : 0],
    queryFn: () => answer(api.GET("/api/v1/system/resources/history", { params: { query: { minutes: 60 } } })),
    enabled: live,
    staleTime: Infinity,
    placeholderData: (kept) => kept,
    retry: 1,
  });
  const before = useMemo(
    () => Object.fromEntries(Object.entries(read.data?.hosts ?? {}).map(([host, points]) => [host, (points as unknown as Point[]).map(momentOf)])),
    [read.data],
  );
  const kept = useRef<Record<string, readonly Moment[]>>({});
  const [shown, setShown] = useState<Readonly<Record<string, readonly Moment[]>>>({});
  useEffect(() => {
    kept.current = before;
    setShown(before);
  }, [before]);
  useEffect(() => {
    const next = { ...kept.current };
    let changed = false;
    for (const [host, state] of Object.entries(resources?.hosts ?? {})) {
      const moment = state.stale ? undefined : nowOf(state);
      if (!moment) continue;
      const moments = extended(next[host] ?? [], moment);
      changed ||= moments !== next[host];
      next[host] = moments;
    }
    if (!changed) return;
    kept.current = next;
    setShown(next);
  }, [resources]);
  return shown;
}
