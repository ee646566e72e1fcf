import type { Feed, FeedMessage, Status } from "./feed";
import type { TabMessage } from "./hub.worker";
import { mergePatch } from "./merge";
import type { ActivityEntry, TopicName, Topics } from "./types";

/** A state topic as the page shows it; `at` is when it was received, milliseconds since 1970. */
export interface Held<T> {
  data: T;
  at: number;
}

export interface LiveState {
  status: Status;
  topics: { [K in TopicName]?: Held<Topics[K]> };
  /** Activity entries since this page was opened, newest first. */
  entries: readonly ActivityEntry[];
  /** Grows when the entries before now may have changed and must be read again. */
  generation: number;
}

/** One expected change: a merge patch (null removes) at a path that exists now, e.g. ["active", id]. */
export interface Edit {
  topic: TopicName;
  path: readonly string[];
  patch: Record<string, unknown> | null;
}

interface Overlay {
  edits: readonly (Edit & { base: unknown })[];
  settledAt: number | undefined;
}

const MAX_ENTRIES = 100;
/** A change that the server accepted must be in the stream by then; after that the stream alone counts. */
const OVERLAY_GRACE_MS = 1_000;

/** A topic that nobody shows any more is kept this long: people go back and forth between pages. */
const LINGER_MS = 10_000;

/** What the server said, with what the person asked for and the server has not answered yet laid over it. */
export class LiveStore {
  #server: LiveState = { status: { phase: "connecting", since: Date.now() }, topics: {}, entries: [], generation: 0 };
  #view = this.#server;
  #overlays = new Set<Overlay>();
  #listeners = new Set<() => void>();
  #notifying = false;
  #followers = new Map<TopicName, number>();
  #onWanted: ((topics: readonly TopicName[]) => void) | undefined;
  #telling = false;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly view = (): LiveState => this.#view;

  /** Want a topic until the returned function is called; it may then be forgotten. */
  follow(topic: TopicName): () => void {
    const count = this.#followers.get(topic);
    this.#followers.set(topic, (count ?? 0) + 1);
    if (count === undefined) this.#tell();
    let done = false;
    return () => {
      if (done) return;
      done = true;
      this.#followers.set(topic, (this.#followers.get(topic) ?? 1) - 1);
      setTimeout(() => this.#forget(topic), LINGER_MS);
    };
  }

  /** Have the wanted topics told now (when there are any) and whenever they change. */
  onWanted(listener: ((topics: readonly TopicName[]) => void) | undefined): void {
    this.#onWanted = listener;
    if (this.#followers.size > 0) this.#tell();
  }

  #forget(topic: TopicName): void {
    if (this.#followers.get(topic) !== 0) return;
    this.#followers.delete(topic);
    const { [topic]: _, ...topics } = this.#server.topics;
    this.#server = { ...this.#server, topics };
    this.#changed();
    this.#tell();
  }

  /** What one rendering wants becomes one message. */
  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    setTimeout(() => {
      this.#telling = false;
      this.#onWanted?.([...this.#followers.keys()]);
    });
  }

  apply(message: FeedMessage): void {
    const before = this.#server;
    switch (message.kind) {
      case "status":
        this.#server = { ...before, status: message.status };
        // Another person may sign in next: nothing of this one stays.
        if (message.status.phase === "signed-out") {
          this.#server = { ...this.#server, topics: {}, entries: [], generation: before.generation + 1 };
        }
        break;
      case "snapshot":
      case "delta": {
        const held = before.topics[message.topic];
        if (message.kind === "delta" && !held) return;
        const data = message.kind === "snapshot" ? message.data : mergePatch(held?.data, message.data);
        this.#server = { ...before, topics: { ...before.topics, [message.topic]: { data, at: message.at } } };
        break;
      }
      case "entry":
        if (before.entries.some((entry) => entry.id === message.entry.id)) return;
        // More than are kept: whoever shows earlier ones reads them again, so that none is missing in between.
        this.#server =
          before.entries.length < MAX_ENTRIES
            ? { ...before, entries: [message.entry, ...before.entries] }
            : { ...before, entries: [message.entry], generation: before.generation + 1 };
        break;
      case "reset":
        this.#server = { ...before, entries: [], generation: before.generation + 1 };
        break;
      case "alive":
        return;
    }
    this.#changed();
  }

  /** Forget the entries shown so far (the person cleared them) and have the rest read again. */
  forgetEntries(): void {
    this.apply({ kind: "reset" });
  }

  /**
   * Show the edits until the server has answered: `settle(true)` leaves them until the stream has caught up,
   * `settle(false)` takes them back.
   */
  expect(edits: readonly Edit[]): (accepted: boolean) => void {
    const based = edits.map((edit) => ({ ...edit, base: lookUp(this.#server, edit) }));
    const overlay: Overlay = { edits: based.filter((edit) => edit.base !== undefined), settledAt: undefined };
    this.#overlays.add(overlay);
    this.#changed();
    return (accepted) => {
      if (accepted) {
        overlay.settledAt = Date.now();
        setTimeout(() => this.#drop(overlay), OVERLAY_GRACE_MS);
        this.#changed();
      } else this.#drop(overlay);
    };
  }

  #drop(overlay: Overlay): void {
    if (this.#overlays.delete(overlay)) this.#changed();
  }

  #changed(): void {
    for (const overlay of this.#overlays) {
      if (overlay.settledAt !== undefined && overlay.edits.every((edit) => isThere(this.#server, edit))) {
        this.#overlays.delete(overlay);
      }
    }
    this.#view = [...this.#overlays].flatMap((overlay) => overlay.edits).reduce(applyEdit, this.#server);
    if (this.#notifying) return;
    this.#notifying = true;
    // Bursts of messages become one rendering; a hidden page has no frames.
    const notify = () => {
      this.#notifying = false;
      for (const listener of this.#listeners) listener();
    };
    if (document.visibilityState === "visible") requestAnimationFrame(notify);
    else setTimeout(notify, 100);
  }
}

type Members = Record<string, unknown>;

function lookUp(state: LiveState, { topic, path }: Edit): unknown {
  return path.reduce<unknown>((at, key) => (at as Members | undefined)?.[key], state.topics[topic]?.data);
}

/** Whether the server's own state has moved at what the edit is about. */
function isThere(state: LiveState, edit: Edit & { base: unknown }): boolean {
  const now = lookUp(state, edit) as Members | undefined;
  if (now === undefined || edit.patch === null) return now === undefined;
  return Object.keys(edit.patch).some((key) => now[key] !== (edit.base as Members)[key]);
}

function applyEdit(state: LiveState, edit: Edit): LiveState {
  const held = state.topics[edit.topic];
  // What the server has removed meanwhile must not come back as a fragment.
  if (!held || lookUp(state, edit) === undefined) return state;
  const patch = edit.path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), edit.patch);
  return { ...state, topics: { ...state.topics, [edit.topic]: { ...held, data: mergePatch(held.data, patch) } } };
}

export interface Connection {
  retry: () => void;
  close: () => void;
}

/** Feed the store from the browser's shared stream, or from one of this page where there is no SharedWorker. */
export function connect(store: LiveStore): Connection {
  let leaving = false;
  const emit = (message: FeedMessage) => {
    // Closing connections while the page goes away is no outage.
    if (!leaving) store.apply(message);
  };
  let connection = typeof SharedWorker === "undefined" ? own(store, emit) : shared(store, emit, () => (connection = own(store, emit)));
  const onHide = () => {
    leaving = true;
    connection.close();
  };
  const onShow = (event: PageTransitionEvent) => {
    if (!event.persisted) return;
    leaving = false;
    connection.retry();
  };
  addEventListener("pagehide", onHide);
  addEventListener("pageshow", onShow);
  return {
    retry: () => connection.retry(),
    close: () => {
      removeEventListener("pagehide", onHide);
      removeEventListener("pageshow", onShow);
      connection.close();
    },
  };
}

const FETCH_AGAIN_MS = 2_000;

/** A stream of this page's own; few browsers need one, so its code comes when it is needed. */
function own(store: LiveStore, emit: (message: FeedMessage) => void): Connection {
  let feed: Feed | undefined;
  let closed = false;
  let running = false;
  const follow = () => {
    closed = false;
    store.onWanted((topics) => {
      feed?.want(topics);
      if (!running) feed?.retry();
      running = feed !== undefined;
    });
  };
  const retry = () => (running ? feed?.retry() : follow());
  void fetchedFeed().then(({ Feed }) => {
    feed = new Feed({ emit });
    if (!closed) follow();
  });
  addEventListener("online", () => !closed && retry());
  addEventListener("offline", () => void feed?.doubt());
  return {
    retry,
    close: () => {
      closed = true;
      running = false;
      store.onWanted(undefined);
      feed?.stop();
    },
  };
}

async function fetchedFeed(): Promise<typeof import("./feed")> {
  try {
    return await import("./feed");
  } catch (error) {
    // The gateway is away, as the stream would find as well.
    if (!(error instanceof TypeError)) throw error;
    await new Promise((resolve) => setTimeout(resolve, FETCH_AGAIN_MS));
    return fetchedFeed();
  }
}

const ANSWER_MS = 2_000;

/** The hub's port, watched: a worker that does not answer is replaced by `fallBack`. */
function shared(store: LiveStore, emit: (message: FeedMessage) => void, fallBack: () => void): Connection {
  let port: MessagePort;
  let limit: ReturnType<typeof setTimeout> | undefined;
  let silenceMs = 25_000;

  const tell = (message: TabMessage) => port.postMessage(message);
  const giveUp = () => {
    clearTimeout(limit);
    port.onmessage = null;
    tell("leave");
    // Nothing was heard for a while: what is shown is old until the page's own stream has begun.
    if (store.view().status.phase === "live") emit({ kind: "status", status: { phase: "stale", since: Date.now() - silenceMs } });
    fallBack();
  };
  const expectMore = () => {
    clearTimeout(limit);
    limit = setTimeout(() => {
      tell("there?");
      limit = setTimeout(giveUp, ANSWER_MS);
    }, silenceMs);
  };
  const join = () => {
    const worker = new SharedWorker(new URL("./hub.worker.ts", import.meta.url), { type: "module", name: "modeldeck" });
    port = worker.port;
    worker.addEventListener("error", giveUp, { once: true });
    port.onmessage = ({ data }: MessageEvent<FeedMessage>) => {
      if (data.kind === "alive" && data.silence_ms > 0) silenceMs = data.silence_ms + 1_000;
      expectMore();
      emit(data);
    };
    tell("there?");
    limit = setTimeout(giveUp, ANSWER_MS);
    store.onWanted((want) => tell({ want }));
  };
  join();
  return {
    retry: () => {
      clearTimeout(limit);
      tell("leave");
      join();
      // After what is wanted, which is told a moment later.
      setTimeout(() => tell("retry"));
    },
    close: () => {
      clearTimeout(limit);
      store.onWanted(undefined);
      tell("leave");
    },
  };
}
