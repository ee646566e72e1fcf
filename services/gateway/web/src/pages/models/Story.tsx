import { useQuery } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import { bytes, fileName } from "../../format";
import { sourceOf, State } from "../../state";

/** What somebody asked for; the rest services do by themselves. */
const ASKED = /\.(queued|paused|resumed|cancelled|moved|retried)\./;

/** What happened to one download, oldest first, up to now. */
export function Story({ id, version }: { id: string; version: string }) {
  const story = useQuery({
    // It goes on while the download does.
    queryKey: ["history", id, version],
    queryFn: () => answer(api.GET("/api/v1/downloads/{download_id}/history", { params: { path: { download_id: id } } })),
    placeholderData: (before) => before,
    retry: false,
    gcTime: 60_000,
  });
  return (
    <State of={sourceOf(story)} what="the story" lines={3} empty={{ when: ({ events }) => events.length === 0, icon: "activity", say: "Nothing is known of it." }}>
      {({ events }) => (
        <ol className="story">
          {events.map(({ seq, time, type, reason, host, attempt, bytes: size, actor, path }) => (
            <li key={seq}>
              <time dateTime={time}>{new Date(time).toLocaleTimeString()}</time>
              <div>
                <strong>{sentence(type)}</strong>
                <p className="muted">
                  {[
                    typeof path === "string" && fileName(path),
                    attempt != null && attempt > 1 && `attempt ${attempt}`,
                    size != null && bytes(size),
                    host && `from ${host}`,
                    actor && ASKED.test(type) && `by ${actor}`,
                  ]
                    .filter(Boolean)
                    .join(" · ")}
                </p>
                {reason && <p className={type.includes("failed") ? "reason" : "muted"}>{reason}</p>}
              </div>
            </li>
          ))}
        </ol>
      )}
    </State>
  );
}

/** modeldeck.download.retry-scheduled.v1 -> Retry scheduled */
export function sentence(type: string): string {
  const parts = type.split(".").filter((part) => part !== "modeldeck" && part !== "download" && !/^v\d+$/.test(part));
  const words = parts.join(" ").replaceAll(/[-_]/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
