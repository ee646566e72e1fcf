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
    expect(ids({ text: "", filter: "incomplete", sort: "name" })).toEqual(["lib/broken"]);
    expect(counted(all)).toEqual({ all: 4, ready: 1, missing: 2, incomplete: 1 });
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

describe("an opened file", () => {
  const opened = (text: string) => open(new File([text], "x.json"));
  it("is a workflow, a lock file, or refused with the reason", async () => {
    expect((await opened("{}")).kind).toBe("workflow");
    expect((await opened('{"modeldeck_lock": 1}')).kind).toBe("lock");
    expect(await opened("{oops")).toMatchObject({ kind: "refused", reason: expect.stringMatching(/^It is not JSON/) as string });
    expect(await opened("[1]")).toMatchObject({ kind: "refused" });
    expect(await opened(" ".repeat(5 * 1024 * 1024 + 1))).toMatchObject({ reason: expect.stringMatching(/at most 5 MB/) as string });
  });
});

describe("the page", () => {
  it("loads, then says that there is nothing, then lists what comes", async () => {
    const { store } = page(<Workflows />);
    expect(screen.getByText("Loading templates…")).toBeTruthy();
    act(() => live(store, { templates: topic(), queue: queue() }));
    await screen.findByText(/There are no templates yet/);
    act(() => live(store, { templates: topic(template("w/first", [reference("vae/a.pt")])) }));
    expect((await screen.findByRole("button", { name: /first/ })).textContent).toMatch(/1 missing.*misses a\.pt/);
    expect(screen.getByText("0 of 1 ready")).toBeTruthy();
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

  it("shows the plan before anything is fetched, and sends what was chosen", async () => {
    const files = [
      { path: "vae/a.pt", status: "missing", action: "download", size_bytes: 2e9, source: { kind: "preset", name: "Flux", url: "https://hub.test/a.pt" } },
      { path: "vae/b.pt", status: "ambiguous", action: "choose", candidates: ["vae/x/b.pt", "vae/y/b.pt"] },
      { path: "vae/c.pt", status: "missing", action: "none", code: "no_source", message: "No source of it is known." },
    ];
    const volumes = [{ path: "/", needed_bytes: 2e9, present_bytes: 0, shared_bytes: 0, reserved_bytes: 0, free_bytes: 1e9, fits: false }];
    const requests = gateway(({ url }) =>
      url.endsWith("/plan")
        ? Response.json({ template_id: "w/t", files, volumes })
        : Response.json({ status: "queued", queued: [{ path: "vae/a.pt", status: "queued" }], linked: [], unresolved: [{ path: "vae/c.pt", code: "no_source", message: "Nowhere." }] }),
    );
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(template("w/t", files.map(({ path }) => reference(path)))), queue: queue() }));
    fireEvent.click(await screen.findByRole("button", { name: /misses/ }));
    fireEvent.click(await screen.findByRole("button", { name: "Install missing…" }));
    const dialog = within(screen.getByRole("dialog", { name: "t" }));
    await dialog.findByText(/as the preset Flux has it/);
    expect(dialog.getByText("Too little space")).toBeTruthy();
    expect(dialog.getByText("2.0 GB needed of 1.0 GB free")).toBeTruthy();
    fireEvent.click(dialog.getByRole("radio", { name: "vae/y/b.pt" }));
    fireEvent.change(dialog.getByRole("textbox", { name: "Address of c.pt" }), { target: { value: "https://" } });
    fireEvent.click(dialog.getByRole("button", { name: "Install 2 files · 2.0 GB" }));
    await dialog.findByText("1 file is in the download queue.");
    expect(dialog.getByText(/Nowhere/)).toBeTruthy();
    const sent = requests.find(({ method }) => method === "POST");
    expect(sent).toMatchObject({ url: "/api/v1/workflows/templates/w%2Ft/install-missing", body: { choices: { "vae/b.pt": "vae/y/b.pt" } } });
  });

  it("follows the download and turns ready by itself", async () => {
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(template("w/t", [reference("vae/a.pt")])), queue: queue() }));
    fireEvent.click(await screen.findByRole("button", { name: /misses/ }));
    const active = { download_id: "d", name: "a.pt", status: "downloading" as const, progress: 61.2, file: { path: "vae/a.pt" } };
    act(() => live(store, { queue: queue({ active: { d: active } }) }));
    const bar = await screen.findByRole("progressbar", { name: "Progress of a.pt" });
    expect(bar.getAttribute("aria-valuenow")).toBe("61");
    expect(screen.getByRole("button", { name: "Installing…" })).toHaveProperty("disabled", true);
    act(() => live(store, { templates: topic(template("w/t", [reference("vae/a.pt", { status: "present" })])), queue: queue() }));
    await screen.findByText("Everything it needs is where ComfyUI looks.");
    expect(screen.getByRole("button", { name: "Save lock file" })).toBeTruthy();
  });

  it("scans a chosen file and gives the server's reason when it is no workflow", async () => {
    gateway(() => problem(422, "The workflow cannot be read: It is JSON, but no workflow."));
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(), queue: queue() }));
    const input = screen.getByLabelText("Workflow or lock file");
    fireEvent.change(input, { target: { files: [new File(["{}"], "mine.json")] } });
    const dialog = await screen.findByRole("dialog", { name: "mine.json" });
    await waitFor(() => expect(within(dialog).getByRole("alert").textContent).toMatch(/It is JSON, but no workflow/));
  });

  it("says so when the address names a template that is not there", async () => {
    navigate("/workflows?template=w%2Fgone");
    const { store } = page(<Workflows />);
    act(() => live(store, { templates: topic(), queue: queue() }));
    await screen.findByText("w/gone is not there, or not any more.");
  });
});
