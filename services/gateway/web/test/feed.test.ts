import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { backoff, Feed, type FeedMessage, type Source } from "../src/api/feed";

class FakeSource implements Source {
  onerror: ((event: Event) => void) | null = null;
  closed = false;
  #listeners = new Map<string, (event: MessageEvent<string>) => void>();

  constructor(readonly url: string) {}

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(type, listener);
  }

  close(): void {
    this.closed = true;
  }

  send(type: string, data: unknown, lastEventId = ""): void {
    this.raw(type, JSON.stringify(data), lastEventId);
  }

  raw(type: string, data: string, lastEventId = ""): void {
    this.#listeners.get(type)?.(new MessageEvent(type, { data, lastEventId }));
  }

  begin(id = "e1-5", hello: object = {}): void {
    this.send("hello", { v: 1, epoch: "e1", heartbeat_s: 1, resumed: false, ...hello });
    this.send("snapshot", { topic: "queue", data: { active: {}, paused: false } });
    this.send("snapshot", { topic: "presets", data: { presets: { a: { status: "available" } } } });
    this.send("snapshot", { topic: "resources", data: { cpu_percent: 3 } }, id);
  }
}

let sources: FakeSource[];
let messages: FeedMessage[];
let answer: () => Promise<Response>;
let polls: number;
let feed: Feed;

const latest = () => sources.at(-1)!;
const kinds = () => messages.map((message) => message.kind);
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  sources = [];
  messages = [];
  polls = 0;
  answer = () => Promise.reject(new TypeError("no connection"));
  feed = new Feed({
    emit: (message) => messages.push(message),
    openSource: (url) => {
      sources.push(new FakeSource(url));
      return latest();
    },
    fetchState: () => {
      polls += 1;
      return answer();
    },
    random: () => 0,
  });
  feed.want(["queue", "presets", "resources"]);
  feed.retry();
});

afterEach(() => {
  feed.stop();
  vi.useRealTimers();
});

describe("a stream", () => {
  it("is live only when every topic has its present state", () => {
    latest().send("hello", { heartbeat_s: 1 });
    latest().send("snapshot", { topic: "queue", data: {} });
    expect(feed.status.phase).toBe("connecting");
    latest().begin();
    expect(feed.status.phase).toBe("live");
  });

  it("is live at the id that ends the first snapshots, whatever topics there are", () => {
    latest().send("hello", { heartbeat_s: 1 });
    latest().send("snapshot", { topic: "queue", data: {} }, "e1-1");
    expect(feed.status.phase).toBe("live");
  });

  it("follows what is wanted: more at once, less when it opens again", async () => {
    latest().begin();
    feed.want(["queue"]);
    expect(sources).toHaveLength(1);
    latest().send("delta", { topic: "resources", data: { cpu_percent: 4 } }, "e1-6");
    expect(feed.topics.get("resources")?.data).toEqual({ cpu_percent: 4 });
    feed.want(["queue", "stats"]);
    expect(latest().url).toBe("/api/v1/stream?topics=queue,stats,activity&last_event_id=e1-6");
    expect(sources[0]?.closed).toBe(true);
    expect(feed.status.phase).toBe("live");
    expect([...feed.topics.keys()]).toEqual(["queue"]);
    latest().send("hello", { heartbeat_s: 1, resumed: true });
    latest().send("delta", { topic: "presets", data: {} });
    expect(latest().closed).toBe(false);
  });

  it("keeps the merged state for whoever joins later", () => {
    latest().begin();
    latest().send("delta", { topic: "queue", data: { active: { d: { progress: 5 } } } }, "e1-6");
    latest().send("delta", { topic: "queue", data: { active: { d: { progress: 9 } } } }, "e1-7");
    expect(feed.topics.get("queue")?.data).toEqual({ active: { d: { progress: 9 } }, paused: false });
  });

  it("goes on after the last id it has seen", async () => {
    latest().begin();
    latest().send("delta", { topic: "queue", data: { paused: true } }, "e1/6");
    latest().onerror?.(new Event("error"));
    await pass(600);
    expect(latest().url).toContain("last_event_id=e1%2F6");
  });

  it("opens again when a change has no state to apply to, or cannot be read", async () => {
    latest().send("hello", { heartbeat_s: 1 });
    latest().send("delta", { topic: "queue", data: {} });
    expect(sources[0]?.closed).toBe(true);
    await pass(600);
    latest().begin();
    latest().raw("delta", "{not json");
    expect(feed.status.phase).toBe("stale");
    await pass(1200);
    expect(sources).toHaveLength(3);
  });

  it("is stale after 2.5 heartbeats of silence and tries again", async () => {
    latest().begin();
    await pass(2_000);
    latest().send("ping", {});
    await pass(2_400);
    expect(feed.status.phase).toBe("live");
    await pass(200);
    expect(feed.status.phase).toBe("stale");
    expect(sources[0]?.closed).toBe(true);
    await pass(1_000);
    expect(sources).toHaveLength(2);
    await pass(3_600);
    expect(sources).toHaveLength(3);
    latest().begin();
    expect(feed.status.phase).toBe("live");
  });

  it("is stale while the gateway is behind its log, and says since when what comes is no newer", () => {
    latest().begin();
    const since = new Date(Date.now() - 4_000);
    latest().send("ping", { behind_since: since.toISOString() });
    expect(feed.status).toEqual({ phase: "stale", since: since.getTime(), behind: true });
    expect(latest().closed).toBe(false);
    latest().send("delta", { topic: "queue", data: { paused: true } }, "e1-6");
    expect(feed.topics.get("queue")?.at).toBe(since.getTime());
    expect(feed.status.phase).toBe("stale");
    latest().send("ping", {});
    expect(feed.status.phase).toBe("live");
  });

  it("is never live when it opens while the gateway is behind its log", () => {
    latest().begin("e1-5", { behind_since: new Date().toISOString() });
    expect(feed.status).toMatchObject({ phase: "stale", behind: true });
    latest().send("ping", {});
    expect(feed.status.phase).toBe("live");
  });

  it("ignores what a closed source still says", async () => {
    latest().begin();
    const first = latest();
    first.onerror?.(new Event("error"));
    first.send("delta", { topic: "queue", data: { paused: true } }, "e1-9");
    expect(feed.topics.get("queue")?.data).toEqual({ active: {}, paused: false });
    await pass(600);
    expect(latest().url).toContain("e1-5");
  });

  it("starts afresh after a reset, and says that the entries must be read again", () => {
    latest().begin();
    latest().send("reset", {});
    expect(kinds()).toContain("reset");
    expect(sources).toHaveLength(2);
    expect(latest().url).not.toContain("last_event_id");
  });

  it("comes back soon after the server's goodbye", async () => {
    latest().begin();
    latest().send("bye", {});
    expect(feed.status.phase).toBe("stale");
    await pass(600);
    expect(sources).toHaveLength(2);
  });

  it("drops an id that seems to be refused", async () => {
    latest().begin();
    for (let turn = 0; turn < 3; turn += 1) {
      latest().onerror?.(new Event("error"));
      await pass(5_000);
    }
    expect(latest().url).not.toContain("last_event_id");
    expect(kinds()).toContain("reset");
  });
});

describe("while there is no stream", () => {
  it("polls the state every 10 s and says that it is not live", async () => {
    answer = () => Promise.resolve(Response.json({ queue: { paused: true } }));
    latest().onerror?.(new Event("error"));
    await pass(1);
    expect(feed.topics.get("queue")?.data).toEqual({ paused: true });
    expect(feed.status.phase).toBe("stale");
    for (let turn = 0; turn < 40; turn += 1) {
      latest().onerror?.(new Event("error"));
      await pass(1_000);
    }
    expect(polls).toBeGreaterThanOrEqual(4);
    expect(polls).toBeLessThanOrEqual(6);
  });

  it("does not let a late poll overwrite the stream", async () => {
    let reply: (response: Response) => void = () => undefined;
    answer = () => new Promise((resolve) => (reply = resolve));
    latest().onerror?.(new Event("error"));
    await pass(600);
    latest().begin();
    reply(Response.json({ queue: { paused: "old" } }));
    await pass(1);
    expect(feed.topics.get("queue")?.data).toEqual({ active: {}, paused: false });
  });

  it("stops and forgets everything when credentials are wanted, until asked again", async () => {
    latest().begin();
    answer = () => Promise.resolve(new Response("{}", { status: 401 }));
    latest().onerror?.(new Event("error"));
    await pass(60_000);
    expect(feed.status.phase).toBe("signed-out");
    expect(feed.topics.size).toBe(0);
    expect(sources).toHaveLength(1);
    feed.retry();
    latest().begin();
    expect(feed.status.phase).toBe("live");
  });
});

describe("after sleep and loss", () => {
  it("does not take what it has for new when the clock has gone on without it", async () => {
    latest().begin();
    // A sleeping computer's timers stand still, its clock does not.
    vi.setSystemTime(Date.now() + 3_600_000);
    await pass(2_000);
    expect(feed.status.phase).toBe("stale");
    await pass(500);
    latest().begin();
    expect(feed.status.phase).toBe("live");
  });

  it("asks at once when the network seems to be gone, and believes the answer", async () => {
    latest().begin();
    answer = () => Promise.resolve(new Response("ok"));
    await feed.doubt();
    expect(feed.status.phase).toBe("live");
    answer = () => Promise.reject(new TypeError("no connection"));
    await feed.doubt();
    expect(feed.status.phase).toBe("stale");
  });

  it("says where the issuer's sign-in begins, and believes only a path of the gateway", async () => {
    const refused = async (sign_in: unknown) => {
      answer = () => Promise.resolve(Response.json({ code: "unauthorized", sign_in }, { status: 401 }));
      feed.retry();
      latest().onerror?.(new Event("error"));
      await pass(0);
      return feed.status;
    };
    expect(await refused("/api/v1/session/oidc/start")).toMatchObject({ phase: "signed-out", sign_in: "/api/v1/session/oidc/start" });
    expect((await refused("https://elsewhere.example")).sign_in).toBeUndefined();
  });
});

describe("backoff", () => {
  it("grows from 0.5 s to 30 s, at random in its upper half", () => {
    expect(backoff(0, 0)).toBe(500);
    expect(backoff(0, 1)).toBe(1_000);
    expect(backoff(3, 0)).toBe(4_000);
    expect(backoff(50, 0)).toBe(15_000);
    expect(backoff(50, 1)).toBe(30_000);
  });

  it("is used between failing attempts", async () => {
    const opened: number[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const before = sources.length;
      latest().onerror?.(new Event("error"));
      let waited = 0;
      while (sources.length === before) {
        await pass(100);
        waited += 100;
      }
      opened.push(waited);
    }
    expect(opened).toEqual([500, 1_000, 2_000, 4_000]);
  });
});
