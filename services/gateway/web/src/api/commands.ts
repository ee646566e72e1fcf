import { useMutation } from "@tanstack/react-query";
import { navigate } from "../router";
import { notify, type Toast } from "../toasts";
import { answer, api, ApiError } from "./client";
import type { Edit } from "./live";
import type { DownloadStatus, Preset, PresetStatus } from "./types";
import { useLiveContext } from "./useLive";

/** Something a person asks for: the request, what will visibly follow, and what to say. */
export interface Command {
  /** The beginning of the sentence when it is refused, e.g. "Could not pause Flux". */
  refusal: string;
  send: () => Promise<unknown>;
  edits?: readonly Edit[];
  done?: (outcome: unknown) => Omit<Toast, "id"> | undefined;
}

/** A download as the queue shows it; `preset_id` is absent for single files. */
export interface DownloadRef {
  download_id: string;
  preset_id?: string | null | undefined;
  name: string;
}

/**
 * Run commands: shown at once, taken back with the server's reason when refused. Commands of one scope are sent in the
 * order they were given.
 */
export function useCommand(scope = "queue"): { run: (command: Command) => void; pending: boolean } {
  const { store, connection } = useLiveContext();
  const { mutate, isPending } = useMutation({
    mutationFn: (command: Command) => command.send(),
    onMutate: (command) => store.expect(command.edits ?? []),
    onSuccess: (outcome, command, settle) => {
      settle(true);
      const toast = command.done?.(outcome);
      if (toast) notify(toast);
    },
    onError: (error, command, settle) => {
      settle?.(false);
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) connection.retry();
      notify({ type: "error", title: command.refusal, message: error.message });
    },
    scope: { id: scope },
    networkMode: "always",
  });
  return { run: mutate, pending: isPending };
}

/** A preset's download is steered by the preset, a single file's by its own id. */
function steer({ download_id, preset_id }: DownloadRef, verb: "pause" | "resume"): Promise<unknown> {
  return preset_id
    ? answer(api.POST(`/api/v1/presets/{preset_id}/${verb}`, { params: { path: { preset_id } } }))
    : answer(api.POST(`/api/v1/downloads/{download_id}/${verb}`, { params: { path: { download_id } } }));
}

function again({ download_id, preset_id }: DownloadRef, force: boolean): Promise<unknown> {
  const query = force ? { force } : {};
  return preset_id
    ? answer(api.POST("/api/v1/presets/{preset_id}/retry", { params: { path: { preset_id }, query } }))
    : answer(api.POST("/api/v1/downloads/{download_id}/retry", { params: { path: { download_id }, query } }));
}

function stop({ download_id, preset_id }: DownloadRef, keep_partial: boolean): Promise<unknown> {
  const query = { keep_partial };
  return preset_id
    ? answer(api.POST("/api/v1/presets/{preset_id}/cancel", { params: { path: { preset_id }, query } }))
    : answer(api.POST("/api/v1/downloads/{download_id}/cancel", { params: { path: { download_id }, query } }));
}

/** Edits that show the download, and its preset, in another status. */
function becomes(download: DownloadRef, status: DownloadStatus, presetStatus: PresetStatus = status): Edit[] {
  const edits: Edit[] = (["active", "queue"] as const).map((list) => ({
    topic: "queue",
    path: [list, download.download_id],
    patch: { status },
  }));
  return download.preset_id ? [...edits, presetBecomes(download.preset_id, presetStatus)] : edits;
}

function presetBecomes(id: string, status: PresetStatus): Edit {
  return { topic: "presets", path: ["presets", id], patch: { status } };
}

const INSTALL_ANSWERS: Partial<Record<string, string>> = {
  installed: "It is installed already.",
  downloading: "It is being downloaded already.",
  paused: "It is paused in the queue: resume it there.",
};

/** Offered, not done: who installs one preset after the other stays where he is; its card shows how it goes. */
const SHOW_QUEUE = { label: "Show queue", run: () => navigate("/models?filter=queue") };

export function install(preset: Preset): Command {
  return queued(preset, "install", "Added to the download queue.");
}

/** Bring what the catalog changed of an installed preset. */
export function update(preset: Preset): Command {
  return queued(preset, "update", "The update is in the download queue.");
}

function queued(preset: Preset, verb: string, message: string): Command {
  return {
    refusal: `Could not ${verb} ${preset.name}`,
    send: () => answer(api.POST("/api/v1/presets/{preset_id}/install", { params: { path: { preset_id: preset.id } } })),
    edits: [presetBecomes(preset.id, "queued")],
    done: (outcome) => {
      const known = INSTALL_ANSWERS[(outcome as { status: string }).status];
      return known
        ? { type: "info", title: preset.name, message: known }
        : { type: "success", title: preset.name, message, action: SHOW_QUEUE };
    },
  };
}

export function pause(download: DownloadRef): Command {
  return {
    refusal: `Could not pause ${download.name}`,
    send: () => steer(download, "pause"),
    edits: becomes(download, "paused"),
  };
}

export function resume(download: DownloadRef): Command {
  return {
    refusal: `Could not resume ${download.name}`,
    send: () => steer(download, "resume"),
    edits: becomes(download, "queued"),
  };
}

export function retry(download: DownloadRef): Command {
  return repeated(download, false, "Queued again.");
}

/** Fetch it again although another file has its place: that one goes once the new one is whole. */
export function replace(download: DownloadRef): Command {
  return repeated(download, true, "Queued again; it replaces the file that is in its place.");
}

/** The code of a failure that `replace` overcomes. */
export const CONFLICT = "path_conflict";

function repeated(download: DownloadRef, force: boolean, message: string): Command {
  return {
    refusal: `Could not ${force ? "replace" : "retry"} ${download.name}`,
    send: () => again(download, force),
    edits: [
      { topic: "queue", path: ["completed", download.download_id], patch: null },
      ...(download.preset_id ? [presetBecomes(download.preset_id, "queued")] : []),
    ],
    done: () => ({ type: "success", title: download.name, message }),
  };
}

export function cancel(download: DownloadRef, keepPartial: boolean): Command {
  return {
    refusal: `Could not cancel ${download.name}`,
    send: () => stop(download, keepPartial),
    edits: [
      { topic: "queue", path: ["active", download.download_id], patch: null },
      { topic: "queue", path: ["queue", download.download_id], patch: null },
      ...(download.preset_id ? [presetBecomes(download.preset_id, "cancelled")] : []),
    ],
    done: () => ({
      type: "info",
      title: `${download.name} cancelled`,
      message: keepPartial ? "What was downloaded is kept for next time." : "What was downloaded is deleted.",
    }),
  };
}

/** Move within the waiting list; `order` is the list as shown, `to` the new index. */
export function move(download: DownloadRef, order: readonly DownloadRef[], to: number): Command {
  const rest = order.filter((other) => other.download_id !== download.download_id);
  const edits = rest.toSpliced(to, 0, download).map(
    ({ download_id }, index): Edit => ({ topic: "queue", path: ["queue", download_id], patch: { position: index + 1 } }),
  );
  return {
    refusal: `Could not move ${download.name}`,
    send: () =>
      answer(
        api.POST("/api/v1/downloads/{download_id}/move", {
          params: { path: { download_id: download.download_id } },
          body: { position: to + 1 },
        }),
      ),
    edits,
  };
}

export function pauseQueue(paused: boolean): Command {
  return {
    refusal: paused ? "Could not pause the queue" : "Could not resume the queue",
    send: () => answer(api.PATCH("/api/v1/downloads/settings", { body: { paused } })),
    edits: [{ topic: "queue", path: [], patch: { paused } }],
  };
}

export function refreshPresets(): Command {
  return {
    refusal: "Could not refresh the catalog",
    send: () => answer(api.POST("/api/v1/presets/refresh")),
    done: (outcome) => {
      const { total_presets, version } = outcome as { total_presets: number; version?: string };
      const of = version ? ` of version ${version}` : "";
      return { type: "success", title: "Catalog refreshed", message: `${total_presets} presets${of}.` };
    },
  };
}

/** Hide from this person's feed what happened up to now; `after` is called whenever the feed has to be read again. */
export function clearActivity(after: () => void, showAgain: () => void): Command {
  return {
    refusal: "Could not clear the activity",
    send: () => answer(api.DELETE("/api/v1/activity/clear")),
    done: () => {
      after();
      return { type: "success", title: "Activity cleared", message: "Hidden for you only; the log keeps it.", action: { label: "Show it again", run: showAgain } };
    },
  };
}

/** Show again what was cleared. */
export function restoreActivity(after: () => void): Command {
  return {
    refusal: "Could not show the activity again",
    send: () => answer(api.POST("/api/v1/activity/restore")),
    done: () => {
      after();
      return undefined;
    },
  };
}
