import { useMutation } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { answer, api, ApiError } from "../../api/client";
import { useLiveContext } from "../../api/useLive";
import { bytes } from "../../format";
import { notify } from "../../toasts";
import { useRefreshing, type NewDownload, type Plan } from "./data";

/** Shows the queue: a person who starts a download wants to see it run. */
export const QueueOpener = createContext<() => void>(() => undefined);

/** Why the plan cannot be carried out; undefined when it can. */
export function obstacle({ volumes, files }: Plan): string | undefined {
  const full = volumes.find(({ fits }) => !fits);
  if (full) {
    const left = Math.max(0, full.free_bytes - full.reserved_bytes);
    return `Too little space on ${full.path}: ${bytes(full.needed_bytes)} needed, ${bytes(left)} left.`;
  }
  return files.find(({ conflict }) => conflict)?.conflict ?? undefined;
}

/** Queue files in order, as parts of one thing; true when all were there already. Throws ApiError, which says how far it came. */
async function queue(files: readonly NewDownload[]): Promise<boolean> {
  let queued = 0;
  for (const body of files) {
    try {
      const { status } = await answer(api.POST("/api/v1/downloads", { body }));
      if (status !== "installed" && status !== "completed") queued += 1;
    } catch (error) {
      if (!(error instanceof ApiError) || queued === 0) throw error;
      throw new ApiError(error.status, error.code, `${queued} of ${files.length} parts are queued, the next one was refused: ${error.message}`);
    }
  }
  return queued === 0;
}

/** Start a download of files: the space is checked first, then the queue is shown; a refusal stays beside its button. */
export function useStart(): { start: (files: readonly NewDownload[], name: string) => void; starting: boolean; refusal: string | undefined } {
  const { connection } = useLiveContext();
  const openQueue = useContext(QueueOpener);
  const refresh = useRefreshing();
  const { mutate, isPending, error } = useMutation({
    networkMode: "always",
    mutationFn: async ({ files }: { files: readonly NewDownload[]; name: string }) => {
      const plan = await answer(api.POST("/api/v1/downloads/plan", { body: { files: [...files] } }));
      const reason = obstacle(plan);
      if (reason) throw new ApiError(409, "no_space", reason);
      return queue(files);
    },
    onSuccess: (allThere, { name, files }) => {
      refresh();
      if (allThere) {
        notify({ type: "info", title: name, message: "It is there already." });
        return;
      }
      notify({ type: "success", title: name, message: files.length > 1 ? `${files.length} parts added to the download queue.` : "Added to the download queue." });
      openQueue();
    },
    onError: (failure) => {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.status === 401) connection.retry();
    },
  });
  return { start: (files, name) => mutate({ files, name }), starting: isPending, refusal: error?.message };
}
