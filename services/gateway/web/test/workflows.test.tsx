import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { inFlight } from "../src/pages/workflows/inFlight";
import { open } from "../src/pages/workflows/opened";
import { standing, verdict } from "../src/pages/workflows/standing";
import { counted, grouped, needed, type Reference, type Template } from "../src/pages/workflows/templates";
import Workflows from "../src/pages/Workflows";
import { navigate } from "../src/router";
import { gateway, live, page, problem, queue } from "./page";

function reference(path: string, more: Partial<Reference> = {}): Reference {
  const [directory = "", filename = ""] = path.split("/");
  return { path, directory, filename, node_type: "VAELoader", input_name: "vae_name", active: true, status: "missing", ...more };
}

function template(id: string, references: Reference[] = [], more: Partial<Template> = {}): Template {
  const [root = ""] = id.split("/");
  const missing_models = references.filter(({ active, status }) => active && status !== "present");
  return {
    id, root, path: id.slice(root.length + 1), name: id.slice(id.lastIndexOf("/") + 1), format: "editor", complete: true,
    compatible: missing_models.length === 0, missing_models, missing_count: missing_models.length, references, warnings: [],
    modified_at: "2026-01-01T00:00:00Z", size_bytes: 1000, ...more,
  };
}

function topic(...list: Template[]) {
  return {
    templates: Object.fromEntries(list.map((item) => [item.id, item])),
    total: list.length,
    compatible: list.filter(({ compatible }) => compatible).length,
    skipped: {},
  };
}

beforeEach(() => {
  HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) {
    this.open = true;
  };
  navigate("/workflows");
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe("templates", () => {
  const ready = template("lib/ready", [reference("vae/a.pt", { status: "present" })]);
  const two = template("lib/two", [reference("vae/a.pt"), reference("vae/b.pt")]);
  const one = template("own/one", [reference("vae/b.pt")], { modified_at: "2026-05-01T00:00:00Z" });
  const broken = template("lib/broken", [], { format: "unreadable", compatible: false, complete: false });
  const all = [ready, two, one, broken];
  const ids = (wanted: Parameters<typeof grouped>[1]) => grouped(all, wanted).flatMap(({ templates }) => templates.map(({ id }) => id));

  it("are found by their name and by their files, small roots first", () => {
    expect(ids({ text: "", filter: "all", sort: "name" })).toEqual(["own/one", "lib/broken", "lib/ready", "lib/two"]);
    expect(ids({ text: "B.PT", filter: "all", sort: "name" })).toEqual(["own/one", "lib/two"]);
    expect(ids({ text: "lib b.pt", filter: "all", sort: "name" })).toEqual(["lib/two"]);
  });

  it("are filtered by how they stand, and counted so", () => {
    expect(ids({ text: "", filter: "ready", sort: "name" })).toEqual(["lib/ready"]);
    expect(ids({ text: "", filter: "missing", sort: "name" })).toEqual(["own/one", "lib/two"]);
    expect(ids({ text: "", filter: "warnings", sort: "name" })).toEqual(["lib/broken"]);
    expect(counted(all)).toEqual({ all: 4, ready: 1, missing: 2, warnings: 1 });
  });

  it("are ordered by how near they are", () => {
    expect(ids({ text: "", filter: "all", sort: "nearly" })).toEqual(["own/one", "lib/two", "lib/ready", "lib/broken"]);
    expect(ids({ text: "", filter: "all", sort: "most" })[1]).toBe("lib/two");
  });

  it("name each file once, with all its nodes, what is missing first and what is not needed last", () => {
    const files = needed([
      reference("vae/off.pt", { active: false }),
      reference("vae/a.pt", { status: "present" }),
      reference("vae/b.pt", { active: false }),
      reference("vae/b.pt", { node_type: "Other" }),
    ]);
    expect(files.map(({ path, active, uses }) => [path, active, uses.length])).toEqual([
      ["vae/b.pt", true, 2],
      ["vae/a.pt", true, 1],
      ["vae/off.pt", false, 1],
    ]);
  });

  it("are never called ready when they were not read whole", () => {
    const partly = template("lib/partly", [], { complete: false, compatible: false });
    expect(standing(partly)).toEqual(["warn", "Incomplete"]);
    expect(verdict(partly)).toMatch(/more may be needed/);
    expect(standing(broken)).toEqual(["bad", "Unreadable"]);
    expect(standing(two)).toEqual(["warn", "2 missing"]);
  });
});

it("knows a file's download by its path, and one that waits by its name", () => {
  const item = { preset_id: null, status: "queued" as const };
  const found = inFlight(
    queue({
      active: { d1: { download_id: "d1", preset_id: "p", name: "Preset", status: "downloading", progress: 40, file: { path: "vae/a.pt" } } },
      queue: { d2: { ...item, download_id: "d2", name: "b.pt", position: 1 }, d3: { ...item, download_id: "d3", preset_id: "q", name: "c.pt", position: 2 } },
    }),
  );
  expect(found("vae/a.pt")?.progress).toBe(40);
  expect(found("loras/b.pt")?.download_id).toBe("d2");
  expect(found("vae/c.pt")).toBeUndefined();
});

/** A PNG of nothing but a text of this name. */
function picture(name: string, value: string): File {
  const text = `${name}\0${value}`;
  const length = [24, 16, 8, 0].map((shift) => (text.length >> shift) & 255);
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  const bytes = [...signature, ...length, ...new TextEncoder().encode(`tEXt${text}`), 0, 0, 0, 0];
  return new File([new Uint8Array(bytes)], "out.png", { type: "image/png" });
}

describe("an opened file", () => {
  const opened = (text: string, name = "x.json") => open(new File([text], name));
  const refused = (reason: RegExp) => ({ kind: "refused", reason: expect.stringMatching(reason) as string });
  it("is a workflow, a lock file, or refused with the reason", async () => {
    expect((await opened('{"nodes": []}')).kind).toBe("workflow");
    expect((await opened('{"3": {"class_type": "VAELoader"}}')).kind).toBe("workflow");
    expect((await opened('{"modeldeck_lock": 1}')).kind).toBe("lock");
    expect(await opened("{oops")).toMatchObject(refused(/^It is not JSON/));
    expect(await opened("[1]")).toMatchObject(refused(/neither a workflow nor a lock file/));
    expect(await opened('{"a": 1}')).toMatchObject(refused(/no workflow: it has no nodes/));
    expect(await opened(" ".repeat(5 * 1024 * 1024 + 1))).toMatchObject(refused(/It has 5\.2 MB; .* at most 5 MB/));
    expect(await opened("GGUF", "flux.gguf")).toMatchObject(refused(/It is a model file/));
  });

  it("may be a picture with the workflow in it", async () => {
    expect(await open(picture("workflow", '{"nodes": []}'))).toMatchObject({ kind: "workflow", content: { nodes: [] } });
    expect(await open(picture("prompt", "{}"))).toMatchObject(refused(/picture without a workflow/));
    expect(await opened("no picture", "x.png")).toMatchObject(refused(/picture without a workflow/));
  });
});

const missing = { path: "vae/a.pt", status: "missing", action: "download", size_bytes: 2e9, source: { kind: "preset", name: "Flux", url: "https://hub.test/a.pt" } };
const row = (name: string) => screen.findByRole("button", { name: new RegExp(`^${name} `) });

function drop(...files: File[]): void {
  fireEvent.change(screen.getByLabelText("Workflow or lock file"), { target: { files } });
}

describe("the page", () => {
  it("loads, then says that there is nothing, then lists what comes", async () => {
    const { store } = page(<Workflows />);
    expect(screen.getByText("Loading templates…")).toBeTruthy();
    act(() => live(store, { templates: topic(), queue: queue() }));
    await screen.findByText(/There are no templates yet/);
    act(() => live(store, { templates: topic(template("w/first", [reference("vae/a.pt")])) }));
    expect((await row("first")).textContent).toMatch(/1 missing.*misses a\.pt/);
    expect(screen.getByText("0 of 1 ready", { selector: ".count" })).toBeTruthy();
  });

  it("says that it is old while the stream is away", async () => {
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(template("w/first")), queue: queue() }));
    await screen.findByText("Needs no local model");
    act(() => store.apply({ kind: "status", status: { phase: "stale", since: Date.now() - 10_000 } }));
    await screen.findByText(/Stale data/);
  });

  it("tells what was skipped and why", async () => {
    const { store } = page(<Workflows />);
    const state = { ...topic(template("w/a")), skipped: { "w/index.json": { id: "w/index.json", message: "It is a list." } } };
    act(() => live(store, { templates: state, queue: queue() }));
    await screen.findByText("1 file in the template folders is no workflow");
    expect(screen.getByText("It is a list.")).toBeTruthy();
  });

  it("keeps the filter and the order in the address, and groups by folder", async () => {
    navigate("/workflows?show=missing");
    const { store } = page(<Workflows />);
    const warned = { warnings: [{ code: "unknown_loader", message: "'X' names 'x.gguf'" }] };
    act(() => live(store, { templates: topic(template("w/a/one", [reference("vae/a.pt")]), template("w/b/two", [], warned)), queue: queue() }));
    await row("one");
    expect(screen.queryByText("two")).toBeNull();
    fireEvent.click(screen.getByRole("radio", { name: /Warnings/ }));
    expect((await row("two")).textContent).toMatch(/1 warning/);
    expect(screen.getByRole("heading", { name: "w/b" })).toBeTruthy();
    fireEvent.change(screen.getByRole("combobox", { name: "Order" }), { target: { value: "newest" } });
    expect(location.search).toBe("?show=warnings&sort=newest");
    fireEvent.click(await row("two"));
    expect(location.search).toBe("?show=warnings&sort=newest&template=w%2Fb%2Ftwo");
  });

  it("shows where everything would come from before anything is fetched, and sends what was chosen", async () => {
    const files = [
      missing,
      { path: "vae/b.pt", status: "ambiguous", action: "choose", candidates: ["vae/x/b.pt", "vae/y/b.pt"] },
      { path: "vae/c.pt", status: "missing", action: "none", code: "no_source", message: "No source of it is known." },
      { path: "vae/d.pt", status: "present_elsewhere", action: "link", from_path: "x/d.pt", alternatives: [missing.source] },
    ];
    const volumes = [{ path: "/", needed_bytes: 2e9, present_bytes: 0, shared_bytes: 0, reserved_bytes: 0, free_bytes: 1e9, fits: false }];
    const unresolved = [{ path: "vae/c.pt", code: "no_source", message: "Nowhere." }];
    const requests = gateway(({ url }) =>
      url.endsWith("/plan")
        ? Response.json({ template_id: "w/t", files, volumes })
        : Response.json({ status: "queued", queued: [{ path: "vae/a.pt", status: "queued", download_id: "d" }], linked: [], unresolved }),
    );
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(template("w/t", files.map(({ path }) => reference(path)))), queue: queue() }));
    fireEvent.click(await screen.findByRole("button", { name: "Install… what t misses" }));
    const dialog = within(screen.getByRole("dialog", { name: "t" }));
    await dialog.findByText(/as the preset Flux has it/, { selector: "p" });
    const install = dialog.getByRole("button", { name: "Install 2 files · 2.0 GB" });
    expect(document.activeElement).toBe(install);
    expect(dialog.getByText("Too little space")).toBeTruthy();
    expect(dialog.getByText("2.0 GB needed of 1.0 GB free")).toBeTruthy();
    fireEvent.click(dialog.getByRole("radio", { name: "vae/y/b.pt" }));
    fireEvent.change(dialog.getByRole("textbox", { name: "Address of c.pt" }), { target: { value: "https://" } });
    fireEvent.change(dialog.getByRole("combobox", { name: "Source of d.pt" }), { target: { value: missing.source.url } });
    fireEvent.click(dialog.getByRole("button", { name: "Install 3 files · 2.0 GB and more" }));
    await dialog.findByText("1 file is in the download queue.");
    expect(dialog.getByText(/Nowhere/)).toBeTruthy();
    expect(dialog.getByText("Queued"), "before the queue has told of it").toBeTruthy();
    const sent = requests.find(({ method }) => method === "POST");
    expect(sent).toMatchObject({
      url: "/api/v1/workflows/templates/w%2Ft/install-missing",
      body: { choices: { "vae/b.pt": "vae/y/b.pt", "vae/d.pt": missing.source.url } },
    });
  });

  it("says why there is no plan, and asks again", async () => {
    let up = false;
    gateway(() => (up ? Response.json({ template_id: "w/t", files: [missing], volumes: [] }) : problem(503, "The catalog is away.")));
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(template("w/t", [reference("vae/a.pt")])), queue: queue() }));
    fireEvent.click(await row("t"));
    await screen.findByText(/How to get these files could not be found out: The catalog is away\./);
    up = true;
    fireEvent.click(screen.getByRole("button", { name: "Try again" }));
    await screen.findByRole("button", { name: "Install 1 file · 2.0 GB" });
  });

  it("follows the download, turns ready by itself, and leads to ComfyUI", async () => {
    gateway(() => Response.json({ status: "ok", epoch: "e", seq: 1, services: {}, comfyui_url: "http://box.test:8188" }));
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(template("w/t", [reference("vae/a.pt")])), queue: queue() }));
    fireEvent.click(await row("t"));
    const active = { download_id: "d", name: "a.pt", status: "downloading" as const, progress: 61.2, file: { path: "vae/a.pt" } };
    act(() => live(store, { queue: queue({ active: { d: active } }) }));
    const bar = await screen.findByRole("progressbar", { name: "Progress of a.pt" });
    expect(bar.getAttribute("aria-valuenow")).toBe("61");
    expect(screen.getByText("The file that it misses is on the way.")).toBeTruthy();
    expect(screen.getByRole("link", { name: "Show the queue" })).toBeTruthy();
    expect(screen.queryByRole("button", { name: /^Install/ })).toBeNull();
    act(() => live(store, { templates: topic(template("w/t", [reference("vae/a.pt", { status: "present" })])), queue: queue() }));
    await screen.findByText("Everything it needs is where ComfyUI looks.");
    expect((await screen.findByRole("link", { name: "Open ComfyUI" })).getAttribute("href")).toBe("http://box.test:8188");
  });

  it("waits visibly while files are being hashed", async () => {
    let asked = 0;
    gateway(({ url }) => {
      if (!url.endsWith("/lock")) return Response.json({ services: {} });
      asked += 1;
      return asked > 1 ? Response.json({ modeldeck_lock: 1 }) : Response.json({ status: "hashing", paths: ["vae/a.pt", "vae/b.pt"], detail: "" }, { status: 202 });
    });
    const saved = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(() => undefined);
    vi.stubGlobal("URL", Object.assign(URL, { createObjectURL: () => "blob:x", revokeObjectURL: () => undefined }));
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(template("w/t", [reference("vae/a.pt", { status: "present" })])), queue: queue() }));
    fireEvent.click(await row("t"));
    fireEvent.click(screen.getByRole("button", { name: "Save lock file" }));
    await screen.findByText("Hashing 2 files…");
    await waitFor(() => expect(saved).toHaveBeenCalledOnce(), { timeout: 3_000 });
    expect(screen.queryByText("Hashing 2 files…")).toBeNull();
  });

  it("tells what was odd, how to teach a node, and what is not needed now", async () => {
    gateway(() => Response.json({ services: {} }));
    const warnings = [{ code: "unknown_loader", message: "'UnetLoaderGGUF' names 'x.gguf'; which folder it reads is not known" }];
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(template("w/t", [reference("vae/off.pt", { active: false })], { warnings })), queue: queue() }));
    fireEvent.click(await row("t"));
    expect(screen.getByText("1 warning")).toBeTruthy();
    expect(screen.getByText(/"UnetLoaderGGUF": \{/)).toBeTruthy();
    expect(screen.getByText(/^Not needed now/)).toBeTruthy();
  });

  it("scans a chosen file and gives the server's reason when it is no workflow", async () => {
    gateway(() => problem(422, "The workflow cannot be read: It is too deep."));
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(), queue: queue() }));
    drop(new File(['{"nodes": []}'], "mine.json"));
    const dialog = await screen.findByRole("dialog", { name: "mine.json" });
    await waitFor(() => expect(within(dialog).getByRole("alert").textContent).toMatch(/It is too deep/));
  });

  it("sends what was chosen for a file that is not stored, with the file", async () => {
    const scan = template("w/t", [reference("vae/b.pt", { status: "ambiguous" })]);
    const plan = { files: [{ path: "vae/b.pt", status: "ambiguous", action: "choose", candidates: ["x/b.pt", "y/b.pt"] }], volumes: [] };
    const installed = { status: "queued", queued: [], linked: [{ path: "vae/b.pt", from_path: "x/b.pt" }], unresolved: [] };
    const requests = gateway(({ url }) => Response.json(url.endsWith("/scan") ? scan : url.endsWith("/plan") ? plan : installed));
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(), queue: queue() }));
    drop(new File(['{"nodes": []}'], "mine.json"));
    fireEvent.click(await screen.findByRole("radio", { name: "x/b.pt" }));
    fireEvent.click(screen.getByRole("button", { name: "Install 1 file" }));
    await screen.findByText("1 file is linked.");
    const sent = requests.find(({ url }) => url.endsWith("/install-missing"));
    expect(sent?.body).toEqual({ workflow: { nodes: [] }, choices: { "vae/b.pt": "x/b.pt" } });
  });

  it("lists several files, and opens each", async () => {
    gateway(({ url }) => Response.json(url.endsWith("/scan") ? template("w/t", [reference("vae/a.pt")]) : { files: [missing], volumes: [] }));
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(), queue: queue() }));
    drop(new File(['{"nodes": []}'], "one.json"), new File(["{"], "two.json"), new File(['{"modeldeck_lock": 1}'], "three.json"));
    const list = await screen.findByRole("dialog", { name: "3 files" });
    await within(list).findByRole("button", { name: /^one\.json 1 missing/ });
    expect(within(list).getByRole("button", { name: /^two\.json No workflow It is not JSON/ })).toBeTruthy();
    fireEvent.click(within(list).getByRole("button", { name: /^one\.json/ }));
    const one = await screen.findByRole("dialog", { name: "one.json" });
    await within(one).findByRole("button", { name: "Install 1 file · 2.0 GB" });
  });

  it("says so when the address names a template that is not there", async () => {
    navigate("/workflows?template=w%2Fgone");
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(), queue: queue() }));
    await screen.findByText("w/gone is not there, or not any more.");
  });
});
