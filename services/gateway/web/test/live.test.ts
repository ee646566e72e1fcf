import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LiveStore, type Edit } from "../src/api/live";
import { preset, presets, queue } from "./page";

const running = { download_id: "d", name: "D", status: "downloading" as const, progress: 10 };
const pauseIt: Edit = { topic: "queue", path: ["active", "d"], patch: { status: "paused" } };

let store: LiveStore;
const item = () => store.view().topics.queue?.data.active["d"];

beforeEach(() => {
  vi.useFakeTimers();
  store = new LiveStore();
  store.apply({ kind: "snapshot", topic: "queue", data: queue({ active: { d: running } }), at: 1 });
});

afterEach(() => vi.useRealTimers());

describe("the store", () => {
  it("shares what a change did not touch", () => {
    store.apply({ kind: "snapshot", topic: "presets", data: presets(preset("a"), preset("b")), at: 1 });
    const before = store.view().topics.presets!.data.presets;
    store.apply({ kind: "delta", topic: "presets", data: { presets: { a: { progress: 7 } } }, at: 2 });
    const after = store.view().topics.presets!;
    expect(after.data.presets["a"]?.progress).toBe(7);
    expect(after.data.presets["b"]).toBe(before["b"]);
    expect(after.at).toBe(2);
  });

  it("takes no change for a topic that it has no state of", () => {
    store.apply({ kind: "delta", topic: "resources", data: { cpu_percent: 1 }, at: 2 });
    expect(store.view().topics.resources).toBeUndefined();
  });

  it("tells what is followed, in one message, and forgets what nobody follows for a while", async () => {
    const told: (readonly string[])[] = [];
    store.onWanted((topics) => told.push(topics));
    const ends = [store.follow("queue"), store.follow("stats"), store.follow("queue")];
    await vi.advanceTimersByTimeAsync(10);
    expect(told).toEqual([["queue", "stats"]]);
    ends[0]?.();
    ends[1]?.();
    const again = store.follow("stats");
    await vi.advanceTimersByTimeAsync(20_000);
    expect(told).toHaveLength(1);
    again();
    ends[2]?.();
    ends[2]?.();
    expect(store.view().topics.queue).toBeDefined();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(store.view().topics.queue).toBeUndefined();
    expect(told.at(-1)).toEqual([]);
  });

  it("reads earlier entries again instead of leaving a hole between them and the newest", () => {
    const { generation } = store.view();
    for (let id = 0; id < 101; id += 1) {
      store.apply({ kind: "entry", entry: { id: `${id}`, type: "download", title: "t", timestamp: "2026-01-01T00:00:00Z" } });
    }
    expect(store.view().entries.map(({ id }) => id)).toEqual(["100"]);
    expect(store.view().generation).toBe(generation + 1);
  });

  it("shows an entry that comes twice once, newest first", () => {
    const entry = { type: "download", title: "t", timestamp: "2026-01-01T00:00:00Z" };
    for (const id of ["1", "2", "1"]) store.apply({ kind: "entry", entry: { ...entry, id } });
    expect(store.view().entries.map(({ id }) => id)).toEqual(["2", "1"]);
  });

  it("forgets the entries on a reset and has them read again", () => {
    store.apply({ kind: "entry", entry: { id: "1", type: "x", title: "t", timestamp: "" } });
    store.apply({ kind: "reset" });
    expect(store.view().entries).toEqual([]);
    expect(store.view().generation).toBe(1);
  });

  it("shows nothing of the former person after signing out", () => {
    store.apply({ kind: "status", status: { phase: "signed-out", since: 1 } });
    expect(store.view().topics).toEqual({});
  });

  it("tells its listeners once for a burst", () => {
    const listener = vi.fn<() => void>();
    store.subscribe(listener);
    vi.runAllTimers();
    listener.mockClear();
    for (let n = 0; n < 50; n += 1) store.apply({ kind: "delta", topic: "queue", data: { seq: n }, at: n });
    vi.runAllTimers();
    expect(listener).toHaveBeenCalledTimes(1);
  });
});

describe("what is expected", () => {
  it("is shown at once and taken back when refused", () => {
    const settle = store.expect([pauseIt]);
    expect(item()?.status).toBe("paused");
    settle(false);
    expect(item()?.status).toBe("downloading");
  });

  it("stays through progress, and gives way to what the server says", () => {
    const settle = store.expect([pauseIt]);
    store.apply({ kind: "delta", topic: "queue", data: { active: { d: { progress: 11 } } }, at: 2 });
    expect(item()).toMatchObject({ status: "paused", progress: 11 });
    settle(true);
    expect(item()?.status).toBe("paused");
    store.apply({ kind: "delta", topic: "queue", data: { active: { d: null }, queue: { d: { status: "paused" } } }, at: 3 });
    expect(item()).toBeUndefined();
  });

  it("does not outlive the server's answer by more than a second", () => {
    store.expect([pauseIt])(true);
    vi.advanceTimersByTime(1_100);
    expect(item()?.status).toBe("downloading");
  });

  it("never brings back what the server removed", () => {
    store.expect([pauseIt]);
    store.apply({ kind: "delta", topic: "queue", data: { active: { d: null } }, at: 2 });
    expect(item()).toBeUndefined();
  });
});
