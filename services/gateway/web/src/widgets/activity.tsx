import { useQuery } from "@tanstack/react-query";
import { answer, api, ApiError } from "../api/client";
import { clearActivity, useCommand } from "../api/commands";
import type { ActivityEntry } from "../api/types";
import { useLive, useLiveContext, useNow } from "../api/useLive";
import type { Widget } from "../board/registry";
import { ago } from "../format";
import { Icon, type IconName } from "../icons";
import { Badge, Button, Empty, Failure, Loading, Section, type Tone } from "../ui";

const SHOWN = 20;

const TONES: Record<string, Tone> = { completed: "ok", failed: "bad", paused: "warn", retrying: "warn", started: "info", resumed: "info" };

/** Newest first, each id once: what came live, then what was there before. */
export function merged(live: readonly ActivityEntry[], before: readonly ActivityEntry[]): ActivityEntry[] {
  const byId = new Map([...before, ...live].map((entry) => [entry.id, entry]));
  return [...byId.values()].sort((a, b) => b.timestamp.localeCompare(a.timestamp)).slice(0, SHOWN);
}

function iconOf({ type, status }: ActivityEntry): IconName {
  if (status === "failed") return "cross";
  if (status === "completed") return "check";
  if (status === "paused") return "pause";
  return type === "download" ? "download" : "activity";
}

/** Only pages of this product are linked; what other services send as a link is not followed blindly. */
function internal(link: string | null | undefined): string | undefined {
  return link?.startsWith("/") && !link.startsWith("//") ? link : undefined;
}

function Activity() {
  const live = useLive((state) => state.entries);
  const generation = useLive((state) => state.generation);
  const { store } = useLiveContext();
  const { run, pending } = useCommand("activity");
  const now = useNow(30_000);
  const before = useQuery({
    queryKey: ["activity", generation],
    queryFn: () => answer(api.GET("/api/v1/activity/recent", { params: { query: { limit: SHOWN } } })),
    placeholderData: (kept) => kept,
    retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status === 401),
  });
  const rows = merged(live, before.data?.activities ?? []);
  return (
    <Section
      id="activity"
      title="Activity"
      at={before.dataUpdatedAt || undefined}
      actions={
        rows.length > 0 && (
          <Button kind="quiet" label="Clear all activity" busy={pending} onClick={() => run(clearActivity(() => store.forgetEntries()))}>
            Clear all
          </Button>
        )
      }
    >
      {before.isError && (
        <Failure onRetry={() => void before.refetch()}>Earlier activity could not be loaded: {before.error.message}</Failure>
      )}
      {before.isPending && rows.length === 0 && <Loading what="activity" lines={4} />}
      {before.isSuccess && rows.length === 0 && <Empty icon="activity">No recent activity</Empty>}
      <ol className="feed">
        {rows.map((entry) => (
          <Row key={entry.id} entry={entry} now={now} />
        ))}
      </ol>
    </Section>
  );
}

function Row({ entry, now }: { entry: ActivityEntry; now: number }) {
  const { title, subtitle, status, timestamp } = entry;
  const href = internal(entry.link);
  const tone = TONES[status ?? ""] ?? "idle";
  return (
    <li>
      <span className={`mark ${tone}`}>
        <Icon name={iconOf(entry)} />
      </span>
      <div className="what">
        <div className="line">
          {href ? (
            <a className="name" href={href}>
              {title}
            </a>
          ) : (
            <span className="name">{title}</span>
          )}
          {status && <Badge tone={tone}>{status}</Badge>}
        </div>
        <p className="muted">
          {subtitle && `${subtitle} · `}
          <time dateTime={timestamp} title={new Date(timestamp).toLocaleString()}>
            {ago(timestamp, now)}
          </time>
        </p>
      </div>
    </li>
  );
}

export default { id: "activity", title: "Activity", order: 50, w: 1, component: Activity } satisfies Widget;
