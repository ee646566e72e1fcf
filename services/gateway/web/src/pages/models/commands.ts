import { answer, api, ApiError } from "../../api/client";
import type { Command } from "../../api/commands";
import type { Edit } from "../../api/live";
import type { components } from "../../api/schema";
import type { Preset } from "../../api/types";
import { bytes, fileName } from "../../format";
import { notify } from "../../toasts";
import type { NeededBy } from "./data";

type Stated = components["schemas"];

/** A file as far as deleting it needs to know. */
export interface Doomed {
  path: string;
  size_bytes?: number | null | undefined;
  /** Undefined while nobody has looked. */
  needed_by?: readonly NeededBy[] | undefined;
  restorable?: boolean | undefined;
  /** Other paths with the same content. */
  duplicates?: readonly string[] | null | undefined;
}

export type Deleted = Stated["ModelDeleted"];

/** The server's refusal because something needs the file; it says who. */
export class NeededError extends Error {
  override name = "NeededError";
  constructor(
    message: string,
    readonly neededBy: readonly NeededBy[],
  ) {
    super(message);
  }
}

/** Delete one file; without `force` only when nothing needs it. Throws NeededError or ApiError. */
export async function deleteFile(path: string, force: boolean): Promise<Deleted> {
  let neededBy: readonly NeededBy[] | undefined;
  const asked = api.DELETE("/api/v1/models/{path}", { params: { path: { path }, query: { force } } }).then((got) => {
    const { error } = got;
    if (got.response.status === 409 && error && "needed_by" in error) neededBy = error.needed_by as NeededBy[];
    return got;
  });
  try {
    return await answer(asked);
  } catch (error) {
    if (error instanceof ApiError && neededBy) throw new NeededError(error.message, neededBy);
    throw error;
  }
}

export function restore(path: string): Promise<Stated["Restored"]> {
  return answer(api.POST("/api/v1/models/{path}/restore", { params: { path: { path } } }));
}

/** Have deleted files again: the same bytes, fetched and verified. */
export function restoring(paths: readonly string[]): Command {
  const what = paths.length === 1 ? fileName(paths[0] ?? "") : `${paths.length} files`;
  return {
    refusal: `Could not restore ${what}`,
    send: async () => {
      for (const path of paths) await restore(path);
    },
    done: () => ({ type: "success", title: `${what} on the way back`, message: "Queued again; the same bytes are fetched and verified." }),
  };
}

/** Say what was deleted, and offer to take it back where that is possible. */
export function tellDeleted(deleted: readonly Deleted[], run: (command: Command) => void): void {
  if (deleted.length === 0) return;
  const freed = deleted.reduce((sum, file) => sum + file.freed_bytes, 0);
  const restorable = deleted.filter((file) => file.restorable).map(({ path }) => path);
  const title = deleted.length === 1 ? `${fileName(deleted[0]?.path ?? "")} deleted` : `${deleted.length} files deleted`;
  notify({
    type: "success",
    title,
    message: freed > 0 ? `${bytes(freed)} freed.` : "The content has another name, so no space was freed.",
    ...(restorable.length > 0 ? { action: { label: restorable.length < deleted.length ? `Undo ${restorable.length} of ${deleted.length}` : "Undo", run: () => run(restoring(restorable)) } } : {}),
  });
}

/** Keep `from`, and let `path` be a further name of it: the copy goes first, since a name cannot be had twice. */
export function linkCopy(path: string, from: string): Command {
  return {
    refusal: `Could not link ${fileName(path)}`,
    send: async () => {
      const gone = await deleteFile(path, true);
      try {
        await answer(api.POST("/api/v1/models/{path}/link", { params: { path: { path } }, body: { from_path: from } }));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        throw new ApiError(error.status, error.code, `${error.message} The copy is deleted; the same bytes are still at ${from}.`);
      }
      return gone;
    },
    done: (outcome) => ({
      type: "success",
      title: "Stored once",
      message: `${fileName(path)} is a second name of ${from} now; ${bytes((outcome as Deleted).freed_bytes)} freed.`,
    }),
  };
}

export function uninstall(preset: Preset): Command {
  return {
    refusal: `Could not uninstall ${preset.name}`,
    send: () => answer(api.DELETE("/api/v1/presets/{preset_id}", { params: { path: { preset_id: preset.id } } })),
    done: (outcome) => {
      const { deleted, kept, freed_bytes } = outcome as Stated["Uninstalled"];
      const shared = kept.length > 0 ? ` ${kept.length} ${kept.length === 1 ? "file stays" : "files stay"}: something else needs ${kept.length === 1 ? "it" : "them"}.` : "";
      return { type: "success", title: `${preset.name} uninstalled`, message: `${deleted.length} deleted, ${bytes(freed_bytes)} freed.${shared}` };
    },
  };
}

export function configure(settings: { max_concurrent?: number; bandwidth_limit?: string | number | null }): Command {
  const edits: Edit[] = settings.max_concurrent === undefined ? [] : [{ topic: "queue", path: [], patch: { max_concurrent: settings.max_concurrent } }];
  return {
    refusal: "Could not change the limits",
    send: () => answer(api.PATCH("/api/v1/downloads/settings", { body: settings })),
    edits,
  };
}
