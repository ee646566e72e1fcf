import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { arranged, moved, placed, resized, toSave, without, type Known, type Saved } from "../src/board/layout";
import { widgets } from "../src/board/registry";
import { later } from "../src/board/useBoard";
import Home from "../src/pages/Home";
import { dismiss } from "../src/toasts";
import { gateway, live, page, preset, presets, problem, queue, resources } from "./page";

const known: Known[] = ["a", "b", "c"].map((widget, order) => ({ widget, order, w: 2, h: 1 }));
const names = (list: readonly { widget: string }[]) => list.map(({ widget }) => widget);
const saved = (more: Partial<Saved> = {}): Saved => ({
  layout: [
    { widget: "b", x: 2, y: 0, w: 2, h: 1 },
    { widget: "a", x: 0, y: 0, w: 2, h: 1 },
  ],
  is_default: false,
  ...more,
});

describe("the arrangement", () => {
  it("is read by rows, and has what it does not name at the end only where that is new to the user", () => {
    expect(names(arranged(saved(), known).tiles)).toEqual(["a", "b"]);
    expect(names(arranged(saved({ is_default: true }), known).tiles)).toEqual(["a", "b", "c"]);
    expect(names(arranged(saved({ widget_settings: { board: { known: ["a", "b"] } } }), known).tiles)).toEqual(["a", "b", "c"]);
    expect(names(arranged(saved({ widget_settings: { board: { known: ["a", "b", "c"] } } }), known).tiles)).toEqual(["a", "b"]);
  });

  it("keeps the places of widgets that this build does not know", () => {
    const board = arranged(saved(), known.slice(1));
    expect(names(board.tiles)).toEqual(["b"]);
    expect(names(toSave(board, known, {}).layout)).toEqual(["b", "a"]);
    expect(toSave(board, known, { b: { fold: true } }).widget_settings).toEqual({ b: { fold: true }, board: { known: ["a", "b", "c"] } });
  });

  it("places tiles as R-241 has them", () => {
    const tiles = [
      { widget: "tasks", w: 2, h: 2 },
      { widget: "projects", w: 2, h: 2 },
      { widget: "disk", w: 1, h: 2 },
      { widget: "feed", w: 3, h: 2 },
    ];
    expect(placed(tiles).map(({ x, y }) => [x, y])).toEqual([[0, 0], [2, 0], [0, 2], [1, 2]]);
  });

  it("never lets two tiles overlap, nor one leave the board", () => {
    const sizes = [[3, 1], [2, 3], [1, 1], [4, 2], [2, 1], [2, 2], [1, 6], [3, 1]] as const;
    const cells = placed(sizes.map(([w, h], index) => ({ widget: `${index}`, w, h }))).flatMap(({ x, y, w, h }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(cells.every((cell) => Number(cell.split(" ")[0]) < 4)).toBe(true);
  });

  it("moves, resizes within limits, and hides", () => {
    const { tiles } = arranged(saved({ is_default: true }), known);
    expect(names(moved(tiles, "c", 0))).toEqual(["c", "a", "b"]);
    expect(moved(tiles, "a", -1)).toBe(tiles);
    expect(resized(tiles, "a", { w: 9, h: 0 })[0]).toEqual({ widget: "a", w: 4, h: 1 });
    expect(names(without(tiles, "b"))).toEqual(["a", "c"]);
  });
});

describe("the registry", () => {
  it("has every widget of the server's default board, each once", () => {
    const ids = widgets.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of [
      "active-tasks", "project-progress", "disk-health", "activity-feed", "stats", "download-queue", "system-resources", "recent-models",
      "overview", "quick-actions", "system-status",
    ]) expect(ids).toContain(id);
  });
});

const FIGURES = { totalGenerations: 0, modelsInstalled: 0, storageUsed: "1 GB", activeWorkflows: 0, model_files: 1, storage_used_bytes: 1e9, absent: [] };

describe("the home page", () => {
  let board: Record<string, unknown>;
  let refuse: boolean;
  let puts: { layout: { widget: string; w: number; h: number }[] }[];

  beforeEach(() => {
    HTMLDialogElement.prototype.showModal ??= () => undefined;
    vi.stubGlobal("IntersectionObserver", class {
      observe() {}
      disconnect() {}
    });
    board = {
      id: "local", user_id: "local", is_default: true, columns: 4, widget_settings: {},
      layout: [
        { widget: "stats", x: 0, y: 0, w: 4, h: 1 },
        { widget: "disk-health", x: 0, y: 1, w: 1, h: 2 },
      ],
    };
    refuse = false;
    puts = [];
    gateway(({ method, url, body }) => {
      if (url === "/api/v1/user/dashboard") {
        if (method === "PUT") {
          puts.push(body as (typeof puts)[number]);
          if (refuse) return problem(503, "The log is away.");
          board = { ...board, ...(body as object), is_default: false };
        }
        if (method === "DELETE") board = { ...board, is_default: true, layout: [{ widget: "stats", x: 0, y: 0, w: 4, h: 1 }] };
        return Response.json(board);
      }
      return Response.json({ activities: [], hosts: {}, minutes: 60, step_s: 10 });
    });
  });

  afterEach(() => {
    cleanup();
    for (let id = 0; id < 200; id += 1) dismiss(id);
    vi.unstubAllGlobals();
  });

  const order = () => [...document.querySelectorAll<HTMLElement>("[data-tile]")].map(({ dataset }) => dataset["tile"]);

  async function arrange() {
    const { store } = page(<Home />);
    act(() => live(store, { queue: queue(), presets: presets(), resources: resources(), stats: FIGURES }));
    fireEvent.click(await screen.findByRole("button", { name: "Arrange" }));
    await screen.findByRole("button", { name: "Done" });
    return store;
  }

  it("moves by a button, says so, keeps the focus and saves", async () => {
    await arrange();
    expect(order().slice(0, 2)).toEqual(["stats", "disk-health"]);
    const button = screen.getByRole("button", { name: "Move later: At a glance" });
    button.focus();
    fireEvent.click(button);
    await waitFor(() => expect(order().slice(0, 2)).toEqual(["disk-health", "stats"]));
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Move later: At a glance");
    expect(screen.getByText(/^At a glance: place 2 of /)).toBeTruthy();
    await waitFor(() => expect(puts).toHaveLength(1));
    expect(names(puts[0]!.layout).slice(0, 2)).toEqual(["disk-health", "stats"]);
  });

  it("resizes, hides, shows again and resets", async () => {
    await arrange();
    fireEvent.click(screen.getByRole("button", { name: "Make wider: Disk health" }));
    await waitFor(() => expect(puts.at(-1)?.layout.find(({ widget }) => widget === "disk-health")?.w).toBe(2));
    fireEvent.click(screen.getByRole("button", { name: "Hide: Disk health" }));
    await waitFor(() => expect(order()).not.toContain("disk-health"));
    expect(document.activeElement?.textContent).toBe("Show Disk health");
    fireEvent.click(screen.getByRole("button", { name: "Show Disk health" }));
    await waitFor(() => expect(order().at(-1)).toBe("disk-health"));
    fireEvent.click(screen.getByRole("button", { name: "Reset" }));
    await waitFor(() => expect(order()[0]).toBe("stats"));
    expect(board["is_default"]).toBe(true);
  });

  it("takes back what the server refuses, with its reason", async () => {
    await arrange();
    refuse = true;
    fireEvent.click(screen.getByRole("button", { name: "Hide: At a glance" }));
    await screen.findByText("The log is away.");
    await waitFor(() => expect(order()[0]).toBe("stats"));
  });

  it("follows what another browser of the same person saves, and only that", async () => {
    const { store } = page(<Home />);
    const elsewhere = (more: object) => ({ user_id: "local", settings: {}, dashboard: { ...board, updated_at: "2026-01-01T00:00:02Z", ...more } });
    act(() => live(store, { queue: queue(), presets: presets(), stats: FIGURES }));
    await waitFor(() => expect(order()[0]).toBe("stats"));
    act(() => live(store, { user: elsewhere({ is_default: false, layout: [{ widget: "disk-health", x: 0, y: 0, w: 1, h: 2 }] }) }));
    await waitFor(() => expect(order()).toEqual(["disk-health"]));
  });

  it("shows its own change until the server has it, whatever the stream brings meanwhile", async () => {
    const store = await arrange();
    act(() => live(store, { user: { user_id: "local", settings: {}, dashboard: { ...board, updated_at: "2026-01-01T00:00:02Z" } } }));
    let answer: (response: Response) => void = () => undefined;
    gateway(() => new Promise((resolve) => (answer = resolve)));
    fireEvent.click(screen.getByRole("button", { name: "Hide: At a glance" }));
    await waitFor(() => expect(order()[0]).toBe("disk-health"));
    act(() => live(store, { user: { user_id: "local", settings: {}, dashboard: { ...board, updated_at: "2026-01-01T00:00:03Z" } } }));
    expect(order()[0]).toBe("disk-health");
    const saved = { ...board, is_default: false, updated_at: "2026-01-01T00:00:04Z", layout: [{ widget: "disk-health", x: 0, y: 0, w: 1, h: 2 }] };
    answer(Response.json(saved));
    act(() => live(store, { user: { user_id: "local", settings: {}, dashboard: saved } }));
    await waitFor(() => expect(order()[0]).toBe("disk-health"));
    expect(later({ ...saved, updated_at: "2026-01-01T00:00:09Z" } as never, { ...saved, user_id: "other" } as never)?.user_id).toBe("other");
  });

  it("says what to do first where nothing is there, until that is hidden or done", async () => {
    const puts: unknown[] = [];
    gateway(({ method, url, body: sent }) => {
      if (method === "PUT" && url === "/api/v1/user/settings") puts.push(sent);
      return Response.json(url === "/api/v1/user/dashboard" ? board : { activities: [], hosts: {} });
    });
    const { store } = page(<Home />);
    const user = (settings: object) => ({ user: { user_id: "local", settings, dashboard: board } });
    act(() => live(store, { queue: queue(), presets: presets(preset("x")), stats: { ...FIGURES, model_files: 0 }, ...user({}) }));
    const steps = await screen.findByRole("region", { name: /first steps/ });
    expect(within(steps).getAllByRole("listitem")).toHaveLength(3);
    expect(within(steps).getByRole("link", { name: "Browse models" }).getAttribute("href")).toBe("/models");
    act(() => live(store, { presets: presets(preset("x", { installed: true, status: "installed" })) }));
    await within(steps).findByText("Done");
    fireEvent.click(within(steps).getByRole("button", { name: "Hide this" }));
    await waitFor(() => expect(puts).toEqual([{ first_steps_hidden: true }]));
    act(() => live(store, user({ first_steps_hidden: true })));
    await waitFor(() => expect(screen.queryByRole("region", { name: /first steps/ })).toBeNull());
  });

  it("has no first steps where something is there", async () => {
    await arrange();
    expect(screen.queryByRole("region", { name: /first steps/ })).toBeNull();
  });

  it("shows one widget's failure in its place only", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { store } = page(<Home />);
    act(() => live(store, { queue: queue(), presets: presets(), stats: { model_files: 1, absent: null }, "disk-health": { status: "absent", disks: [] } }));
    const broken = await screen.findByRole("region", { name: "At a glance" });
    await within(broken).findByText(/could not be shown/);
    expect(screen.getByText("No host has reported its disks yet.")).toBeTruthy();
  });
});
