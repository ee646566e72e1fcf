import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { answer, api, ApiError } from "../api/client";
import { clearActivity, restoreActivity, useCommand } from "../api/commands";
import type { ActivityEntry } from "../api/types";
import { useLive, useLiveContext, useNow } from "../api/useLive";
import type { Widget } from "../board/registry";
import { ago } from "../format";
import { Icon, type IconName } from "../icons";
import { reachable } from "../pages/paths";
import { State } from "../state";
import { Badge, Button, Section, type Tone } from "../ui";

const PAGE = 50;

/** As the server takes them (C-06); a download is of the category job. */
export const CATEGORIES: readonly [category: string, label: string][] = [
  ["", "Everything"],
  ["job", "Jobs"],
  ["download", "Downloads"],
  ["generation", "Generations"],
  ["review", "Reviews"],
  ["collaboration", "Collaboration"],
  ["system", "System"],
];

const TONES: Record<string, Tone> = {
  completed: "ok", approved: "ok", failed: "bad", rejected: "bad", critical: "bad",
  paused: "warn", retrying: "warn", warning: "warn", started: "info", resumed: "info",
};

const ICONS: Record<string, IconName> = {
  approved: "check", rejected: "cross", failed: "cross", completed: "check", paused: "pause", warning: "warning", critical: "warning",
  download: "download", generation: "image", training: "training", conversation: "chat", comment: "chat", dataset: "datasets",
  model: "models", file: "models", host: "screen", catalog: "presets", project: "layout",
};

/** Newest first, each id once: what came live, then what was there before. */
export function merged(live: readonly ActivityEntry[], before: readonly ActivityEntry[]): ActivityEntry[] {
  const byId = new Map([...before, ...live].map((entry) => [entry.id, entry]));
  return [...byId.values()].sort((a, b) => b.timestamp.localeCompare(a.timestamp));
}

export function iconOf({ type, status }: ActivityEntry): IconName {
  return ICONS[status ?? ""] ?? ICONS[type] ?? "activity";
}

export function toneOf({ status }: ActivityEntry): Tone {
  return TONES[status ?? ""] ?? "idle";
}

export interface Wanted {
  category: string;
  project?: string;
  /** Words that all of an entry's lines together say; what comes live is not looked through for them. */
  text?: string;
  /** A moment of the past: then nothing live is shown. */
  at?: string | undefined;
}

/** The log as far as it was read, with what came live on top. */
export function useFeed({ category, project = "", text = "", at }: Wanted) {
  const live = useLive((state) => state.entries);
  const generation = useLive((state) => state.generation);
  const before = useInfiniteQuery({
    queryKey: ["activity", generation, category, project, text, at],
    queryFn: ({ pageParam: cursor }) =>
      answer(
        api.GET("/api/v1/activity", {
          params: {
            query: { limit: PAGE, ...(category && { category }), ...(project && { project_id: project }), ...(text && { text }), ...(cursor && { cursor }), ...(at && { at }) },
          },
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    // Another filter may show what was there meanwhile; another moment must not.
    placeholderData: (shown, query) => (query?.queryKey.at(-1) === at ? shown : undefined),
    retry: (count, error) => count < 2 && !(error instanceof ApiError && [401, 422].includes(error.status)),
  });
  const fits = (entry: ActivityEntry) =>
    at === undefined &&
    (category === "" || entry.category === category || entry.type === category) &&
    (project === "" || entry.project_id === project);
  const rows = merged(live.filter(fits), before.data?.pages.flatMap(({ activities }) => activities) ?? []);
  return { before, rows };
}

function Activity() {
  const { store } = useLiveContext();
  const { run, pending } = useCommand("activity");
  const now = useNow(30_000);
  const [category, setCategory] = useState("");
  const { before, rows } = useFeed({ category });
  const known = before.data || rows.length > 0 ? rows : undefined;
  const again = () => store.forgetEntries();
  return (
    <Section
      id="activity"
      title="Activity"
      at={before.dataUpdatedAt || undefined}
      scrolls
      actions={
        <>
          <label>
            <span className="sr">Show</span>
            <select value={category} onChange={(event) => setCategory(event.target.value)}>
              {CATEGORIES.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          </label>
          {reachable("/activity") && (
            <a className="button quiet" href="/activity">
              View all<span className="sr"> activity</span>
            </a>
          )}
          {rows.length > 0 && (
            <Button kind="quiet" label="Clear all activity" busy={pending} onClick={() => run(clearActivity(again, () => run(restoreActivity(again))))}>
              Clear all
            </Button>
          )}
        </>
      }
    >
      <State
        of={{ data: known, at: undefined, error: before.error?.message, retry: () => void before.refetch() }}
        what="activity"
        lines={4}
        empty={{ when: (list) => list.length === 0, icon: "activity", say: category ? "Nothing of this kind yet" : "No recent activity" }}
      >
        {(list) => (
          <ol className="feed">
            {list.map((entry) => (
              <EntryRow key={entry.id} entry={entry} now={now} />
            ))}
          </ol>
        )}
      </State>
      {before.hasNextPage && <More busy={before.isFetchingNextPage} onMore={() => void before.fetchNextPage()} />}
    </Section>
  );
}

/** Loads more by itself once it comes into sight. */
export function More({ busy, onMore }: { busy: boolean; onMore: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  const latest = useRef(onMore);
  latest.current = onMore;
  useEffect(() => {
    if (busy || !place.current) return;
    const observer = new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && latest.current());
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [busy]);
  return (
    <div ref={place} className="more">
      <Button busy={busy} disabled={busy} onClick={onMore}>
        Load more
      </Button>
    </div>
  );
}

function EntryRow({ entry, now }: { entry: ActivityEntry; now: number }) {
  const { title, subtitle, status, timestamp } = entry;
  const href = reachable(entry.link);
  const tone = toneOf(entry);
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

export default { id: "activity-feed", title: "Activity", order: 4, w: 3, h: 2, scrolls: true, component: Activity } satisfies Widget;
