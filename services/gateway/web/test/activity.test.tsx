import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import Activity from "../src/pages/Activity";
import { byDay, containing } from "../src/pages/activity/days";
import { earlier, later, positionOf, readingsAt, typeInWords, type Place } from "../src/pages/activity/moments";
import { DownloadStory } from "../src/parts/DownloadStory";
import { navigate } from "../src/router";
import type { ActivityEntry } from "../src/api/types";
import { gateway, live, page, preset, presets, problem, queue, type Request } from "./page";

function entry(id: string, more: Partial<ActivityEntry> = {}): ActivityEntry {
  return { id, type: "download", category: "job", status: "completed", title: `Title ${id}`, subtitle: "1 file", timestamp: "2026-01-02T10:00:00Z", link: "/models", ...more };
}

function event(seq: number) {
  return { seq, time: new Date(Date.UTC(2026, 0, 1, 0, 0, seq)).toISOString(), type: "modeldeck.download.queued.v1", id: `${seq}`, source: "x", subject: "y", specversion: "1.0", data: {} };
}

/** A log of 100 facts, one each second. */
function answered({ url }: Request): Response {
  const asked = new URL(url, "http://page");
  const query = asked.searchParams;
  switch (asked.pathname) {
    case "/api/v1/activity":
      return Response.json({ activities: query.has("at") ? [entry("old")] : [entry("b", { seq: 80 }), entry("a", { title: "Museum", seq: 60, project_name: "Lobby" })] });
    case "/api/v1/events":
      return Response.json({ events: [event(Math.max(1, Number(query.get("after")) + 1))], seq: 1, id: "e", more: true });
    case "/api/v1/system/health":
      return Response.json({ status: "ready", epoch: "e", seq: 100, services: {} });
    case "/api/v1/state":
      return Response.json({
        queue: queue({ queue: { d: { download_id: "d", name: "Flux", status: "queued", position: 1 } } }),
        stats: { totalGenerations: 0, modelsInstalled: 1, storageUsed: "1 GB", activeWorkflows: 0, model_files: 3, storage_used_bytes: 1e9, absent: ["generations"] },
        templates: { templates: {}, total: 8, compatible: 5, skipped: {} },
        presets: presets(preset("sd", { installed: true }), preset("flux")),
      });
    default:
      return Response.json({});
  }
}

beforeEach(() => {
  HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) {
    this.open = true;
  };
  vi.stubGlobal("IntersectionObserver", class {
    observe() {}
    disconnect() {}
  });
  navigate("/activity");
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe("the log", () => {
  it("is split by the reader's days", () => {
    const now = new Date(2026, 4, 3, 12).getTime();
    const at = (day: number, hour: number) => entry(`${day} ${hour}`, { timestamp: new Date(2026, 4, day, hour).toISOString() });
    const days = byDay([at(3, 1), at(2, 23), at(2, 1), at(1, 5)], now);
    expect(days.map(({ day, entries }) => [day, entries.length])).toEqual([["Today", 1], ["Yesterday", 2], [expect.stringMatching(/May 1, 2026/), 1]]);
  });

  it("is searched in all that a row says", () => {
    const list = [entry("a", { title: "Museum, lobby", subtitle: "CUDA out of memory" }), entry("b")];
    expect(containing(list, "MUSEUM cuda").map(({ id }) => id)).toEqual(["a"]);
    expect(containing([entry("c", { project_name: "Lobby" })], "lobby")).toHaveLength(1);
    expect(containing(list, " ")).toBe(list);
  });

  it("is filtered on the server, and the address says how", async () => {
    const requests = gateway(answered);
    const { store } = page(<Activity />);
    act(() => live(store, { queue: queue() }));
    await screen.findByText("Museum");
    fireEvent.change(screen.getByRole("searchbox", { name: "Search the log" }), { target: { value: "museum" } });
    await waitFor(() => expect(screen.queryByText("Title b")).toBeNull());
    fireEvent.change(screen.getByRole("combobox", { name: "Kind" }), { target: { value: "review" } });
    await waitFor(() => expect(requests.some(({ url }) => url.includes("category=review") && url.includes("text=museum"))).toBe(true));
    expect(location.search).toBe("?q=museum&category=review");
    fireEvent.click(screen.getByRole("button", { name: "No filters" }));
    await screen.findByText("Title b");
    expect(location.search).toBe("");
  });

  it("has what else is known of an entry, and where it leads, below it", async () => {
    gateway(answered);
    page(<Activity />);
    const toggle = await screen.findByRole("button", { name: /Details of Museum/ });
    expect(toggle.getAttribute("aria-expanded")).toBe("false");
    fireEvent.click(toggle);
    expect(screen.getByText("60")).toBeTruthy();
    expect(screen.getByRole("link", { name: "Open the models" }).getAttribute("href")).toBe("/models");
    expect(screen.queryByRole("button", { name: "Story of this download" })).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: "See everything as it was then" }));
    await screen.findByText("Installed presets");
    expect(location.search).toBe("?at=60");
  });

  it("says why it could not be read", async () => {
    gateway(() => problem(503, "The log is being replaced."));
    page(<Activity />);
    await screen.findByText("The log could not be loaded: The log is being replaced.", undefined, { timeout: 5_000 });
  });

  it("is cleared only after asking, and shown again", async () => {
    let hidden = false;
    const requests = gateway((request) => {
      if (request.method !== "GET") hidden = request.method === "DELETE";
      return hidden && request.url.startsWith("/api/v1/activity?") ? Response.json({ activities: [], hidden: { up_to_seq: 9, at: "2026-01-02T10:00:00Z" } }) : answered(request);
    });
    page(<Activity />);
    fireEvent.click(await screen.findByRole("button", { name: "Clear all…" }));
    expect(requests.some(({ method }) => method === "DELETE")).toBe(false);
    fireEvent.click(within(screen.getByRole("dialog", { name: "Clear the activity?" })).getByRole("button", { name: "Clear all" }));
    await waitFor(() => expect(requests.some(({ method, url }) => method === "DELETE" && url === "/api/v1/activity/clear")).toBe(true));
    await screen.findByText("Nothing has happened since you cleared the log.");
    fireEvent.click(within(screen.getByRole("region", { name: "Log" })).getByRole("button", { name: "Show it again" }));
    await screen.findByText("Museum");
    expect(requests.some(({ method, url }) => method === "POST" && url === "/api/v1/activity/restore")).toBe(true);
  });
});

describe("looking back", () => {
  it("finds the last position at a time, with few questions", async () => {
    const ask = vi.fn((seq: number): Promise<Place> => Promise.resolve(event(seq)));
    const span = { first: event(1), head: 100_000 };
    expect(await positionOf(Date.parse(event(777).time) + 500, span, ask)).toBe(777);
    expect(ask.mock.calls.length).toBeLessThan(20);
    expect(await positionOf(Date.parse(event(1).time) - 1, span, ask)).toBe(0);
    expect(await positionOf(Infinity, span, ask)).toBe(100_000);
  });

  it("passes over facts that the reader may not see", async () => {
    const visible = (seq: number) => Promise.resolve(seq <= 40 ? event(seq) : seq <= 60 ? event(60) : undefined);
    expect(await positionOf(Date.parse(event(50).time), { first: event(1), head: 70 }, visible)).toBe(40);
    expect(await positionOf(Date.parse(event(60).time), { first: event(1), head: 70 }, visible)).toBe(60);
  });

  it("shows what the machines read nearest to it, and nothing from far away", () => {
    const hosts = { vm: [{ at: "2026-01-01T00:00:00Z", cpu_percent: 10 }, { at: "2026-01-01T00:00:10Z", cpu_percent: 20 }] };
    expect(readingsAt(hosts, Date.parse("2026-01-01T00:00:08Z"))).toEqual([{ host: "vm", cpu: 20 }]);
    expect(readingsAt(hosts, Date.parse("2026-01-01T01:00:00Z"))).toBeUndefined();
    expect(typeInWords("modeldeck.download.file-completed.v1")).toBe("download file completed");
  });

  it("steps from event to event", () => {
    const marks = [3, 7, 9].map((seq) => ({ seq, tone: "ok" as const, says: "" }));
    expect([earlier(marks, 9, 1), earlier(marks, 3, 1), earlier(marks, 1, 1)]).toEqual([7, 2, 1]);
    expect([later(marks, 3), later(marks, 8), later(marks, 9)]).toEqual([7, 9, undefined]);
  });

  it("goes to the event before by a key, and plays on to now", async () => {
    gateway(answered);
    page(<Activity />);
    fireEvent.click(screen.getByRole("button", { name: "Look back…" }));
    fireEvent.click(await screen.findByRole("button", { name: "The event before" }));
    await screen.findByText("Title b · completed", { exact: false });
    expect(location.search).toBe("?at=80");
    fireEvent.keyDown(screen.getByRole("slider"), { key: "," });
    await waitFor(() => expect(location.search).toBe("?at=60"));
    fireEvent.click(screen.getByRole("button", { name: "Play what happened" }));
    await waitFor(() => expect(location.search).toBe("?at=80"), { timeout: 3_000 });
    await waitFor(() => expect(location.search).toBe(""), { timeout: 3_000 });
    expect(screen.getByRole("button", { name: "Play what happened" })).toBeTruthy();
  });

  it("asks only where the slider rests, shows it as past, and comes back by one key", async () => {
    const requests = gateway(answered);
    const { store } = page(<Activity />);
    act(() => live(store, { queue: queue() }));
    fireEvent.click(screen.getByRole("button", { name: "Look back…" }));
    const slider = await screen.findByRole("slider", { name: "Position of the log" });
    for (const value of [90, 70, 50]) fireEvent.change(slider, { target: { value } });
    await screen.findByText("Flux");
    const asked = requests.filter(({ url }) => url.startsWith("/api/v1/state"));
    expect(asked.map(({ url }) => new URL(url, "http://page").searchParams.get("at"))).toEqual(["100", "50"]);
    expect(screen.getByText("5")).toBeTruthy();
    expect(screen.getByText("of 8")).toBeTruthy();
    expect(screen.getByText("Readings of the machines are kept for an hour; this moment is older.")).toBeTruthy();
    await screen.findByText("Title old");
    expect(screen.getByRole("heading", { name: /The log then/ })).toBeTruthy();
    fireEvent.keyDown(slider, { key: "Escape" });
    await screen.findByText("Museum");
    expect(location.search).toBe("");
  });

  it("tells the server's reason when a moment cannot be shown", async () => {
    navigate("/activity?at=7");
    gateway((request) => (request.url.startsWith("/api/v1/state") ? problem(422, "Resources of the past are not kept.") : answered(request)));
    page(<Activity />);
    await screen.findByText("That moment could not be loaded: Resources of the past are not kept.");
  });
});

it("tells a download's story by its attempts, hosts, bytes and reasons", async () => {
  gateway(() =>
    Response.json({
      download_id: "d",
      attempts: [
        { attempt: 1, worker: "gpu-2", started_at: "2026-01-01T00:00:00Z", ended_at: "2026-01-01T00:02:05Z", outcome: "failed", reason: "503 from the server", hosts: ["hub.test"], fetched_bytes: 2e9, retries: 3 },
        { attempt: 2, worker: "gpu-2", started_at: "2026-01-01T00:03:00Z", outcome: "running" },
      ],
      events: [
        { seq: 1, time: "2026-01-01T00:00:00Z", type: "modeldeck.download.queued.v1", actor: "ana" },
        { seq: 2, time: "2026-01-01T00:00:01Z", type: "modeldeck.download.something-new.v1" },
        { seq: 3, time: "2026-01-01T00:02:05Z", type: "modeldeck.download.failed.v1", reason: "503 from the server", host: "hub.test" },
      ],
    }),
  );
  const { store } = page(<DownloadStory id="d" name="Flux" onClose={() => undefined} />);
  act(() => live(store, { queue: queue({ active: { d: { download_id: "d", name: "Flux", status: "downloading", progress: 12.9, speed: "45 MB/s" } } }) }));
  await screen.findByText("2 attempts");
  expect(screen.getByText("took 2m 5s · 2.0 GB fetched · 3 retries · from hub.test · by gpu-2")).toBeTruthy();
  expect(screen.getByText("by ana")).toBeTruthy();
  expect(screen.getByText("something new")).toBeTruthy();
  expect(screen.getAllByText("503 from the server")).toHaveLength(2);
  expect((await screen.findByRole("progressbar", { name: "Progress" })).getAttribute("aria-valuenow")).toBe("12");
});
