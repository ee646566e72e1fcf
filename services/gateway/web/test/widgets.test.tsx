import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Endings } from "../src/Endings";
import activity, { merged } from "../src/widgets/activity";
import downloads from "../src/widgets/downloads";
import ended from "../src/widgets/ended";
import { cardOf, whatChanged } from "../src/presets/PresetCard";
import Presets, { handful } from "../src/presets/PresetList";
import diskHealth, { arc } from "../src/widgets/disk";
import overview from "../src/widgets/overview";
import projects from "../src/widgets/projects";
import recentModels, { recent } from "../src/widgets/recent";
import stats from "../src/widgets/stats";
import status from "../src/widgets/status";
import system from "../src/widgets/system";
import tasks, { hostOf, inOrder } from "../src/widgets/tasks";
import { Days } from "../src/Days";
import { curves, minutes, Sparkline } from "../src/Sparkline";
import { compact, count } from "../src/format";
import { dismiss } from "../src/toasts";
import { gateway, live, page, preset, presets, problem, queue, resources } from "./page";

const Downloads = downloads.component;
const Ended = ended.component;
const System = system.component;
const Activity = activity.component;

const running = {
  download_id: "d1",
  preset_id: "p1",
  name: "Flux",
  status: "downloading" as const,
  progress: 41.9,
  downloaded_bytes: 4_190_000_000,
  total_bytes: 10_000_000_000,
  speed: "45.2 MB/s",
  eta: "2m 8s",
  file: { path: "diffusion_models/flux.safetensors", kind: "diffusion_models", index: 2, count: 3 },
  attempt: 1,
};
const waiting = (id: string, position: number, status: "queued" | "paused" = "queued") => ({
  download_id: id,
  preset_id: `p-${id}`,
  name: `Model ${id}`,
  status,
  position,
  total_bytes: 1_000_000_000,
});

beforeEach(() => {
  gateway(() => Response.json({ hosts: {}, activities: [] }));
  HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) {
    this.open = true;
  };
  vi.stubGlobal("IntersectionObserver", class {
    observe() {}
    disconnect() {}
  });
});

afterEach(() => {
  cleanup();
  for (let id = 0; id < 200; id += 1) dismiss(id);
  vi.unstubAllGlobals();
});

describe("download queue", () => {
  it("is hidden while nothing is active or queued", () => {
    const { store } = page(<Downloads />);
    act(() => live(store, { queue: queue() }));
    expect(screen.queryByRole("region", { name: /download queue/i })).toBeNull();
  });

  it("shows progress, amount, speed, rest and file of the running download", async () => {
    const { store } = page(<Downloads />);
    live(store, { queue: queue({ current: "d1", active: { d1: running } }) });
    const region = await screen.findByRole("region", { name: "Download queue (1 active)" });
    expect(within(region).getByRole("progressbar").getAttribute("aria-valuenow")).toBe("41");
    for (const text of ["41%", "4.2 GB of 10.0 GB", "45.2 MB/s", "2m 8s left", "flux.safetensors"]) {
      expect(within(region).getByText(text)).toBeTruthy();
    }
    expect(within(region).getByText(/File 2 of 3 · diffusion model/)).toBeTruthy();
  });

  it("says which try failed and when the next one comes", async () => {
    const { store } = page(<Downloads />);
    const retrying = { status: "retrying" as const, tries: 2, max_tries: 3, error: "503 from the server", retry_at: new Date(Date.now() + 8_500).toISOString() };
    live(store, { queue: queue({ active: { d1: { ...running, ...retrying } } }) });
    expect(await screen.findByText(/^Try 2 of 3 failed, next in [89]s$/)).toBeTruthy();
    expect(screen.getByText("503 from the server")).toBeTruthy();
  });

  it("lists waiting ones by position, paused ones too, and moves them", async () => {
    const requests = gateway(() => Response.json({}));
    const { store } = page(<Downloads />);
    live(store, { queue: queue({ queue: { b: waiting("b", 2, "paused"), a: waiting("a", 1), c: waiting("c", 3) } }) });
    await screen.findByText("Model a");
    const names = () => screen.getAllByRole("heading", { level: 4 }).map((heading) => heading.textContent);
    expect(names()).toEqual(["Model a", "Model b", "Model c"]);
    expect(screen.getByText("Paused")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "Move Model c to the top" }));
    await waitFor(() => expect(names()).toEqual(["Model c", "Model a", "Model b"]));
    await waitFor(() => expect(requests).toHaveLength(1));
    expect(requests[0]).toMatchObject({ method: "POST", url: "/api/v1/downloads/c/move", body: { position: 1 } });
  });

  it("shows the first of many that wait, and leads to the rest", async () => {
    const { store } = page(<Downloads />);
    const many = Array.from({ length: 12 }, (_, index) => waiting(`${index}`, index + 1));
    live(store, { queue: queue({ queue: Object.fromEntries(many.map((item) => [item.download_id, item])) }) });
    await screen.findByText("Waiting (12)");
    expect(screen.getAllByRole("heading", { level: 4 })).toHaveLength(4);
    expect(screen.getByRole("link", { name: "And 8 more" }).getAttribute("href")).toBe("/models?status=queue");
  });

  it("pauses at once, and takes it back with the server's reason", async () => {
    let refuse: (response: Response) => void = () => undefined;
    const requests = gateway(() => new Promise((resolve) => (refuse = resolve)));
    const { store } = page(<Downloads />);
    live(store, { queue: queue({ current: "d1", active: { d1: running } }) });
    fireEvent.click(await screen.findByRole("button", { name: "Pause Flux" }));
    await screen.findByText("Paused");
    await waitFor(() => expect(requests[0]?.url).toBe("/api/v1/presets/p1/pause"));
    refuse(problem(409, "It is being verified and cannot be paused now."));
    await screen.findByText("It is being verified and cannot be paused now.");
    await screen.findByText("Downloading");
  });

  it("asks what shall become of the bytes before it cancels", async () => {
    const requests = gateway(() => Response.json({}));
    const { store } = page(<Downloads />);
    live(store, { queue: queue({ current: "d1", active: { d1: running } }) });
    fireEvent.click(await screen.findByRole("button", { name: "Cancel Flux" }));
    fireEvent.click(await screen.findByRole("radio", { name: /Delete it/ }));
    expect(requests).toHaveLength(0);
    fireEvent.click(screen.getByRole("button", { name: "Cancel download" }));
    await waitFor(() => expect(requests[0]?.url).toBe("/api/v1/presets/p1/cancel?keep_partial=false"));
  });

  it("controls single files by their download", async () => {
    const requests = gateway(() => Response.json({}));
    const { store } = page(<Downloads />);
    live(store, { queue: queue({ active: { d1: { ...running, preset_id: null } } }) });
    fireEvent.click(await screen.findByRole("button", { name: "Pause Flux" }));
    await waitFor(() => expect(requests[0]?.url).toBe("/api/v1/downloads/d1/pause"));
  });

  it("says since when its data is old", async () => {
    const { store } = page(<Downloads />);
    live(store, { queue: queue({ current: "d1", active: { d1: running } }) });
    store.apply({ kind: "status", status: { phase: "stale", since: Date.now() - 5_000 } });
    expect(await screen.findByText(/^Stale data · /)).toBeTruthy();
  });
});

describe("recently ended", () => {
  it("shows the reason of a failure in line, and retries", async () => {
    const requests = gateway(() => Response.json({ status: "retrying" }));
    const { store } = page(<Ended />);
    const failed = { ...running, status: "failed" as const, error: "403: licence not accepted", finished_at: "2026-01-01T00:00:00Z" };
    live(store, { queue: queue({ completed: { d1: failed } }) });
    await screen.findByText("403: licence not accepted");
    fireEvent.click(screen.getByRole("button", { name: "Retry Flux" }));
    await waitFor(() => expect(screen.queryByText("403: licence not accepted")).toBeNull());
    expect(requests[0]?.url).toBe("/api/v1/presets/p1/retry");
  });

  it("replaces what is in the way only after saying what that is", async () => {
    const requests = gateway(() => Response.json({ status: "retrying" }));
    const { store } = page(<Ended />);
    const failed = { ...running, status: "failed" as const, finished_at: "2026-01-01T00:00:00Z" };
    const why = "vae/a.bin exists already (5 bytes), but the catalog wants 7 bytes.";
    const own = { ...failed, download_id: "d2", preset_id: null, name: "Own file", error: why, error_code: "path_conflict" };
    live(store, { queue: queue({ completed: { d1: { ...failed, error: "403" }, d2: own } }) });
    expect(await screen.findAllByRole("button", { name: /^Retry / })).toHaveLength(2);
    fireEvent.click(screen.getByRole("button", { name: "Replace what is there for Own file" }));
    expect(screen.getAllByRole("button", { name: /^Replace what/ })).toHaveLength(1);
    const dialog = await screen.findByRole("dialog", { name: "Replace what is there for Own file?" });
    expect(within(dialog).getByText(why)).toBeTruthy();
    expect(requests).toHaveLength(0);
    fireEvent.click(within(dialog).getByRole("button", { name: "Replace" }));
    await waitFor(() => expect(requests[0]?.url).toBe("/api/v1/downloads/d2/retry?force=true"));
  });

  it("says when a download that was seen running has ended, and only then", async () => {
    const { store } = page(<Endings />);
    const old = { ...running, download_id: "old", name: "Old", status: "completed" as const };
    live(store, { queue: queue({ active: { d1: running }, completed: { old } }) });
    await waitFor(() => expect(store.view().topics.queue).toBeDefined());
    await act(() => new Promise((resolve) => requestAnimationFrame(() => resolve(undefined))));
    live(store, { queue: queue({ completed: { old, d1: { ...running, status: "completed" } } }) });
    await screen.findByText("Installed and checked.");
    expect(screen.queryByText("Old")).toBeNull();
  });
});

describe("presets", () => {
  const all = presets(
    preset("a", { status: "installed", installed: true, category: "Video" }),
    preset("b", { category: "Video", tags: ["fp8"], warnings: [{ code: "path_conflict", message: "vae.safetensors has two sources." }] }),
    preset("c", { status: "queued" }),
    preset("d", { status: "downloading", progress: 12.7 }),
    preset("e", { status: "paused", progress: 40 }),
    preset("f", { status: "failed", error: "No space left." }),
  );
  const card = (id: string) => document.querySelector<HTMLElement>(`[data-preset="${id}"]`)!;

  it("has the six states with their buttons", async () => {
    const { store } = page(<Presets />);
    live(store, { presets: all });
    await screen.findByText("Preset a");
    const seen = ["a", "b", "c", "d", "e", "f"].map((id) => [
      card(id).querySelector(".badge")?.textContent,
      card(id).querySelector("button")?.textContent,
    ]);
    expect(seen).toEqual([
      ["Installed", undefined],
      ["Available", "Install"],
      ["Queued", "In Queue"],
      ["Downloading", "Pause"],
      ["Paused", "Resume"],
      ["Failed", "Retry"],
    ]);
    expect(within(card("c")).getByText("Waiting…")).toBeTruthy();
    expect(within(card("d")).getByText("12%")).toBeTruthy();
    expect(within(card("f")).getByText("No space left.")).toBeTruthy();
    expect(within(card("b")).getByText("vae.safetensors has two sources.")).toBeTruthy();
  });

  it("says what is odd about the catalog itself", async () => {
    const { store } = page(<Presets />);
    live(store, { presets: { ...all, warnings: [{ code: "invalid_preset", message: "The preset 'x' is left out." }] } });
    expect(await screen.findByText("The preset 'x' is left out.")).toBeTruthy();
  });

  it("installs: queued at once, back to available with the reason when refused", async () => {
    let refuse: (response: Response) => void = () => undefined;
    gateway(() => new Promise((resolve) => (refuse = resolve)));
    const { store } = page(<Presets />);
    live(store, { presets: all });
    fireEvent.click(await screen.findByRole("button", { name: "Install Preset b" }));
    await waitFor(() => expect(card("b").querySelector(".badge")?.textContent).toBe("Queued"));
    refuse(problem(409, "Another preset claims vae.safetensors."));
    await screen.findByText("Another preset claims vae.safetensors.");
    await waitFor(() => expect(card("b").querySelector(".badge")?.textContent).toBe("Available"));
  });

  it("offers an update of what the catalog changed, and says what that is", async () => {
    const requests = gateway(() => Response.json({ status: "queued" }));
    const { store } = page(<Presets />);
    const changed_files = [
      { path: "vae/a.bin", change: "changed" as const },
      { path: "vae/b.bin", change: "new" as const },
      { path: "vae/c.bin", change: "new" as const },
    ];
    const old = preset("a", {
      status: "installed", installed: true, update_available: true, version: "2.0.0", installed_version: "1.0.0", changed_files,
    });
    live(store, { presets: presets(old, preset("b", { status: "installed", installed: true, update_available: false })) });
    await screen.findByText("Update available");
    expect(whatChanged(old)).toBe("1.0.0 → 2.0.0: 2 new files, 1 changed");
    expect(card("b").querySelector("button")).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: "Update Preset a" }));
    await waitFor(() => expect(requests[0]?.url).toBe("/api/v1/presets/a/install"));
    await screen.findByText("The update is in the download queue.");
  });

  it("replaces what is in a preset's way after a question", async () => {
    const requests = gateway(() => Response.json({ status: "retrying" }));
    const { store } = page(<Presets />);
    const error = "vae/a.bin exists already.";
    live(store, { presets: presets(preset("a", { status: "failed", error, error_code: "path_conflict", download_id: "a-1" })) });
    fireEvent.click(await screen.findByRole("button", { name: "Replace what is there for Preset a" }));
    fireEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Replace" }));
    await waitFor(() => expect(requests[0]?.url).toBe("/api/v1/presets/a/retry?force=true"));
  });

  it("are a handful: what wants somebody, then the smallest that can be installed, then what is there", () => {
    const sizes = [9, 3, 5, 7, 1].map((gb, index) => preset(`s${index}`, { size_bytes: gb * 1e9 }));
    const some = presets(preset("in", { installed: true, status: "installed" }), ...sizes, preset("broken", { status: "failed" }), preset("unknown", { size_bytes: null }));
    expect(handful(some.presets)).toEqual(["broken", "s4", "s1", "s2", "s3", "s0"]);
    expect(handful(all.presets)).toEqual(["e", "f", "b", "c", "d", "a"]);
  });

  it("keep their places while one is installed, and lead to all of them", async () => {
    const { store } = page(<Presets />);
    const many = Array.from({ length: 8 }, (_, index) => preset(`p${index}`, { size_bytes: (index + 1) * 1e9 }));
    const shown = () => [...document.querySelectorAll<HTMLElement>("[data-preset]")].map(({ dataset }) => dataset["preset"]);
    live(store, { presets: presets(...many) });
    await screen.findByText("Preset p0");
    const before = shown();
    expect(before).toHaveLength(6);
    live(store, { presets: presets(preset("p0", { installed: true, status: "installed" }), ...many.slice(1)) });
    await waitFor(() => expect(card("p0").querySelector(".badge")?.textContent).toBe("Installed"));
    expect(shown()).toEqual(before);
    expect(screen.getByRole("link", { name: "View all 8 presets" }).getAttribute("href")).toBe("/models");
  });

  it("say what to do when the catalog is empty", async () => {
    const { store } = page(<Presets />);
    live(store, { presets: presets() });
    await screen.findByText(/The catalog has no presets yet/);
  });

  it("is loading, then in error, never empty, while there is no answer", async () => {
    const { store, connection } = page(<Presets />);
    expect(screen.getByText("Loading presets…")).toBeTruthy();
    store.apply({ kind: "status", status: { phase: "connecting", since: Date.now() - 5_000 } });
    fireEvent.click(await screen.findByRole("button", { name: "Try again" }));
    expect(connection.retry).toHaveBeenCalledOnce();
  });

  it("maps every state of the server to a card", () => {
    const states = ["available", "cancelled", "verifying", "retrying", "completed"] as const;
    expect(states.map((status) => cardOf(preset("x", { status })))).toEqual([
      "available",
      "available",
      "downloading",
      "downloading",
      "installed",
    ]);
  });
});

describe("system resources", () => {
  const meter = (name: string) => screen.findByRole("meter", { name });

  it("classes at the limits upward", async () => {
    const { store } = page(<System />);
    live(store, {
      resources: resources({ memory: { total: 10, used: 7, percent: 70 }, disk: { total: 100, used: 95, free: 5, percent: 95 } }),
    });
    expect((await meter("Memory")).getAttribute("aria-valuetext")).toBe("70%, high");
    expect((await meter("Models disk")).getAttribute("aria-valuetext")).toBe("95%, critical");
    expect((await meter("CPU")).getAttribute("aria-valuetext")).toBe("12%, normal");
  });

  it("hides GPUs that are not there", async () => {
    const { store } = page(<System />);
    live(store, { resources: resources({ gpu: { devices: [] } }) });
    await meter("CPU");
    expect(screen.queryByText(/GPU/)).toBeNull();
  });

  it("shows both figures of a GPU", async () => {
    const { store } = page(<System />);
    live(store, { resources: resources({ gpu: { devices: [{ name: "RTX", memory_used_bytes: 12e9, memory_total_bytes: 24e9, utilization: 85 }] } }) });
    expect((await meter("GPU memory")).getAttribute("aria-valuetext")).toBe("50%, normal");
    expect((await meter("GPU load")).getAttribute("aria-valuetext")).toBe("85%, critical");
  });

  it("says when a host has fallen silent", async () => {
    const { store } = page(<System />);
    live(store, { resources: resources({ stale: true, at: "2026-01-01T00:00:00Z" }) });
    expect(await screen.findByText(/^This host is silent: the figures are of /)).toBeTruthy();
  });

  it("shows a failed disk probe as an error, never as zero", async () => {
    const { store } = page(<System />);
    live(store, { resources: resources({ disk: { error: "Input/output error" } }) });
    await screen.findByText("Input/output error");
    expect(screen.getByText("probe failed")).toBeTruthy();
    expect(screen.queryByRole("meter", { name: "Models disk" })).toBeNull();
  });
});

describe("activity", () => {
  const entry = (id: string, minute: number) => ({
    id,
    type: "download",
    status: "completed",
    title: `Entry ${id}`,
    timestamp: `2026-01-01T00:0${minute}:00Z`,
    link: "/models?preset=x",
  });

  it("joins what was and what comes, each once, newest first", () => {
    expect(merged([entry("3", 3), entry("2", 2)], [entry("2", 2), entry("1", 1)]).map(({ id }) => id)).toEqual(["3", "2", "1"]);
  });

  it("inserts live, and clears", async () => {
    const kept = [entry("1", 1)];
    const requests = gateway(({ method }) => {
      if (method === "GET") return Response.json({ activities: [...kept] });
      kept.length = 0;
      return new Response(null, { status: 204 });
    });
    const { store } = page(<Activity />);
    await screen.findByText("Entry 1");
    store.apply({ kind: "entry", entry: entry("2", 2) });
    await screen.findByText("Entry 2");
    fireEvent.click(screen.getByRole("button", { name: "Clear all activity" }));
    await screen.findByText("No recent activity");
    expect(requests.map(({ method }) => method)).toContain("DELETE");
  });

  it("links only to pages of this product", async () => {
    gateway(() => Response.json({ activities: [{ ...entry("1", 1), link: "javascript:alert(1)" }, { ...entry("2", 2), link: "//evil" }] }));
    page(<Activity />);
    await screen.findByText("Entry 1");
    expect(document.querySelector(".feed a")).toBeNull();
  });

  it("shows an error with its reason, not an empty list", async () => {
    gateway(() => problem(401, "Sign in first."));
    page(<Activity />);
    await screen.findByText(/Sign in first\./);
    expect(screen.queryByText("No recent activity")).toBeNull();
  });
});

const silent = {
  statistics: {
    totalConversations: 0, totalMessages: 0, totalTrainingJobs: 0, activeTrainingJobs: 0, totalModels: 0, runningServers: 0, totalDatasets: 0,
    readyDatasets: 0, tokensThisWeek: 0, messagesToday: 0,
  },
  systemStatus: { trainingServer: "offline", database: "connected", inferenceServers: 0 },
  quickStats: {},
  recentActivity: {},
  absent: ["conversations", "training", "models", "inference", "datasets", "gpu"],
};

describe("numbers", () => {
  const stated = { modelsInstalled: 2450, model_files: 1, storageUsed: "0 GB", storage_used_bytes: 0, totalGenerations: 0, activeWorkflows: 0 };

  it("are shortened only when they are long", () => {
    expect([count(2450), compact(2450), compact(1_234_567)]).toEqual(["2,450", "2,450", "1.2M"]);
  });

  it("are four, and none for a source that never reported", async () => {
    const { store } = page(<stats.component />);
    live(store, { stats: { ...stated, absent: ["generations"] } });
    await screen.findByText("2,450");
    const figures = screen.getAllByRole("listitem").map((item) => item.querySelector(".figure")?.textContent);
    expect(figures).toEqual(["2,450", "0 GB", "–", "–"]);
    live(store, { stats: { ...stated, absent: [] } });
    await waitFor(() => expect(screen.getAllByText("0")).toHaveLength(2));
  });

  it("are six for the workspace, with their sub-counts", async () => {
    const { store } = page(<overview.component />);
    live(store, { overview: silent });
    await screen.findByText("No chats, trainings or datasets yet");
    live(store, { overview: { ...silent, absent: silent.absent.filter((name) => name !== "datasets") } });
    await waitFor(() => expect(screen.getAllByText("no source yet")).toHaveLength(5));
    const statistics = { ...silent.statistics, totalConversations: 2450, totalTrainingJobs: 12, activeTrainingJobs: 2, tokensThisWeek: 1_200_000 };
    live(store, { overview: { ...silent, statistics, absent: [], quickStats: { trainingSuccessRate: 75 } } });
    for (const text of ["2,450", "12", "2 active", "1.2M", "this week", "Trainings that succeed: 75%"]) expect(await screen.findByText(text)).toBeTruthy();
  });
});

describe("system status", () => {
  it("has a word for each real state, and for what was never reported", async () => {
    const { store } = page(<status.component />);
    live(store, { overview: silent });
    for (const text of ["connected", "no GPU reported", "never reported", "none reported"]) expect(await screen.findByText(text)).toBeTruthy();
    const systemStatus = {
      trainingServer: "offline", database: "disconnected", inferenceServers: 2, gpuMemory: { used: 18.7e9, total: 24e9, percentage: 78 },
    };
    live(store, { overview: { ...silent, systemStatus, absent: [] } });
    expect((await screen.findByText("18.7 GB of 24.0 GB, high")).className).toContain("warn");
    expect(screen.getByText("disconnected").className).toContain("bad");
    expect(screen.getByText("2 active").className).toContain("ok");
  });

  it("names the services that are down, and those alone", async () => {
    const { store } = page(<status.component />);
    const services = (catalog: boolean) => ({ ...silent, systemStatus: { ...silent.systemStatus, services: { downloader: true, catalog, telemetry: true } } });
    live(store, { overview: services(true) });
    expect((await screen.findByText("all running")).className).toContain("ok");
    live(store, { overview: services(false) });
    expect((await screen.findByText("down")).className).toContain("bad");
    expect(screen.getByText("Catalog")).toBeTruthy();
    expect(screen.queryByText("Downloader")).toBeNull();
  });

  it("shows a watched ComfyUI, why it is away, and no word of it where none is watched", async () => {
    const { store } = page(<status.component />);
    const watching = (comfyui: Record<string, unknown> | undefined) => ({ ...silent, systemStatus: { ...silent.systemStatus, ...(comfyui && { comfyui }) } });
    live(store, { overview: watching(undefined) });
    await screen.findByText("Event log");
    expect(screen.queryByText(/ComfyUI/)).toBeNull();
    live(store, { overview: watching({ studio: { status: "ok", running: 1, pending: 3, version: "0.3.60" } }) });
    expect((await screen.findByText("1 running, 3 waiting")).className).toContain("ok");
    expect(screen.getByText("Version 0.3.60")).toBeTruthy();
    live(store, { overview: watching({ studio: { status: "away", error: "connection refused" }, lab: { status: "silent" } }) });
    expect((await screen.findByText("cannot be reached")).className).toContain("bad");
    expect(screen.getByText("connection refused")).toBeTruthy();
    expect(screen.getByText("ComfyUI lab")).toBeTruthy();
    expect(screen.getByText("not heard of").className).toContain("warn");
    live(store, { overview: watching({ studio: { status: "ok", running: 0, pending: 0 } }) });
    await screen.findByText("idle");
  });
});

describe("active tasks", () => {
  const task = (id: string, more: object) => ({ id, job_id: id, job_type: "training", name: `Job ${id}`, status: "running", ...more });

  it("come as they run, wait by their place, and ended", () => {
    const list = [
      task("old", { status: "completed", finished_at: "2026-01-01T00:00:00Z" }),
      task("new", { status: "failed", finished_at: "2026-01-02T00:00:00Z" }),
      task("second", { status: "queued", queue_position: 2 }),
      task("first", { status: "queued", queue_position: 1 }),
      task("runs", {}),
    ];
    expect(inOrder(Object.fromEntries(list.map((item) => [item.id, item]))).map(({ id }) => id)).toEqual(["runs", "first", "second", "new", "old"]);
  });

  it("say what, where, how long and how far", async () => {
    const { store } = page(<tasks.component />);
    const running = task("a", { progress_pct: 41.5, worker_id: "gpu-2", submitted_by: "Ana", started_at: new Date(Date.now() - 61_000).toISOString() });
    live(store, { "active-tasks": { tasks: { a: running } } });
    expect((await screen.findByRole("progressbar", { name: "Progress of Job a" })).getAttribute("aria-valuenow")).toBe("41");
    expect(screen.getByText(/training · on gpu-2 · by Ana · 1m \ds so far/)).toBeTruthy();
    live(store, { "active-tasks": { tasks: {} } });
    await screen.findByText("No active tasks");
  });
});

describe("a worker", () => {
  it("is known by its host", () => {
    expect(hostOf("vm-21440-4c2942a1")).toBe("vm");
    expect(hostOf("gpu-2")).toBe("gpu-2");
  });
});

describe("a trend", () => {
  it("is said in words too, and not drawn of a single day", () => {
    page(<Days counts={[0, 0, 3, 0, 0, 1, 1200]} label="Messages" />);
    expect(screen.getByRole("img").getAttribute("aria-label")).toBe("Messages on the last 7 days, today last: 0, 0, 3, 0, 0, 1, 1,200");
    expect(document.querySelectorAll("rect")).toHaveLength(7);
    cleanup();
    page(<Days counts={[0, 0, 0, 0, 0, 0, 5]} label="Messages" />);
    expect(screen.queryByRole("img")).toBeNull();
  });
});

describe("project progress", () => {
  it("shows approved scenes, and which project is blocked", async () => {
    const { store } = page(<projects.component />);
    const project = { project_id: "p", project_name: "Film", status: "blocked", scenes_approved: 8, scenes_total: 10, progress_pct: 80, status_color: "red" };
    live(store, { "project-progress": { projects: { p: project } } });
    await screen.findByText("8/10 scenes");
    expect(screen.getByText("blocked")).toBeTruthy();
    live(store, { "project-progress": { projects: {} } });
    await screen.findByText("No active projects");
  });
});

describe("disk health", () => {
  const limits = { warning_threshold: 0.8, critical_threshold: 0.9, disks: [] };

  it("is a gauge with a word, never a zero for a failed reading", async () => {
    const { store } = page(<diskHealth.component />);
    live(store, { "disk-health": { ...limits, status: "critical", usage_pct: 0.9, used_bytes: 9e11, free_bytes: 1e11, total_bytes: 1e12 } });
    expect((await screen.findByRole("meter", { name: "Disk usage" })).getAttribute("aria-valuetext")).toBe("90%, Nearly full");
    expect(screen.getByText("100 GB")).toBeTruthy();
    live(store, { "disk-health": { ...limits, status: "error", error: "Input/output error" } });
    await screen.findByText("Input/output error");
    expect(screen.queryByRole("meter")).toBeNull();
  });

  it("draws arcs from the lower left, the long way where it is more than half a circle", () => {
    expect(arc(0, 0.5)).toBe("M24.64 95.36A50 50 0 0 1 60.00 10.00");
    expect(arc(0, 1)).toContain(" 0 1 1 ");
  });
});

describe("recent models", () => {
  const made = (id: string, modified_at: string) => preset(id, { installed: true, status: "installed", modified_at });

  it("are the newest installed ones, filled up with available ones", () => {
    const all = presets(preset("x"), made("a", "2026-01-01"), made("b", "2026-01-03"), preset("q", { status: "queued" }), preset("y"));
    expect(recent(all.presets).map(({ id }) => id)).toEqual(["b", "a", "x"]);
    const many = presets(...["1", "2", "3", "4"].map((day) => made(day, `2026-01-0${day}`)));
    expect(recent(many.presets).map(({ id }) => id)).toEqual(["4", "3", "2"]);
  });

  it("say when none is installed, and offer what there is", async () => {
    const requests = gateway(() => Response.json({ status: "queued" }));
    const { store } = page(<recentModels.component />);
    live(store, { presets: presets(preset("x")) });
    await screen.findByText(/No models installed yet/);
    fireEvent.click(screen.getByRole("button", { name: "Install Preset x now" }));
    await waitFor(() => expect(requests[0]?.url).toBe("/api/v1/presets/x/install"));
  });
});

describe("a section's states", () => {
  it.each([
    ["loading", "Loading the numbers…", 0],
    ["failed", "The numbers could not be loaded: The gateway cannot be reached.", 5_000],
  ])("%s", async (_, text, awayMs) => {
    const { store, connection } = page(<stats.component />);
    store.apply({ kind: "status", status: { phase: "connecting", since: Date.now() - awayMs } });
    await screen.findByText(text);
    if (!awayMs) return;
    fireEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(connection.retry).toHaveBeenCalledOnce();
  });
});

describe("the last hour", () => {
  it("is drawn with gaps where nothing was read", () => {
    const start = Date.parse("2026-01-01T00:00:00Z");
    const at = (minute: number, value?: number) => ({ at: start + minute * 60_000, value });
    const { line } = curves([at(0, 0), at(0.5, 100), at(10, 50), at(10.5, 50), at(60)], start + 3_600_000);
    expect(line.match(/M/g)).toHaveLength(2);
    expect(line.startsWith("M0.0 31.0L1.0 1.0M")).toBe(true);
  });

  it("fills its width however short it is, and says how long that was", () => {
    const start = Date.parse("2026-01-01T00:00:00Z");
    const samples = [0, 30, 240].map((second) => ({ at: start + second * 1000, value: 50 }));
    const { line } = curves(samples, start + 240_000);
    expect(line.startsWith("M0.0 16.0L15.0 16.0")).toBe(true);
    expect(line.endsWith("120.0 16.0")).toBe(true);
    page(<Sparkline samples={samples} label="CPU" />);
    expect(screen.getByRole("img").getAttribute("aria-label")).toBe("CPU in the last 4 minutes: 50% to 50%");
    cleanup();
    page(<Sparkline samples={samples.slice(0, 2)} label="CPU" />);
    expect(screen.queryByRole("img")).toBeNull();
    expect([59_000, 119_000, 3_600_000].map(minutes)).toEqual(["minute", "2 minutes", "hour"]);
  });
});
