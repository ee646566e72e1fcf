import { createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore } from "react";
import type { Status } from "./feed";
import type { Connection, Held, LiveState, LiveStore } from "./live";
import type { Preset, TopicName, Topics } from "./types";

export interface LiveContextValue {
  store: LiveStore;
  connection: Connection;
}

export const LiveContext = createContext<LiveContextValue | null>(null);

export function useLiveContext(): LiveContextValue {
  const value = useContext(LiveContext);
  if (!value) throw new Error("useLive must be used inside LiveContext");
  return value;
}

/** A part of the live state; renders again only when `select` returns another object. */
export function useLive<T>(select: (state: LiveState) => T): T {
  const { store } = useLiveContext();
  return useSyncExternalStore(store.subscribe, () => select(store.view()));
}

/** The present state of a topic, which is followed while this is rendered; undefined until it has come. */
export function useTopic<K extends TopicName>(name: K): Held<Topics[K]> | undefined {
  const { store } = useLiveContext();
  useEffect(() => store.follow(name), [store, name]);
  return useLive((state) => state.topics[name] as Held<Topics[K]> | undefined);
}

export function usePreset(id: string): Preset | undefined {
  return useLive((state) => state.topics.presets?.data.presets[id]);
}

/** An outage shorter than this is a reconnection that nobody needs to hear of. */
const GRACE_MS = 2_000;

/** The connection's phase, and whether it has been away long enough to say so. */
export function useConnection(): Status & { trouble: boolean } {
  const { phase, since, behind } = useLive((state) => state.status);
  const [elapsed, setElapsed] = useState(0);
  const away = phase === "connecting" || phase === "stale";
  useEffect(() => {
    setElapsed(0);
    if (!away) return;
    const timer = setTimeout(() => setElapsed(since), Math.max(0, since + GRACE_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [away, since]);
  return { phase, since, ...(behind ? { behind } : {}), trouble: away && elapsed === since };
}

/** The present time, renewed every `intervalMs`; for relative times. */
export function useNow(intervalMs: number): number {
  const [now, setNow] = useState(Date.now);
  const tick = useCallback(() => setNow(Date.now()), []);
  useEffect(() => {
    const timer = setInterval(tick, intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs, tick]);
  return now;
}
