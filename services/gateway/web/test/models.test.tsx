import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import Models from "../src/pages/Models";
import { addressOf, placeOf } from "../src/pages/models/address";
import { fitting, NOTHING, options, sizeClass, sorted, type Listing } from "../src/pages/models/facets";
import { hasNews, signs } from "../src/pages/models/Featured";
import { largest } from "../src/pages/models/Storage";
import { likelyFolder, readSource } from "../src/pages/models/source";
import { placed } from "../src/pages/models/placed";
import { obstacle } from "../src/pages/models/useStart";
import { dismiss } from "../src/toasts";
import { gateway, live, page, preset, presets, queue, type Request } from "./page";

const GB = 1e9;

describe("what a person writes to name a model", () => {
  it.each([
    ["Qwen/Qwen3-8B-GGUF", "hub"],
    ["Qwen/Qwen3-8B-GGUF@main", "hub"],
    ["hf://Qwen/Qwen3-8B-GGUF/x.gguf", "hub"],
    ["https://huggingface.co/Qwen/Qwen3-8B-GGUF", "hub"],
    ["huggingface.co/Qwen/Qwen3-8B-GGUF/blob/main/x.gguf", "hub"],
    ["https://civitai.com/models/4201?modelVersionId=130072", "hub"],
    ["civitai:4201", "hub"],
    ["http://127.0.0.1:9/org/repo", "hub"],
    ["https://example.org/a/b/lora.safetensors?x=1", "file"],
    ["https://example.org/lora.safetensors", "file"],
    ["", "nothing"],
  ])("reads %s as %s", (text, kind) => expect(readSource(text).kind).toBe(kind));

  it.each([
    ["Qwen", false],
    ["Qwen/", false],
    ["https://", false],
    ["https://huggingface.co/Qwen", false],
    ["two words", true],
    ["ftp://example.org/x.bin", true],
    ["../etc/passwd", true],
    ["a/b/c", true],
    ["https://user:secret@example.org/x.bin", true],
  ])("says what is the matter with %j, and whether typing on can mend it", (text, wrong) => {
    const read = readSource(text);
    expect(read).toMatchObject({ kind: "unclear", wrong });
  });

  it("knows where files like this lie", () => {
    expect(readSource("https://example.org/a%20b.gguf")).toMatchObject({ filename: "a b.gguf" });
    const folders = ["x.gguf", "detail_lora.safetensors", "ae.safetensors", "t5xxl.safetensors", "4x-UltraSharp.pth", "sd.safetensors"].map(likelyFolder);
    expect(folders).toEqual(["llm", "loras", "vae", "text_encoders", "upscale_models", "checkpoints"]);
  });
});

describe("filters", () => {
  interface Thing {
    name: string;
    family: string;
    size: number;
  }
  const listing: Listing<Thing> = {
    facets: [
      { kind: "families", label: "Family", of: ({ family }) => [family] },
      { kind: "sizes", label: "Size", of: ({ size }) => sizeClass(size) },
    ],
    orders: [
      { key: "name", label: "name", compare: (a, b) => a.name.localeCompare(b.name) },
      { key: "size", label: "size", compare: (a, b) => b.size - a.size },
    ],
    words: ({ name, family }) => `${name}\n${family}`,
  };
  const things: Thing[] = [
    { name: "b", family: "llama", size: 5 * GB },
    { name: "a", family: "phi", size: 2 * GB },
    { name: "c", family: "flux", size: 12 * GB },
  ];
  const names = (chosen: object) => fitting(sorted(things, { ...NOTHING, ...chosen }, listing), { ...NOTHING, ...chosen }, listing).map(({ name }) => name);

  it("are or inside a kind, and across kinds", () => {
    expect(names({})).toEqual(["a", "b", "c"]);
    expect(names({ families: ["llama", "phi"] })).toEqual(["a", "b"]);
    expect(names({ families: ["llama", "phi"], sizes: ["M"] })).toEqual(["b"]);
    expect(names({ families: ["llama"], sizes: ["XL"] })).toEqual([]);
  });

  it("search all words, sort by one column, either way", () => {
    expect(names({ text: "LLAMA b" })).toEqual(["b"]);
    expect(names({ sort: "size" })).toEqual(["c", "b", "a"]);
    expect(names({ sort: "size", descending: true })).toEqual(["a", "b", "c"]);
    expect(names({ sort: "unknown" })).toEqual(["a", "b", "c"]);
  });

  it("offer what there is, and what was chosen before", () => {
    const [families] = listing.facets;
    if (!families) throw new Error("no facet");
    const found = options(things, families, { ...NOTHING, families: ["gone"] });
    expect(found.map(({ value, count }) => [value, count])).toEqual([["flux", 1], ["gone", 0], ["llama", 1], ["phi", 1]]);
  });

  it("put sizes into the server's classes", () => {
    expect([0.9, 1, 4, 12, 40].flatMap((size) => sizeClass(size * GB))).toEqual(["XS", "S", "M", "L", "XL"]);
    expect(sizeClass(null)).toEqual([]);
  });

  it("filter two thousand rows well within the time of a key press", () => {
    const many = Array.from({ length: 2_000 }, (_, index) => ({ name: `model-${index}`, family: `f${index % 9}`, size: index * 1e7 }));
    const began = performance.now();
    const chosen = { ...NOTHING, text: "model 7", families: ["f1", "f2"], sizes: ["S", "M"] };
    expect(fitting(sorted(many, chosen, listing), chosen, listing).length).toBeGreaterThan(0);
    expect(performance.now() - began).toBeLessThan(150);
  });
});

describe("the page's address", () => {
  it.each([
    ["", "presets", undefined],
    ["preset=A", "presets", { kind: "preset", id: "A" }],
    ["file=vae%2Fa.bin", "files", { kind: "file", path: "vae/a.bin" }],
    ["repo=a%2Fb", "repositories", { kind: "repository", repo: "a/b" }],
    ["filter=queue", "presets", { kind: "queue" }],
    ["status=queue", "presets", { kind: "queue" }],
    ["tab=files&filter=queue", "files", { kind: "queue" }],
    ["download=", "presets", { kind: "download", text: "" }],
    ["tab=nonsense", "presets", undefined],
  ])("%j opens the right thing", (query, tab, opened) => expect(placeOf(new URLSearchParams(query))).toEqual({ tab, opened }));

  it("says all that it can read", () => {
    for (const place of [
      { tab: "files" as const, opened: { kind: "file" as const, path: "@x/vae/ä b.bin" } },
      { tab: "presets" as const, opened: undefined },
      { tab: "repositories" as const, opened: { kind: "queue" as const } },
    ]) {
      expect(placeOf(new URL(addressOf(place), "http://page").searchParams)).toEqual(place);
    }
  });
});

describe("small matters", () => {
  it("shows the largest shares and the rest as one", () => {
    const folders = [1, 2, 3, 4, 5, 6, 7].map((size) => [`f${size}`, size] as const);
    expect(largest(folders, 28, undefined)).toEqual([["f7", 7], ["f6", 6], ["f5", 5], ["f4", 4], ["f3", 3], ["2 more", 3]]);
    expect(largest([["llama", 5]], 8, "unknown")).toEqual([["llama", 5], ["unknown", 3]]);
  });

  it("shows dismissed featured models again once there are others", () => {
    const list = (last_updated: string, ...ids: string[]) => signs({ last_updated, models: Object.fromEntries(ids.map((id) => [id, {} as never])) });
    const before = list("2026-01-01", "a", "b");
    expect(hasNews(before, before)).toBe(false);
    expect(hasNews(list("2026-01-01", "a"), before)).toBe(false);
    expect(hasNews(list("2026-01-01", "a", "c"), before)).toBe(true);
    expect(hasNews(list("2026-02-01", "a", "b"), before)).toBe(true);
  });

  it("puts the tour's text where there is room", () => {
    const view = { width: 1280, height: 900 };
    const side = (left: number, top: number, width: number, height: number) => placed({ left, top, width, height }, 340, 200, view).side;
    expect([side(200, 100, 400, 100), side(200, 700, 400, 100), side(10, 10, 300, 880), side(960, 10, 300, 880), side(0, 0, 1280, 900)]).toEqual([
      "bottom", "top", "right", "left", "none",
    ]);
  });

  it("finds what stands in the way of a plan", () => {
    const volume = { path: "/", needed_bytes: 5 * GB, present_bytes: 0, reserved_bytes: 2 * GB, shared_bytes: 0, free_bytes: 6 * GB, fits: false };
    expect(obstacle({ volumes: [volume], files: [] })).toBe("Too little space on /: 5.0 GB needed, 4.0 GB left.");
    expect(obstacle({ volumes: [{ ...volume, fits: true }], files: [{ path: "a", action: "conflict", conflict: "It is another file." }] })).toBe("It is another file.");
    expect(obstacle({ volumes: [{ ...volume, fits: true }], files: [] })).toBeUndefined();
  });
});

const storage = {
  total_bytes: 100 * GB, used_bytes: 40 * GB, available_bytes: 60 * GB, model_count: 3, models_bytes: 30 * GB,
  volumes: [{ mount: "/models", total_bytes: 100 * GB, used_bytes: 40 * GB, free_bytes: 60 * GB, models_bytes: 30 * GB, model_count: 3 }],
  folders: [{ folder: "vae", bytes: 10 * GB, count: 1 }], families: [],
  duplicates: { count: 1, reclaimable_bytes: 5 * GB, groups: [] }, unused: { count: 1, bytes: 7 * GB },
};

const file = (path: string, more: object = {}) => ({
  path, folder: path.split("/")[0], filename: path.split("/").at(-1), root: "", size_bytes: 5 * GB, modified_at: "2026-01-01T00:00:00Z", format: "safetensors",
  needed_by: [], restorable: true, ...more,
});

const repository = {
  repo: "org/llama", hub: "huggingface", metadata: { tags: ["chat"], links: { huggingface: "https://huggingface.co/org/llama" }, likes: 12_345, license: "mit", model_family: "llama" },
  variants: [
    { filename: "llama-Q4.gguf", status: "downloaded", path: "llm/llama-Q4.gguf", size_bytes: 4 * GB, metadata: {}, quantization: { bits: 4, method: "Q4_K_M" } },
    { filename: "llama-Q8.gguf", status: "available", size_bytes: 8 * GB, metadata: {} },
    { filename: "llama-Q6.gguf", status: "downloading", download_id: "d6", size_bytes: 6 * GB, metadata: {} },
  ],
};

const plan = {
  volumes: [{ path: "/models", needed_bytes: 8 * GB, present_bytes: 0, reserved_bytes: 0, shared_bytes: 0, free_bytes: 60 * GB, fits: true }],
  files: [{ path: "llm/llama-Q8.gguf", action: "download", size_bytes: 8 * GB }],
};

const preview = {
  ...repository, ...repository.metadata,
  recommended: { filename: "llama-Q8.gguf", reason: "Q8_0 (8.0 GB) fits into the 12.0 GB of the RTX 4070." },
};

function answers({ method, url }: Request): Response {
  if (url.startsWith("/api/v1/storage")) return Response.json(storage);
  if (url === "/api/v1/modelfiles") return Response.json({ storage, repositories: [repository] });
  if (url === "/api/v1/user/settings") return Response.json({ show_featured_models: true });
  if (url.startsWith("/api/v1/user/dashboard")) return Response.json({ layout: [], user_id: "local" });
  if (url === "/api/v1/downloads/plan") return Response.json(plan);
  if (url === "/api/v1/downloads" && method === "POST") return Response.json({ download_id: "d8", status: "queued", path: "llm/llama-Q8.gguf" }, { status: 201 });
  if (url.startsWith("/api/v1/hub/")) return Response.json(preview);
  if (url.includes("/history")) return Response.json({ download_id: "d1", events: [{ seq: 1, time: "2026-01-01T00:00:00Z", type: "modeldeck.download.queued.v1", actor: "ana" }] });
  return Response.json({ code: "unexpected", detail: `${method} ${url}` }, { status: 404 });
}

const featured = {
  last_updated: "2026-01-01",
  models: {
    one: { id: "one", name: "One", title: "One", description: "The first.", tags: ["chat"], repo: "org/llama", filename: "llama-Q8.gguf", status: "available", metadata: { tags: [], likes: 5 }, links: {} },
  },
};

const topics = {
  presets: presets(preset("a", { status: "installed", installed: true, category: "Video" }), preset("b", { category: "Image", size_bytes: 20 * GB })),
  queue: queue(),
  featured,
  models: {
    models: {
      "vae/a.safetensors": file("vae/a.safetensors", { needed_by: [{ kind: "preset", id: "a", name: "Preset a" }], duplicates: ["vae/b.safetensors"] }),
      "vae/b.safetensors": file("vae/b.safetensors", { duplicates: ["vae/a.safetensors"] }),
      "loras/c.safetensors": file("loras/c.safetensors", { size_bytes: 1 * GB, restorable: false }),
    },
    storage, total: 3, deleted: { "vae/old.bin": { path: "vae/old.bin", size_bytes: 5, deleted_at: "2026-01-01T00:00:00Z", restorable: true } },
  },
};

async function open(address = "/models", answer: (request: Request) => Response | Promise<Response> = answers) {
  history.replaceState(null, "", address);
  const requests = gateway(answer);
  const view = page(<Models />);
  await act(async () => live(view.store, topics));
  return { ...view, requests };
}

const posted = (requests: readonly Request[], method = "POST") => requests.filter((request) => request.method === method).map(({ url, body }) => [url, body]);

beforeEach(() => {
  localStorage.clear();
  localStorage.setItem("modeldeck.tour", JSON.stringify({ hasSeenTour: true, currentStep: -1, isDismissed: true }));
  HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) {
    this.open = true;
  };
  Element.prototype.scrollIntoView ??= () => undefined;
  Element.prototype.checkVisibility ??= () => true;
  vi.stubGlobal("IntersectionObserver", class {
    observe() {}
    disconnect() {}
  });
});

afterEach(() => {
  cleanup();
  for (let id = 0; id < 300; id += 1) dismiss(id);
  vi.unstubAllGlobals();
  history.replaceState(null, "", "/");
});

describe("the models page", () => {
  it("shows storage by volume, folder and family, what could go, and leads to it", async () => {
    await open();
    const region = await screen.findByRole("region", { name: "Storage" });
    await within(region).findByText("of 100 GB used");
    for (const text of ["40.0 GB", "60.0 GB", "Models 30.0 GB", "5.0 GB", "1 stored more than once", "1 file nothing needs"]) expect(within(region).getByText(text)).toBeTruthy();
    fireEvent.click(within(region).getByRole("button", { name: "Show unused files" }));
    const files = await screen.findByRole("list", { name: "Model files" });
    expect(within(files).getAllByRole("listitem").map((row) => row.dataset["file"])).toEqual(["vae/b.safetensors", "loras/c.safetensors"]);
  });

  it("says why storage cannot be shown, and tries again; the rest of the page stands", async () => {
    let away = true;
    await open("/models", (request) => (away && request.url.startsWith("/api/v1/storage") ? Response.json({ code: "away", detail: "No catalog." }, { status: 422 }) : answers(request)));
    const region = await screen.findByRole("region", { name: "Storage" });
    await within(region).findByText(/No catalog\./);
    expect(screen.getByText("Preset a")).toBeTruthy();
    away = false;
    fireEvent.click(within(region).getByRole("button", { name: "Try again" }));
    await within(region).findByText("of 100 GB used");
  });

  it("filters presets, keeps the choice in this browser, and takes chips away again", async () => {
    const view = await open();
    await screen.findByText("Preset a");
    fireEvent.click(screen.getByText("Category", { selector: "summary" }).closest("summary")!);
    fireEvent.click(await screen.findByRole("checkbox", { name: /Image/ }));
    await waitFor(() => expect(screen.queryByText("Preset a")).toBeNull());
    view.unmount();
    await open();
    await screen.findByText("Preset b");
    expect(screen.queryByText("Preset a")).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: /Remove\s*Category: Image/ }));
    await screen.findByText("Preset a");
  });

  it("does not follow the inventory before its tab is open", async () => {
    history.replaceState(null, "", "/models");
    gateway(answers);
    const { store } = page(<Models />);
    const wanted: string[][] = [];
    store.onWanted((names) => wanted.push([...names]));
    await waitFor(() => expect(wanted.length).toBeGreaterThan(0));
    expect(wanted.flat()).not.toContain("models");
    fireEvent.click(screen.getByRole("tab", { name: "Files" }));
    await waitFor(() => expect(wanted.flat()).toContain("models"));
  });

  it("goes from tab to tab by the arrow keys", async () => {
    await open();
    const first = screen.getByRole("tab", { name: "Presets" });
    expect(first.getAttribute("aria-selected")).toBe("true");
    first.focus();
    fireEvent.keyDown(first, { key: "ArrowRight" });
    expect(document.activeElement).toBe(screen.getByRole("tab", { name: "Repositories" }));
    fireEvent.keyDown(document.activeElement!, { key: "End" });
    expect(document.activeElement).toBe(screen.getByRole("tab", { name: "Files" }));
  });

  it("lists a repository's variants with what can be done about each", async () => {
    const { requests, store } = await open("/models?tab=repositories");
    live(store, { queue: queue({ active: { d6: { download_id: "d6", name: "llama-Q6.gguf", status: "downloading", progress: 41.5 } } }) });
    const row = (name: string) => document.querySelector<HTMLElement>(`[data-variant="${name}"]`)!;
    await screen.findByText("llama-Q4.gguf");
    expect(screen.getByRole("button", { name: /org\/llama.*12\.3K likes/ })).toBeTruthy();
    expect(within(row("llama-Q4.gguf")).getByText("Active")).toBeTruthy();
    expect(within(row("llama-Q4.gguf")).getByText("Q4_K_M")).toBeTruthy();
    await within(row("llama-Q6.gguf")).findByText("41%");
    fireEvent.click(within(row("llama-Q6.gguf")).getByRole("button", { name: "Cancel llama-Q6.gguf" }));
    fireEvent.click(await screen.findByRole("button", { name: "Cancel download" }));
    await waitFor(() => expect(posted(requests)).toContainEqual(["/api/v1/downloads/d6/cancel?keep_partial=true", undefined]));
    fireEvent.click(within(row("llama-Q8.gguf")).getByRole("button", { name: "Download llama-Q8.gguf" }));
    await waitFor(() => expect(posted(requests)).toContainEqual(["/api/v1/downloads", { repo: "org/llama", filename: "llama-Q8.gguf", size_bytes: 8 * GB }]));
    await screen.findByRole("dialog", { name: "Active downloads" });
  });

  it("does not start what does not fit, and says so beside the button", async () => {
    const full = { ...plan, volumes: [{ ...plan.volumes[0], free_bytes: GB, fits: false }] };
    const { requests } = await open("/models?tab=repositories", (request) => (request.url === "/api/v1/downloads/plan" ? Response.json(full) : answers(request)));
    fireEvent.click(await screen.findByRole("button", { name: "Download llama-Q8.gguf" }));
    expect(await screen.findByText("Too little space on /models: 8.0 GB needed, 1.0 GB left.")).toBeTruthy();
    expect(posted(requests).map(([url]) => url)).toEqual(["/api/v1/downloads/plan"]);
  });
});

describe("files", () => {
  it("says what a deletion would break, deletes only then, and can be undone", async () => {
    const { requests } = await open("/models?tab=files", (request) => {
      if (request.method === "DELETE") return Response.json({ path: "vae/a.safetensors", size_bytes: 5 * GB, freed_bytes: 5 * GB, restorable: true, needed_by: [] });
      if (request.url.endsWith("/restore")) return Response.json({ path: "vae/a.safetensors", status: "queued", download_id: "d1" });
      return answers(request);
    });
    fireEvent.click(await screen.findByRole("button", { name: "Delete a.safetensors" }));
    const dialog = await screen.findByRole("dialog", { name: "Delete a.safetensors?" });
    expect(within(dialog).getByText("This stops working without it:")).toBeTruthy();
    expect(within(dialog).getByText("Preset a")).toBeTruthy();
    expect(posted(requests, "DELETE")).toEqual([]);
    fireEvent.click(within(dialog).getByRole("button", { name: "Delete anyway" }));
    await screen.findByText("5.0 GB freed.");
    expect(posted(requests, "DELETE")).toEqual([["/api/v1/models/vae%2Fa.safetensors?force=true", undefined]]);
    fireEvent.click(screen.getByRole("button", { name: "Undo" }));
    await waitFor(() => expect(posted(requests)).toContainEqual(["/api/v1/models/vae%2Fa.safetensors/restore", undefined]));
    await screen.findByText("a.safetensors on the way back");
  });

  it("learns from the server that something needs it, and asks again", async () => {
    let force = false;
    await open("/models?tab=repositories", (request) => {
      if (request.method !== "DELETE") return answers(request);
      force = request.url.includes("force=true");
      const needed_by = [{ kind: "template", id: "w", name: "portrait.json" }];
      if (!force) return Response.json({ code: "needed", title: "Needed", status: 409, detail: "Something needs it.", needed_by }, { status: 409 });
      return Response.json({ path: "llm/llama-Q4.gguf", size_bytes: 4 * GB, freed_bytes: 4 * GB, restorable: false, needed_by });
    });
    fireEvent.click(await screen.findByRole("button", { name: "Delete llama-Q4.gguf" }));
    const dialog = await screen.findByRole("dialog");
    fireEvent.click(within(dialog).getByRole("button", { name: "Delete" }));
    await within(dialog).findByText("portrait.json");
    expect(force).toBe(false);
    fireEvent.click(within(dialog).getByRole("button", { name: "Delete anyway" }));
    await screen.findByText("llama-Q4.gguf deleted");
    expect(screen.queryByRole("button", { name: "Undo" })).toBeNull();
  });

  it("deletes what is marked at once, and goes on where a refusal stopped it", async () => {
    const gone: string[] = [];
    await open("/models?tab=files", (request) => {
      if (request.method !== "DELETE") return answers(request);
      const path = decodeURIComponent(request.url.split("?")[0]!.replace("/api/v1/models/", ""));
      if (path.endsWith("c.safetensors") && gone.length === 0) return Response.json({ code: "away", detail: "The disk is busy." }, { status: 409 });
      gone.push(path);
      return Response.json({ path, size_bytes: GB, freed_bytes: GB, restorable: true, needed_by: [] });
    });
    await screen.findByText("c.safetensors");
    fireEvent.click(screen.getByRole("checkbox", { name: "Mark all that are shown" }));
    await screen.findByText("3 marked · 11.0 GB");
    fireEvent.click(screen.getByRole("checkbox", { name: "Mark a.safetensors" }));
    fireEvent.click(screen.getByRole("button", { name: "Delete…" }));
    const dialog = await screen.findByRole("dialog", { name: "Delete 2 files?" });
    expect(within(dialog).getByText(/1 of them cannot be brought back/)).toBeTruthy();
    fireEvent.click(within(dialog).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(gone).toContain("vae/b.safetensors"));
    const again = screen.queryByText("The disk is busy.");
    if (again) fireEvent.click(within(dialog).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(new Set(gone)).toEqual(new Set(["vae/b.safetensors", "loras/c.safetensors"])));
    await screen.findByText("2 files deleted");
  });

  it("shows who needs a file, and stores a duplicate once", async () => {
    const { requests } = await open("/models?file=vae%2Fa.safetensors", (request) => {
      if (request.method === "DELETE") return Response.json({ path: "vae/b.safetensors", size_bytes: 5 * GB, freed_bytes: 5 * GB, restorable: true, needed_by: [] });
      if (request.url.endsWith("/link")) return Response.json({ path: "vae/b.safetensors", from_path: "vae/a.safetensors", method: "hardlink" });
      return answers(request);
    });
    const drawer = await screen.findByRole("dialog", { name: "a.safetensors" });
    expect(await within(drawer).findByRole("link", { name: "Preset a" })).toBeTruthy();
    fireEvent.click(within(drawer).getByRole("button", { name: /Store once: make vae\/b\.safetensors/ }));
    await screen.findByText("Stored once");
    expect(posted(requests)).toContainEqual(["/api/v1/models/vae%2Fb.safetensors/link", { from_path: "vae/a.safetensors" }]);
  });

  it("brings back what was deleted", async () => {
    const { requests } = await open("/models?tab=files", (request) =>
      request.url.endsWith("/restore") ? Response.json({ path: "vae/old.bin", status: "queued", download_id: "d1" }) : answers(request),
    );
    fireEvent.click(await screen.findByRole("button", { name: "Restore old.bin" }));
    await waitFor(() => expect(posted(requests)).toEqual([["/api/v1/models/vae%2Fold.bin/restore", undefined]]));
  });

  it("says that a linked file is not there", async () => {
    await open("/models?file=nothing.bin");
    await screen.findByText(/There is no such file now/);
  });
});

describe("downloading", () => {
  it("goes from a name to the queue: preview, recommendation, space, start", async () => {
    const { requests } = await open();
    fireEvent.click(screen.getByRole("button", { name: "Download model" }));
    const drawer = await screen.findByRole("dialog", { name: "Download a model" });
    const field = within(drawer).getByLabelText("Repository or link");
    fireEvent.change(field, { target: { value: "two words" } });
    expect(within(drawer).getByRole("alert").textContent).toBe("An address has no spaces in it.");
    fireEvent.change(field, { target: { value: "org/llama" } });
    expect(within(drawer).queryByRole("alert")).toBeNull();
    fireEvent.submit(field.closest("form")!);
    await within(drawer).findByText(/fits into the 12\.0 GB/);
    expect(requests.map(({ url }) => url)).toContain("/api/v1/hub/org%2Fllama");
    expect(within(drawer).getByRole<HTMLInputElement>("radio", { name: /llama-Q8/ }).checked).toBe(true);
    await within(drawer).findByText("needed of 60.0 GB free");
    fireEvent.click(within(drawer).getByRole("button", { name: "Download selected" }));
    await screen.findByRole("dialog", { name: "Active downloads" });
    expect(posted(requests)).toContainEqual(["/api/v1/downloads", { repo: "org/llama", filename: "llama-Q8.gguf", size_bytes: 8 * GB }]);
    fireEvent.click(screen.getByRole("button", { name: "Close" }));
  });

  it.each([
    [403, "gated", "Accept its terms on the hub", "The terms of org/llama are not accepted."],
    [404, "repository_not_found", "Check the spelling", "huggingface.co has no repository org/llama"],
    [503, "hub_unreachable", "can be used meanwhile", "huggingface.co does not answer."],
  ])("says in line what a %i of the hub means", async (status, code, advice, detail) => {
    await open("/models?download=org%2Fllama", (request) => (request.url.startsWith("/api/v1/hub/") ? Response.json({ code, detail, status, title: "x", type: "y" }, { status }) : answers(request)));
    await screen.findByText(detail);
    expect(screen.getByText(new RegExp(advice))).toBeTruthy();
  });

  it("asks where a file of no hub goes", async () => {
    const { requests } = await open("/models?download=https%3A%2F%2Fexample.org%2Fx_lora.safetensors");
    fireEvent.change(await screen.findByLabelText("Name"), { target: { value: "my.safetensors" } });
    await screen.findByText("loras/my.safetensors");
    await waitFor(() => expect(screen.getByRole<HTMLButtonElement>("button", { name: "Download" }).disabled).toBe(false));
    fireEvent.click(screen.getByRole("button", { name: "Download" }));
    await waitFor(() => expect(posted(requests)).toContainEqual(["/api/v1/downloads", { url: "https://example.org/x_lora.safetensors", path: "loras/my.safetensors" }]));
  });

  it("tries a featured model, and puts the list away until there are others", async () => {
    const { requests } = await open();
    fireEvent.click(await screen.findByRole("button", { name: "Try now: One" }));
    await waitFor(() => expect(posted(requests)).toContainEqual(["/api/v1/downloads", { repo: "org/llama", filename: "llama-Q8.gguf" }]));
    fireEvent.click(screen.getByRole("button", { name: /Dismiss featured models/ }));
    await waitFor(() => expect(screen.queryByRole("region", { name: "Featured models" })).toBeNull());
    expect(JSON.parse(localStorage.getItem("modeldeck.models.featured") ?? "")).toEqual(["@2026-01-01", "one"]);
  });

  it("shows no featured models to who does not want them", async () => {
    const { requests } = await open("/models", (request) => (request.url === "/api/v1/user/settings" ? Response.json({ show_featured_models: false }) : answers(request)));
    await waitFor(() => expect(requests.map(({ url }) => url)).toContain("/api/v1/user/settings"));
    await screen.findByText("Preset a");
    expect(screen.queryByRole("region", { name: "Featured models" })).toBeNull();
  });
});

describe("the queue drawer", () => {
  const waiting = (id: string, position: number) => ({ download_id: id, name: `Model ${id}`, status: "queued" as const, position, total_bytes: GB });
  const full = queue({
    current: "d1",
    active: { d1: { download_id: "d1", name: "Running", status: "downloading", progress: 10, downloaded_bytes: 1, total_bytes: 10 } },
    queue: { a: waiting("a", 1), b: waiting("b", 2) },
    completed: {
      f: { download_id: "f", name: "Broken", status: "failed", error: "404: it is gone", finished_at: "2026-01-01T00:00:00Z" },
      c: { download_id: "c", name: "Done", status: "completed", finished_at: "2026-01-01T00:00:00Z" },
    },
  });

  it("groups downloads, moves them and says so, and tells their stories", async () => {
    const { store, requests } = await open("/models?filter=queue", (request) => (request.url.endsWith("/move") ? Response.json({}) : answers(request)));
    act(() => live(store, { queue: full }));
    const drawer = await screen.findByRole("dialog", { name: "Active downloads" });
    await within(drawer).findByText("1 downloading, 2 waiting");
    expect(within(drawer).getAllByRole("heading", { level: 3 }).map((heading) => heading.textContent)).toEqual([
      "Downloading (1)", "Running", "Queued (2)", "Failed (1)", "Completed (1)",
    ]);
    fireEvent.click(within(drawer).getByRole("button", { name: "Move Model b to the top" }));
    await within(drawer).findByText("Model b: place 1 of 2.");
    await waitFor(() => expect(posted(requests)).toEqual([["/api/v1/downloads/b/move", { position: 1 }]]));
    expect(within(drawer).getByText("404: it is gone")).toBeTruthy();
    const story = within(drawer).getByText("Broken").closest("li")!.querySelector("details")!;
    story.open = true;
    fireEvent(story, new Event("toggle"));
    expect(await within(story).findByText("by ana")).toBeTruthy();
  });

  it("sets how many at a time and how fast", async () => {
    const { store, requests } = await open("/models?filter=queue", (request) => (request.method === "PATCH" ? Response.json({}) : answers(request)));
    act(() => live(store, { queue: full }));
    const drawer = await screen.findByRole("dialog", { name: "Active downloads" });
    fireEvent.change(await within(drawer).findByLabelText("At a time"), { target: { value: "3" } });
    await waitFor(() => expect(posted(requests, "PATCH")).toEqual([["/api/v1/downloads/settings", { max_concurrent: 3 }]]));
    const limit = within(drawer).getByLabelText("Bandwidth of all together");
    fireEvent.change(limit, { target: { value: "fast" } });
    within(drawer).getByText(/Write for example 50MB\/s/);
    fireEvent.change(limit, { target: { value: "50 MB/s" } });
    fireEvent.submit(limit.closest("form")!);
    await waitFor(() => expect(posted(requests, "PATCH")).toContainEqual(["/api/v1/downloads/settings", { bandwidth_limit: "50MB/s" }]));
  });

  it("is in one line on the page while something is on its way", async () => {
    const { store, requests } = await open("/models", (request) => (request.url.endsWith("/pause") ? Response.json({}) : answers(request)));
    expect(screen.queryByRole("region", { name: "Download queue" })).toBeNull();
    act(() => live(store, { queue: full }));
    const strip = await screen.findByRole("region", { name: "Download queue" });
    expect(within(strip).getByText(/2 waiting/)).toBeTruthy();
    fireEvent.click(within(strip).getByRole("button", { name: "Pause Running" }));
    await waitFor(() => expect(posted(requests)).toEqual([["/api/v1/downloads/d1/pause", undefined]]));
  });
});

describe("welcome and tour", () => {
  it("welcomes once, leads through four stops, and remembers where it was", async () => {
    localStorage.removeItem("modeldeck.tour");
    const view = await open();
    fireEvent.click(await screen.findByRole("button", { name: "Take a tour" }));
    await screen.findByText("Step 1/4");
    fireEvent.keyDown(screen.getByRole("dialog"), { key: "ArrowRight" });
    await screen.findByRole("dialog", { name: "Download a model" });
    view.unmount();
    await open();
    await screen.findByText("Step 2/4");
    for (const step of [3, 4]) {
      fireEvent.click(screen.getByRole("button", { name: "Next" }));
      await screen.findByText(`Step ${step}/4`);
    }
    fireEvent.click(screen.getByRole("button", { name: "Finish" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(JSON.parse(localStorage.getItem("modeldeck.tour") ?? "")).toEqual({ hasSeenTour: true, currentStep: -1, isDismissed: true });
    expect(screen.queryByRole("region", { name: "Welcome" })).toBeNull();
  });
});
