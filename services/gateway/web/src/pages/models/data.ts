import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { answer, api } from "../../api/client";
import type { components } from "../../api/schema";
import { useTopic } from "../../api/useLive";

type Stated = components["schemas"];
export type Repository = Stated["ModelRepository"];
export type Variant = Stated["ModelVariant"];
export type Metadata = Stated["RepositoryMetadata"];
export type ModelFile = Stated["ModelFile"];
export type StorageReport = Stated["StorageReport"];
export type NeededBy = Stated["NeededBy"];
export type Featured = Stated["FeaturedModel"];
export type Preview = Stated["Preview"];
export type Plan = Stated["Plan"];
export type NewDownload = Stated["NewDownload"];

/** What was read is good for so long; what the stream tells of changes makes it old at once. */
const FRESH_MS = 600_000;
/** Of changes that come in bursts, such as a survey of a folder. */
const SETTLE_MS = 1_500;

const STORAGE = ["storage"] as const;
const REPOSITORIES = ["modelfiles"] as const;

export function useStorage(): UseQueryResult<StorageReport> {
  return useQuery({ queryKey: STORAGE, queryFn: () => answer(api.GET("/api/v1/storage")), staleTime: FRESH_MS });
}

export function useRepositories(): UseQueryResult<Stated["ModelFiles"]> {
  return useQuery({ queryKey: REPOSITORIES, queryFn: () => answer(api.GET("/api/v1/modelfiles")), staleTime: FRESH_MS });
}

export function useDetails(repo: string): UseQueryResult<Stated["NamedMetadata"]> {
  return useQuery({
    queryKey: ["metadata", repo],
    queryFn: () => answer(api.GET("/api/v1/modelfiles/{repo}/metadata", { params: { path: { repo } } })),
    staleTime: FRESH_MS,
    retry: false,
  });
}

/** The hub's answer about a repository, page or file link; asked for only once `text` is there. */
export function usePreview(text: string | undefined): UseQueryResult<Preview> {
  return useQuery({
    queryKey: ["hub", text],
    queryFn: () => answer(api.GET("/api/v1/hub/{text}", { params: { path: { text: text ?? "" } } })),
    enabled: text !== undefined,
    staleTime: 60_000,
    retry: false,
  });
}

/** What fetching these files would need, or nothing while there is nothing to fetch. */
export function usePlan(files: readonly NewDownload[]): UseQueryResult<Plan> {
  return useQuery({
    queryKey: ["plan", files],
    queryFn: () => answer(api.POST("/api/v1/downloads/plan", { body: { files: [...files] } })),
    enabled: files.length > 0,
    retry: false,
    gcTime: 0,
  });
}

/**
 * Have storage and repositories read again soon after files came or went: the numbers of the stream are small, the lists
 * are not.
 */
export function useFreshness(): void {
  const queries = useQueryClient();
  const stats = useTopic("stats")?.data;
  const queue = useTopic("queue")?.data;
  const sign = useMemo(() => {
    const downloads = [queue?.active, queue?.queue, queue?.completed].map((list) => Object.keys(list ?? {}).join());
    return JSON.stringify([stats?.model_files, stats?.storage_used_bytes, downloads]);
  }, [stats, queue]);
  const last = useRef<string>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const known = stats !== undefined && queue !== undefined;
  useEffect(() => {
    if (!known || last.current === sign) return;
    const changed = last.current !== undefined;
    last.current = sign;
    if (!changed || timer.current !== undefined) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      for (const queryKey of [STORAGE, REPOSITORIES]) void queries.invalidateQueries({ queryKey });
    }, SETTLE_MS);
  }, [known, sign, queries]);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
}

export function useRefreshing(): () => void {
  const queries = useQueryClient();
  return () => {
    for (const queryKey of [STORAGE, REPOSITORIES]) void queries.invalidateQueries({ queryKey });
  };
}
