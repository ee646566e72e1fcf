import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { marks, placeAt, statesAt } from "./moments";

/** The boards as they were at a position; the ones before stay, marked, until these have come. */
export function usePast(at: number, enabled = true) {
  return useQuery({
    queryKey: ["state", "at", at],
    queryFn: () => statesAt(at),
    enabled,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
  });
}

/** What stands at a position of the log, and when that was. */
export function usePlace(at: number) {
  return useQuery({ queryKey: ["log", "place", at], queryFn: () => placeAt(at), placeholderData: keepPreviousData, staleTime: Infinity, retry: 1 });
}

/** The events that were told, to be found on the line of time. */
export function useMarks() {
  return useQuery({ queryKey: ["log", "marks"], queryFn: marks, retry: 1, staleTime: 30_000 });
}
