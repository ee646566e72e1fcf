import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { answer, api, ApiError } from "../api/client";
import type { components } from "../api/schema";
import { useLive } from "../api/useLive";
import { notify } from "../toasts";
import { arranged, placed, toSave, type Arranged, type Tile } from "./layout";
import { known } from "./registry";

type Dashboard = components["schemas"]["UserDashboard"];

export const DASHBOARD_KEY = ["user", "dashboard"] as const;

export function useDashboard() {
  return useQuery({
    queryKey: DASHBOARD_KEY,
    queryFn: () => answer(api.GET("/api/v1/user/dashboard")),
    // Another browser of the same person may have arranged it meanwhile.
    refetchOnWindowFocus: "always",
    retry: (count, error) => count < 1 && !(error instanceof ApiError && error.status === 401),
  });
}

/** Widgets in their own order: what is shown while the user's board cannot be read. */
const FALLBACK: Arranged = { tiles: known.map(({ widget, w, h }) => ({ widget, w, h })), foreign: [] };

interface Board {
  /** Undefined until the user's board has come. */
  tiles: readonly Tile[] | undefined;
  isDefault: boolean;
  /** Shown at once, and taken back with the server's reason when it is refused. */
  arrange: (tiles: readonly Tile[]) => void;
  reset: () => void;
}

/** The user's board: kept on the server, the same in every tab at once. */
export function useBoard(): Board {
  const query = useDashboard();
  const live = useLive((state) => state.status.phase === "live");
  const { isError, refetch } = query;
  useEffect(() => {
    if (live && isError) void refetch();
  }, [live, isError, refetch]);
  const saving = useSaving();
  const board = useMemo(() => (query.data ? arranged(query.data, known) : query.isError ? FALLBACK : undefined), [query.data, query.isError]);
  return {
    tiles: board?.tiles,
    isDefault: query.data?.is_default ?? true,
    arrange: (tiles) => saving({ tiles, foreign: board?.foreign ?? [] }),
    reset: () => saving(undefined),
  };
}

/** Save an arrangement, or with undefined the default one: one request at a time, the last wish wins. */
function useSaving(): (wanted: Arranged | undefined) => void {
  const queries = useQueryClient();
  const channel = useRef<BroadcastChannel>(undefined);
  const state = useRef<{ next?: { wanted: Arranged | undefined }; busy: boolean }>({ busy: false });
  useEffect(() => {
    const opened = new BroadcastChannel("modeldeck.board");
    channel.current = opened;
    opened.onmessage = ({ data }: MessageEvent<Dashboard>) => {
      const own = queries.getQueryData<Dashboard>(DASHBOARD_KEY);
      if (!own || own.user_id === data.user_id) queries.setQueryData(DASHBOARD_KEY, data);
    };
    return () => opened.close();
  }, [queries]);

  const send = async (confirmed: Dashboard | undefined) => {
    const { current } = state;
    let last = confirmed;
    while (current.next) {
      const { wanted } = current.next;
      delete current.next;
      try {
        last = wanted
          ? await answer(api.PUT("/api/v1/user/dashboard", { body: toSave(wanted, known, last?.widget_settings) }))
          : await answer(api.DELETE("/api/v1/user/dashboard"));
        channel.current?.postMessage(last);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        delete current.next;
        notify({ type: "error", title: "The board could not be saved", message: error.message });
      }
    }
    current.busy = false;
    queries.setQueryData(DASHBOARD_KEY, last);
  };

  return (wanted) => {
    const before = queries.getQueryData<Dashboard>(DASHBOARD_KEY);
    state.current.next = { wanted };
    if (wanted && before) {
      const layout = placed([...wanted.tiles, ...wanted.foreign]);
      const { widget_settings } = toSave(wanted, known, before.widget_settings);
      queries.setQueryData(DASHBOARD_KEY, { ...before, layout, layout_json: layout, widget_settings, is_default: false });
    }
    if (state.current.busy) return;
    state.current.busy = true;
    void queries.cancelQueries({ queryKey: DASHBOARD_KEY }).then(() => send(before));
  };
}
