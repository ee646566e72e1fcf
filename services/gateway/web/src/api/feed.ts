import { mergePatch } from "./merge";
import type { ActivityEntry, TopicName } from "./types";

/**
 * - `connecting`: nothing was received yet;
 * - `live`: the stream runs and every topic has its present state;
 * - `stale`: it does not run now; what is shown is of the time it says;
 * - `signed-out`: the server wants credentials first; nothing is tried until `retry()`.
 */
export type Phase = "connecting" | "live" | "stale" | "signed-out";

export interface Status {
  phase: Phase;
  /** When the phase began, milliseconds since 1970; for `stale` after silence, when the server was last heard. */
  since: number;
  /** The gateway answers, but has lost its event log: what it sends is of `since`. */
  behind?: boolean;
  /** For `signed-out`: where the issuer's sign-in begins, when the gateway has an issuer. */
  sign_in?: string;
}

/** What a feed says; it passes a worker's port as it is. `at` is the time of receipt. */
export type FeedMessage =
  | { kind: "status"; status: Status }
  | { kind: "snapshot" | "delta"; topic: TopicName; data: unknown; at: number }
  | { kind: "entry"; entry: ActivityEntry }
  | { kind: "reset" }
  | { kind: "alive"; silence_ms: number };

/** The part of EventSource that is used. */
export interface Source {
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
  onerror: ((event: Event) => void) | null;
}

export interface FeedOptions {
  emit: (message: FeedMessage) => void;
  openSource?: (url: string) => Source;
  fetchState?: (url: string, signal: AbortSignal) => Promise<Response>;
  random?: () => number;
}

const DEFAULT_HEARTBEAT_MS = 10_000;
const SILENT_HEARTBEATS = 2.5;
const POLL_MS = 10_000;
const POLL_TIMEOUT_MS = 8_000;
const SETTLED_MS = 10_000;
/** Timers stand still while a computer sleeps: looked at this often, old data is not taken for new for longer. */
const WATCH_MS = 2_000;
const DOUBT_MS = 4_000;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;

/** Wait before attempt number `attempt` (0 = first): doubling from 0.5 s to 30 s, the upper half of it at random. */
export function backoff(attempt: number, random: number): number {
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt + 1));
  return Math.max(FIRST_DELAY_MS, ceiling / 2 + (random * ceiling) / 2);
}

/**
 * One live connection to the gateway that mends itself: it reopens after errors and silence, goes on after the last id,
 * and polls the state while there is no stream. It follows the topics that were wanted last, and keeps the present
 * state of each for whoever joins later.
 */
export class Feed {
  readonly topics = new Map<TopicName, { data: unknown; at: number }>();
  status: Status = { phase: "connecting", since: Date.now() };

  #options: Required<FeedOptions>;
  #source: Source | undefined;
  #lastId = "";
  #heartbeatMs = DEFAULT_HEARTBEAT_MS;
  #heardAt = 0;
  #liveSince = 0;
  #behindSince: number | undefined;
  #attempt = 0;
  #failuresWithId = 0;
  #wanted: readonly TopicName[] = [];
  /** The topics of the stream that is open. */
  #followed: ReadonlySet<TopicName> = new Set();
  #pending = new Set<TopicName>();
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #reopen: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setTimeout> | undefined;
  #polling: AbortController | undefined;
  #polledAt = -Infinity;

  constructor(options: FeedOptions) {
    this.#options = {
      openSource: (url) => new EventSource(url),
      fetchState: (url, signal) => fetch(url, { signal, cache: "no-cache" }),
      random: Math.random,
      ...options,
    };
  }

  /** Follow these topics. One that is no longer wanted is followed until the stream is opened again. */
  want(topics: Iterable<TopicName>): void {
    this.#wanted = [...topics].sort();
    if (this.#source && !this.#wanted.every((topic) => this.#followed.has(topic))) this.#open();
  }

  /** Connect now; also after signing in, or when the network is back. */
  retry(): void {
    this.stop();
    this.#attempt = 0;
    this.#polledAt = -Infinity;
    if (this.status.phase === "signed-out") this.#setPhase("connecting");
    this.#open();
  }

  /** There is reason to think that the network is gone: ask, instead of waiting until the silence says so. */
  async doubt(): Promise<void> {
    const source = this.#source;
    if (source === undefined) return;
    try {
      await this.#options.fetchState("/healthz", AbortSignal.timeout(DOUBT_MS));
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
      if (source === this.#source) this.#fail("silence");
    }
  }

  /** Close everything; `retry` starts again. */
  stop(): void {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#reopen);
    clearTimeout(this.#poll);
    this.#polling?.abort();
    this.#polling = undefined;
    this.#source?.close();
    this.#source = undefined;
  }

  #open(): void {
    this.#source?.close();
    this.#followed = new Set(this.#wanted);
    this.#pending = new Set(this.#wanted);
    for (const topic of this.topics.keys()) if (!this.#followed.has(topic)) this.topics.delete(topic);
    const stream = `/api/v1/stream?topics=${[...this.#wanted, "activity"].join(",")}`;
    const url = this.#lastId ? `${stream}&last_event_id=${encodeURIComponent(this.#lastId)}` : stream;
    const source = this.#options.openSource(url);
    this.#source = source;
    const on = (type: string, handle: (data: Record<string, unknown>) => void) => {
      source.addEventListener(type, (event) => {
        if (source !== this.#source) return;
        this.#heardAt = Date.now();
        try {
          handle(event.data ? (JSON.parse(event.data) as Record<string, unknown>) : {});
        } catch (error) {
          // A message that was not understood leaves a hole: only a fresh snapshot makes the state true again.
          if (!(error instanceof SyntaxError)) throw error;
          this.#fail("error");
          return;
        }
        if (source === this.#source && event.lastEventId) this.#progressed(event.lastEventId);
      });
    };
    on("hello", (data) => {
      if (typeof data["heartbeat_s"] === "number") this.#heartbeatMs = data["heartbeat_s"] * 1000;
      this.#watch();
      this.#failuresWithId = 0;
      this.#setBehind(data);
      if (this.#lastId && data["resumed"] === false) this.#options.emit({ kind: "reset" });
      this.#emitAlive();
    });
    on("snapshot", (data) => this.#onState("snapshot", data));
    on("delta", (data) => this.#onState("delta", data));
    on("activity", (data) => this.#options.emit({ kind: "entry", entry: data as unknown as ActivityEntry }));
    on("reset", () => {
      this.#lastId = "";
      this.#options.emit({ kind: "reset" });
      this.#open();
    });
    on("ping", (data) => {
      this.#setBehind(data);
      if (this.#pending.size === 0) this.#setLive();
      this.#emitAlive();
    });
    on("bye", () => this.#fail("silence"));
    source.onerror = () => {
      if (source === this.#source) this.#fail("error");
    };
    this.#heardAt = Date.now();
    this.#watch();
  }

  #onState(kind: "snapshot" | "delta", message: Record<string, unknown>): void {
    const topic = message["topic"] as TopicName;
    if (!this.#followed.has(topic)) return;
    if (kind === "delta" && this.#pending.has(topic)) return this.#fail("error");
    this.#keep(kind, topic, message["data"]);
    this.#pending.delete(topic);
    if (this.#pending.size === 0) this.#setLive();
  }

  #keep(kind: "snapshot" | "delta", topic: TopicName, data: unknown): void {
    const at = this.#behindSince ?? Date.now();
    const present = kind === "snapshot" ? data : mergePatch(this.topics.get(topic)?.data, data);
    this.topics.set(topic, { data: present, at });
    this.#options.emit({ kind, topic, data, at });
  }

  /** An id stands on the last of the first snapshots: whatever topic has not come by then does not exist here. */
  #progressed(id: string): void {
    this.#lastId = id;
    this.#setLive();
  }

  #setLive(): void {
    if (this.#behindSince === undefined && this.status.phase === "live") return;
    clearTimeout(this.#poll);
    this.#polling?.abort();
    this.#polling = undefined;
    if (this.#behindSince !== undefined) return this.#setPhase("stale", this.#behindSince, { behind: true });
    this.#liveSince = Date.now();
    this.#setPhase("live");
  }

  #setBehind({ behind_since: since }: Record<string, unknown>): void {
    // The server's clock may be ahead of this one.
    this.#behindSince = typeof since === "string" ? Math.min(Date.parse(since), Date.now()) : undefined;
  }

  #fail(cause: "error" | "silence"): void {
    this.#source?.close();
    this.#source = undefined;
    clearTimeout(this.#watchdog);
    clearTimeout(this.#reopen);
    if (this.status.phase === "live") {
      if (Date.now() - this.#liveSince > SETTLED_MS) this.#attempt = 0;
      this.#setPhase("stale", cause === "silence" ? this.#heardAt : Date.now());
    }
    // An id that the server refuses (400) looks like any other error to EventSource; do without it the third time.
    if (cause === "error" && this.#lastId && ++this.#failuresWithId > 2) {
      this.#lastId = "";
      this.#options.emit({ kind: "reset" });
    }
    // Silence has cost its own waiting time already, and a gateway that said goodbye will be back at once.
    const delay = backoff(cause === "error" ? this.#attempt++ : 0, this.#options.random());
    this.#reopen = setTimeout(() => this.#open(), delay);
    if (Date.now() - this.#polledAt >= POLL_MS) void this.#pollState();
  }

  #watch(): void {
    const limit = SILENT_HEARTBEATS * this.#heartbeatMs;
    const left = this.#heardAt + limit - Date.now();
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(
      () => {
        if (Date.now() - this.#heardAt >= SILENT_HEARTBEATS * this.#heartbeatMs) this.#fail("silence");
        else this.#watch();
      },
      Math.min(WATCH_MS, Math.max(50, left)),
    );
  }

  async #pollState(): Promise<void> {
    clearTimeout(this.#poll);
    this.#polling?.abort();
    const topics = this.#wanted;
    const abort = new AbortController();
    this.#polling = abort;
    this.#polledAt = Date.now();
    const timeout = setTimeout(() => abort.abort(), POLL_TIMEOUT_MS);
    try {
      const response = await this.#options.fetchState(`/api/v1/state?topics=${topics.join(",")}`, abort.signal);
      if (response.status === 401) {
        const issuer = await issuerOf(response);
        if (this.#polling !== abort) return;
        this.stop();
        this.topics.clear();
        this.#setPhase("signed-out", Date.now(), issuer);
        return;
      }
      if (response.ok) {
        const body = (await response.json()) as Record<string, unknown>;
        if (this.#polling !== abort) return;
        for (const topic of topics) if (topic in body) this.#keep("snapshot", topic, body[topic]);
        this.#setPhase("stale");
        // The gateway answers again: do not sit out a long backoff.
        this.#attempt = 0;
        if (this.#source === undefined) {
          clearTimeout(this.#reopen);
          this.#reopen = setTimeout(() => this.#open(), backoff(0, this.#options.random()));
        }
      }
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof DOMException || error instanceof SyntaxError)) throw error;
    } finally {
      clearTimeout(timeout);
      if (this.#polling === abort) {
        this.#polling = undefined;
        if (this.status.phase !== "live" && this.status.phase !== "signed-out") {
          this.#poll = setTimeout(() => void this.#pollState(), POLL_MS);
        }
      }
    }
  }

  #emitAlive(): void {
    this.#options.emit({ kind: "alive", silence_ms: SILENT_HEARTBEATS * this.#heartbeatMs });
  }

  #setPhase(phase: Phase, since = Date.now(), more: Pick<Status, "behind" | "sign_in"> = {}): void {
    if (phase === this.status.phase && more.behind === this.status.behind) return;
    this.status = { phase, since, ...more };
    this.#options.emit({ kind: "status", status: this.status });
  }
}

/** Where the refusal says that the issuer's sign-in begins; only a path of the gateway is believed. */
async function issuerOf(refusal: Response): Promise<Pick<Status, "sign_in">> {
  try {
    const { sign_in } = (await refusal.json()) as { sign_in?: unknown };
    return typeof sign_in === "string" && sign_in.startsWith("/api/") ? { sign_in } : {};
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof DOMException) return {};
    throw error;
  }
}
