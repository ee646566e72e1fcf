import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { answer, api } from "../api/client";
import { retry, useCommand } from "../api/commands";
import type { components } from "../api/schema";
import type { EndedItem } from "../api/types";
import { useTopic } from "../api/useLive";
import { bytes, clock, duration, fileName, percent } from "../format";
import { sourceOf, State } from "../state";
import { Badge, Bar, Button, type Tone } from "../ui";
import { Drawer } from "./Drawer";
import "./story.css";

type Attempt = components["schemas"]["Attempt"];
type Fact = components["schemas"]["HistoryEntry"];

const OUTCOMES: Record<Attempt["outcome"], readonly [Tone, string]> = {
  running: ["info", "Running"],
  completed: ["ok", "Completed"],
  failed: ["bad", "Failed"],
  interrupted: ["warn", "Interrupted"],
  paused: ["warn", "Paused"],
  cancelled: ["idle", "Cancelled"],
};

const TONES: Partial<Record<string, Tone>> = {
  completed: "ok", "file-completed": "ok", failed: "bad", "file-failed": "bad", "retry-scheduled": "warn", interrupted: "warn",
  paused: "warn", started: "info", resumed: "info", "retry-began": "info", retried: "info",
};

const WORDS: Partial<Record<string, string>> = {
  queued: "Queued",
  started: "Started",
  interrupted: "Interrupted",
  "file-completed": "File is there",
  "file-failed": "File failed",
  "retry-scheduled": "Try failed, another one follows",
  "retry-began": "Trying again",
  paused: "Paused",
  resumed: "Resumed",
  moved: "Moved in the queue",
  retried: "Queued again",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** Facts of which it matters who asked for them. */
const BY_PEOPLE = new Set(["queued", "paused", "resumed", "moved", "retried", "cancelled"]);

/** modeldeck.download.file-completed.v1 -> file-completed */
function verb(type: string): string {
  return type.replace(/^modeldeck\.download\./, "").replace(/\.v\d+$/, "");
}

function useQueued(id: string) {
  const queue = useTopic("queue")?.data;
  const active = queue?.active[id];
  const ended = queue?.completed[id];
  return { active, ended, known: active ?? queue?.queue[id] ?? ended };
}

function useStory(id: string) {
  const { active, known } = useQueued(id);
  const story = useInfiniteQuery({
    queryKey: ["story", id],
    queryFn: ({ pageParam: after }) => answer(api.GET("/api/v1/downloads/{download_id}/history", { params: { path: { download_id: id }, query: { after } } })),
    initialPageParam: 0,
    // A full page may have another one behind it.
    getNextPageParam: ({ events }) => (events.length >= 200 ? events.at(-1)?.seq : undefined),
    retry: false,
    staleTime: 0,
  });
  // Whatever the queue shows of it changes with a fact; the bytes do not.
  const stage = known && [known.status, active?.attempt, active?.tries, active?.file?.path, known.error].join();
  const { refetch } = story;
  useEffect(() => {
    if (stage !== undefined) void refetch();
  }, [stage, refetch]);
  return story;
}

/** The whole story of one download: its attempts with their hosts, bytes and reasons, and every fact; goes on live. */
export function DownloadStory({ id, name, onClose }: { id: string; name?: string | undefined; onClose: () => void }) {
  const { active, ended, known } = useQueued(id);
  return (
    <Drawer title={name ?? known?.name ?? "Download"} about="The story of this download" onClose={onClose}>
      {active && (
        <section className="story-now">
          <div className="line">
            <Bar value={active.progress} label="Progress" />
            <strong>{active.progress == null ? "…" : percent(active.progress)}</strong>
          </div>
          <p className="muted">{[active.file?.path && fileName(active.file.path), active.speed, active.eta && `${active.eta} left`].filter(Boolean).join(" · ")}</p>
        </section>
      )}
      {ended?.status === "failed" && <Failed item={ended} />}
      <Story id={id} />
    </Drawer>
  );
}

const BUSY = "The server may be busy or away. Retry in a while: what was fetched is kept, and the download goes on from there.";
const CHANGED = "The file there is not the one that was asked for. Check the link and its hash, and download it from the right source.";
const ADVICE: Partial<Record<string, string>> = {
  stalled: BUSY, closed_early: BUSY, connection_failed: BUSY, tls_failed: BUSY, server_error: BUSY, rate_limited: BUSY,
  hash_mismatch: CHANGED, size_mismatch: CHANGED, bad_header: CHANGED, html_page: CHANGED,
};

/** Why it ended without its files, and the way on. */
function Failed({ item }: { item: EndedItem }) {
  const { run, pending } = useCommand();
  const advice = ADVICE[item.error_code ?? ""];
  return (
    <section className="story-failed">
      <p className="reason">{item.error ?? "It failed, and nobody said why."}</p>
      {advice && <p className="muted">{advice}</p>}
      <Button icon="refresh" label={`Retry ${item.name}`} busy={pending} onClick={() => run(retry(item))}>
        Retry
      </Button>
    </section>
  );
}

/** The same without a drawer around it. */
export function Story({ id }: { id: string }) {
  const story = useStory(id);
  const { data } = story;
  return (
    <State of={sourceOf(story)} what="the story" lines={5}>
      {() => (
        <>
          <Attempts of={data?.pages[0]?.attempts ?? []} />
          <section>
            <h3>What happened</h3>
            <ol className="story">
              {data?.pages.flatMap(({ events }) => events.map((fact, index) => <FactRow key={fact.seq} fact={fact} said={events[index - 1]?.reason} />))}
            </ol>
            {story.hasNextPage && (
              <Button busy={story.isFetchingNextPage} onClick={() => void story.fetchNextPage()}>
                Show what came after
              </Button>
            )}
          </section>
        </>
      )}
    </State>
  );
}

function Attempts({ of }: { of: readonly Attempt[] }) {
  if (of.length === 0) return null;
  return (
    <section>
      <h3>{of.length === 1 ? "1 attempt" : `${of.length} attempts`}</h3>
      <ol className="attempts">
        {of.map((attempt, index) => {
          const { outcome, worker, hosts, files, fetched_bytes, retries, started_at, ended_at, reason } = attempt;
          const [tone, word] = OUTCOMES[outcome];
          const took = ended_at ? duration((Date.parse(ended_at) - Date.parse(started_at)) / 1000) : undefined;
          const facts = [
            took && `took ${took}`,
            fetched_bytes != null && `${bytes(fetched_bytes)} fetched`,
            files != null && (files === 1 ? "1 file" : `${files} files`),
            retries ? (retries === 1 ? "1 retry" : `${retries} retries`) : undefined,
            hosts?.length ? `from ${hosts.join(", ")}` : undefined,
            `by ${worker}`,
          ].filter(Boolean);
          return (
            <li key={`${attempt.attempt} ${index}`}>
              <div className="line">
                <span className="name">Attempt {attempt.attempt}</span>
                <Badge tone={tone}>{word}</Badge>
              </div>
              <p className="muted">{facts.join(" · ")}</p>
              {reason && reason !== "user" && <p className={outcome === "failed" ? "reason" : "muted"}>{reason}</p>}
            </li>
          );
        })}
      </ol>
    </section>
  );
}

/** `said` is the reason of the fact before: the same one is not said twice. */
function FactRow({ fact, said: before }: { fact: Fact; said: string | null | undefined }) {
  const kind = verb(fact.type);
  const said = fact as Fact & { path?: string; fetched_bytes?: number; resumed_from_bytes?: number };
  const details = [
    said.path && fileName(said.path),
    fact.bytes != null && bytes(fact.bytes),
    said.resumed_from_bytes ? `went on from ${bytes(said.resumed_from_bytes)}` : undefined,
    fact.host && `from ${fact.host}`,
    BY_PEOPLE.has(kind) && fact.actor && `by ${fact.actor}`,
    kind === "started" && fact.attempt != null && `attempt ${fact.attempt}`,
  ].filter(Boolean);
  return (
    <li className={TONES[kind] ?? "idle"}>
      <time dateTime={fact.time} title={new Date(fact.time).toLocaleString()}>
        {clock(Date.parse(fact.time))}
      </time>
      <div>
        <p className="name">{WORDS[kind] ?? kind.replaceAll("-", " ")}</p>
        {details.length > 0 && <p className="muted">{details.join(" · ")}</p>}
        {fact.reason && fact.reason !== "user" && fact.reason !== before && <p className={TONES[kind] === "bad" ? "reason" : "muted"}>{fact.reason}</p>}
      </div>
    </li>
  );
}
