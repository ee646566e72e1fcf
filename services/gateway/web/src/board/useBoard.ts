import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { answer, api, ApiError } from "../api/client";
import type { components } from "../api/schema";
import { useLive, useTopic } from "../api/useLive";
import { notify } from "../toasts";
import { arranged, placed, toSave, type Arranged, type Tile } from "./layout";
import { known } from "./registry";

type Dashboard = components["schemas"]["UserDashboard"];

export const DASHBOARD_KEY = ["user", "dashboard"] as const;
/** Later than every moment: of a board that is shown and not saved yet. */
const UNSAVED = "9999";

/** The board as it was read or saved here, for the moment before the stream brings it and while it is being saved. */
function useOwnCopy() {
  const query = useQuery({
    queryKey: DASHBOARD_KEY,
    queryFn: () => answer(api.GET("/api/v1/user/dashboard")),
    staleTime: Infinity,
    retry: (count, error) => count < 1 && !(error instanceof ApiError && error.status === 401),
  });
  const live = useLive((state) => state.status.phase === "live");
  const { isError, refetch } = query;
  useEffect(() => {
    if (live && isError) void refetch();
  }, [live, isError, refetch]);
  return query;
}

/** The one that was saved later, whether here or in another browser; at the same moment the one that was `streamed`. */
export function later(own: Dashboard | undefined, streamed: Dashboard | undefined): Dashboard | undefined {
  if (!own || !streamed || own.user_id !== streamed.user_id) return streamed ?? own;
  return (own.updated_at ?? "") > (streamed.updated_at ?? "") ? own : streamed;
}

/** Widgets in their own order: what is shown while the user's board cannot be read. */
const FALLBACK: Arranged = { tiles: known.map(({ widget, w, h }) => ({ widget, w, h })), foreign: [] };

interface Board {
  /** Undefined until the user's board has come. */
  tiles: readonly Tile[] | undefined;
  isDefault: boolean;
  /** Shown at once, and taken back with the server's reason when it is refused; absent while his board is not known. */
  arrange: ((tiles: readonly Tile[]) => void) | undefined;
  reset: () => void;
}

/** The user's board: kept on the server, the same in all his browsers within a moment. */
export function useBoard(): Board {
  const { data, isError } = useOwnCopy();
  const streamed = useTopic("user")?.data.dashboard;
  const dashboard = later(data, streamed);
  const saving = useSaving(dashboard);
  const board = useMemo(() => (dashboard ? arranged(dashboard, known) : isError ? FALLBACK : undefined), [dashboard, isError]);
  return {
    tiles: board?.tiles,
    isDefault: dashboard?.is_default ?? true,
    arrange: dashboard && ((tiles) => saving({ tiles, foreign: board?.foreign ?? [] })),
    reset: () => saving(undefined),
  };
}

/** Save an arrangement, or with undefined the default one: one request at a time, the last wish wins. */
function useSaving(shown: Dashboard | undefined): (wanted: Arranged | undefined) => void {
  const queries = useQueryClient();
  const state = useRef<{ next?: { wanted: Arranged | undefined }; busy: boolean }>({ busy: false });

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
    state.current.next = { wanted };
    if (wanted && shown) {
      const layout = placed([...wanted.tiles, ...wanted.foreign]);
      const { widget_settings } = toSave(wanted, known, shown.widget_settings);
      const expected = { ...shown, layout, layout_json: layout, widget_settings, is_default: false, updated_at: UNSAVED };
      queries.setQueryData(DASHBOARD_KEY, expected);
    }
    if (state.current.busy) return;
    state.current.busy = true;
    void queries.cancelQueries({ queryKey: DASHBOARD_KEY }).then(() => send(shown));
  };
}
