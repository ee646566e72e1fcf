import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTopic } from "../api/useLive";

const KEY = ["board", "fresh"] as const;
/** The person's own setting that hides the first steps for good. */
export const HIDDEN = "first_steps_hidden";
/** The board waits so long to hear it, and no longer: no source holds up the others. */
const PATIENCE_MS = 1_000;

/**
 * Whether nothing was there when this page was opened, and the person has not hidden the first steps; undefined until that
 * is known. It stays as it was found: what is installed meanwhile does not take the steps away under the pointer.
 */
export function useFresh(): boolean | undefined {
  const presets = useTopic("presets")?.data.presets;
  const stats = useTopic("stats")?.data;
  const queue = useTopic("queue")?.data;
  const settings = useTopic("user")?.data.settings;
  const queries = useQueryClient();
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  const empty =
    presets &&
    stats &&
    queue &&
    stats.model_files === 0 &&
    !Object.values(presets).some(({ installed }) => installed) &&
    [queue.active, queue.queue, queue.completed].every((items) => Object.keys(items).length === 0);
  const fresh = queries.getQueryData<boolean>(KEY) ?? (empty && !settings ? undefined : empty);
  useEffect(() => {
    if (fresh !== undefined) queries.setQueryData(KEY, fresh);
  }, [fresh, queries]);
  if (settings?.[HIDDEN] === true) return false;
  return fresh ?? (late ? false : undefined);
}
