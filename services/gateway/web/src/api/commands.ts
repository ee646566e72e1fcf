import { useMutation } from "@tanstack/react-query";
import { notify, type Toast } from "../toasts";
import { ApiError, call, segment } from "./client";
import type { Edit } from "./live";
import type { DownloadStatus, Preset, PresetStatus } from "./types";
import { useLiveContext } from "./useLive";

/** Something a person asks for: the request, what will visibly follow, and what to say. */
export interface Command {
  /** The beginning of the sentence when it is refused, e.g. "Could not pause Flux". */
  refusal: string;
  send: () => Promise<unknown>;
  edits?: readonly Edit[];
  done?: (answer: unknown) => Omit<Toast, "id"> | undefined;
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
    onSuccess: (answer, command, settle) => {
      settle(true);
      const toast = command.done?.(answer);
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

function presetPath(id: string, verb: string): string {
  return `/presets/${segment(id)}/${verb}`;
}

function downloadPath({ download_id, preset_id }: DownloadRef, verb: string): string {
  return preset_id ? presetPath(preset_id, verb) : `/downloads/${segment(download_id)}/${verb}`;
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

export function install(preset: Preset): Command {
  return {
    refusal: `Could not install ${preset.name}`,
    send: () => call("POST", presetPath(preset.id, "install")),
    edits: [presetBecomes(preset.id, "queued")],
    done: (answer) => {
      const message = INSTALL_ANSWERS[(answer as { status: string }).status];
      return message
        ? { type: "info", title: preset.name, message }
        : { type: "success", title: preset.name, message: "Added to the download queue." };
    },
  };
}

export function pause(download: DownloadRef): Command {
  return {
    refusal: `Could not pause ${download.name}`,
    send: () => call("POST", downloadPath(download, "pause")),
    edits: becomes(download, "paused"),
  };
}

export function resume(download: DownloadRef): Command {
  return {
    refusal: `Could not resume ${download.name}`,
    send: () => call("POST", downloadPath(download, "resume")),
    edits: becomes(download, "queued"),
  };
}

export function retry(download: DownloadRef): Command {
  return {
    refusal: `Could not retry ${download.name}`,
    send: () => call("POST", downloadPath(download, "retry")),
    edits: [
      { topic: "queue", path: ["completed", download.download_id], patch: null },
      ...(download.preset_id ? [presetBecomes(download.preset_id, "queued")] : []),
    ],
    done: () => ({ type: "success", title: download.name, message: "Queued again." }),
  };
}

export function cancel(download: DownloadRef, keepPartial: boolean): Command {
  return {
    refusal: `Could not cancel ${download.name}`,
    send: () => call("POST", downloadPath(download, "cancel"), { query: { keep_partial: keepPartial } }),
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
    send: () => call("POST", `/downloads/${segment(download.download_id)}/move`, { body: { position: to + 1 } }),
    edits,
  };
}

export function pauseQueue(paused: boolean): Command {
  return {
    refusal: paused ? "Could not pause the queue" : "Could not resume the queue",
    send: () => call("PATCH", "/downloads/settings", { body: { paused } }),
    edits: [{ topic: "queue", path: [], patch: { paused } }],
  };
}

export function refreshPresets(): Command {
  return {
    refusal: "Could not refresh the catalog",
    send: () => call("POST", "/presets/refresh"),
    done: (answer) => {
      const { total_presets, version } = answer as { total_presets: number; version?: string };
      const of = version ? ` of version ${version}` : "";
      return { type: "success", title: "Catalog refreshed", message: `${total_presets} presets${of}.` };
    },
  };
}

export function clearActivity(after: () => void): Command {
  return {
    refusal: "Could not clear the activity",
    send: () => call("DELETE", "/activity/clear"),
    done: () => {
      after();
      return undefined;
    },
  };
}
