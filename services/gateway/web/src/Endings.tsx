import { useEffect, useRef } from "react";
import { useTopic } from "./api/useLive";
import { notify } from "./toasts";

/** Says when a download that was seen running on this page has ended. */
export function Endings() {
  const queue = useTopic("queue")?.data;
  const running = useRef(new Set<string>());
  useEffect(() => {
    if (!queue) return;
    for (const id of Object.keys(queue.active)) running.current.add(id);
    for (const item of Object.values(queue.completed)) {
      if (!running.current.delete(item.download_id)) continue;
      if (item.status === "completed") notify({ type: "success", title: item.name, message: "Installed and checked." });
      if (item.status === "failed") notify({ type: "error", title: `${item.name} failed`, message: item.error ?? "No reason was given." });
    }
  }, [queue]);
  return null;
}
