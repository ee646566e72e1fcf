import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DeleteDialog } from "../src/pages/models/DeleteDialog";
import type { ModelFile } from "../src/pages/models/data";
import PresetDrawer from "../src/pages/models/PresetDrawer";
import QueueDrawer from "../src/pages/models/QueueDrawer";
import { spareCopies } from "../src/pages/models/spare";
import { dismiss } from "../src/toasts";
import { gateway, live, page, preset, presets, queue, type Request } from "./page";

const GB = 1e9;

const file = (path: string, more: Partial<ModelFile> = {}): ModelFile => ({
  path, folder: path.split("/")[0] ?? "", filename: path.split("/").at(-1) ?? "", root: "", size_bytes: GB, modified_at: "2026-01-01T00:00:00Z", format: "safetensors",
  needed_by: [], restorable: false, ...more,
});
const NEEDED = [{ kind: "preset" as const, id: "a", name: "Preset a" }];

function deleting(answer: (path: string, force: boolean) => Response) {
  return gateway(({ method, url }: Request) => {
    const [path = "", query = ""] = decodeURIComponent(url).replace("/api/v1/models/", "").split("?");
    return method === "DELETE" ? answer(path, query === "force=true") : Response.json({ detail: url, code: "unexpected" }, { status: 404 });
  });
}

beforeEach(() => {
  HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) {
    this.open = true;
  };
});

afterEach(() => {
  cleanup();
  for (let id = 0; id < 50; id += 1) dismiss(id);
  vi.unstubAllGlobals();
  history.replaceState(null, "", "/");
});

describe("spare copies", () => {
  const copy = (path: string, sha256: string, more: Partial<ModelFile> = {}) => file(path, { sha256, duplicates: ["another"], ...more });

  it("are all of one content but one: what is needed stays, else what can be had again, else the shortest name", () => {
    const needed = copy("x/long/name/needed", "1", { needed_by: NEEDED });
    const restorable = copy("y/long/name/restorable", "2", { restorable: true });
    const files = [copy("x/a", "1"), needed, copy("y/b", "2"), restorable, copy("z/short", "3"), copy("z/longer/name", "3"), file("single", { sha256: "4" })];
    expect(spareCopies(files).map(({ path }) => path)).toEqual(["x/a", "y/b", "z/longer/name"]);
  });

  it("never are what something needs, nor a copy whose twin is not in sight", () => {
    expect(spareCopies([copy("a", "1", { needed_by: NEEDED }), copy("b", "1", { needed_by: NEEDED })])).toEqual([]);
    expect(spareCopies([copy("a", "1")])).toEqual([]);
  });
});

describe("deleting several files", () => {
  const files = [file("loras/needed", { needed_by: NEEDED }), file("loras/lost", { size_bytes: 5 * GB }), file("loras/copy", { duplicates: ["vae/stays"] })];

  it("says which of them is needed and by whom, and can leave that one out", async () => {
    const gone: string[] = [];
    deleting((path) => {
      gone.push(path);
      return Response.json({ path, size_bytes: GB, freed_bytes: GB, restorable: false, needed_by: [] });
    });
    const onDeleted = vi.fn();
    page(<DeleteDialog files={files} onClose={() => undefined} onDeleted={onDeleted} />);
    const dialog = screen.getByRole("dialog", { name: "Delete 3 files?" });
    expect(within(dialog).getByRole("alert").textContent).toContain("One of them is needed. Without it this stops working:");
    expect(within(dialog).getByRole("link", { name: /Preset a/ }).getAttribute("href")).toBe("/models?preset=a");
    expect(within(dialog).getByText("The others free up to 6.0 GB. 1 of them cannot be brought back: nobody knows where to have the same bytes.")).toBeTruthy();
    const lost = within(dialog).getAllByText("Cannot be brought back");
    expect(lost.map((mark) => mark.parentElement?.firstChild?.textContent)).toEqual(["loras/lost"]);
    fireEvent.click(within(dialog).getByRole("button", { name: "Delete only the other 2" }));
    await screen.findByText("2 files deleted");
    expect(gone).toEqual(["loras/lost", "loras/copy"]);
    expect(onDeleted).toHaveBeenCalledWith(["loras/lost", "loras/copy"]);
  });

  it("asks again when the server knows of a need that came since", async () => {
    deleting((path, force) =>
      path === "loras/copy" && !force
        ? Response.json({ code: "needed", title: "Needed", status: 409, detail: "Something needs it.", needed_by: NEEDED }, { status: 409 })
        : Response.json({ path, size_bytes: GB, freed_bytes: GB, restorable: true, needed_by: [] }),
    );
    page(<DeleteDialog files={files.slice(1)} onClose={() => undefined} />);
    fireEvent.click(screen.getByRole("button", { name: "Delete" }));
    await screen.findByText("One of them is needed. Without it this stops working:");
    expect(screen.getByText("1 of 1 deleted, 1.0 GB freed.")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "Stop here" }));
    await screen.findByText("lost deleted");
  });
});

describe("the queue by keyboard", () => {
  const waiting = (id: string, position: number) => ({ download_id: id, name: `Model ${id}`, status: "queued" as const, position });
  const failed = (id: string) => ({ download_id: id, name: `Model ${id}`, status: "failed" as const, error: "404: it is gone", finished_at: "2026-01-01T00:00:00Z" });
  const full = queue({ queue: { a: waiting("a", 1), b: waiting("b", 2), c: waiting("c", 3) }, completed: { d: failed("d"), e: failed("e") } });
  const open = () => {
    const requests = gateway(() => Response.json({}));
    const { store } = page(<QueueDrawer onClose={() => undefined} />);
    act(() => live(store, { queue: full }));
    return requests;
  };

  it("moves a row by the arrow keys on its handle, which keeps the focus", async () => {
    const requests = open();
    const handle = (place: number) => screen.findByRole("button", { name: `Move Model b, place ${place} of 3, by the arrow keys` });
    (await handle(2)).focus();
    fireEvent.keyDown(await handle(2), { key: "ArrowDown" });
    await screen.findByText("Model b: place 3 of 3.");
    expect(document.activeElement).toBe(await handle(3));
    fireEvent.keyDown(await handle(3), { key: "ArrowDown" });
    fireEvent.keyDown(await handle(3), { key: "Home" });
    await screen.findByText("Model b: place 1 of 3.");
    await waitFor(() => expect(requests.map(({ url, body }) => [url, body])).toEqual([
      ["/api/v1/downloads/b/move", { position: 3 }],
      ["/api/v1/downloads/b/move", { position: 1 }],
    ]));
  });

  it("retries all that failed at once", async () => {
    const requests = open();
    fireEvent.click(await screen.findByRole("button", { name: "Retry all" }));
    await waitFor(() => expect(requests.map(({ url }) => url)).toEqual(["/api/v1/downloads/d/retry", "/api/v1/downloads/e/retry"]));
  });
});

describe("a preset's drawer", () => {
  const open = (more: object) => {
    gateway(({ url }) =>
      url.endsWith("/plan")
        ? Response.json({ volumes: [], files: [] })
        : Response.json({ id: "a", name: "Preset a", files: [{ path: "vae/a", installed: false }], status: "available", installed: false }),
    );
    const { store } = page(<PresetDrawer id="a" onClose={() => undefined} />);
    act(() => live(store, { presets: presets(preset("a", more)), queue: queue() }));
  };

  it("sets what wants a decision apart from what is only good to know", async () => {
    open({ warnings: [{ code: "unverified", message: "no checksum is stated" }, { code: "size_mismatch", message: "vae/a is smaller than stated" }] });
    const loud = (await screen.findByRole("heading", { name: "Look at this first" })).parentElement!;
    expect(loud.textContent).toContain("vae/a is smaller than stated");
    expect(loud.textContent).not.toContain("checksum");
    expect((await screen.findByRole("heading", { name: "Good to know" })).parentElement!.textContent).toContain("No checksum is stated");
  });

  it("offers to replace what is in the way", async () => {
    open({ status: "failed", error: "vae/a exists already.", error_code: "path_conflict", download_id: "d1" });
    fireEvent.click(await screen.findByRole("button", { name: "Replace what is there…" }));
    const dialog = await screen.findByRole("dialog", { name: /Replace what is there for/ });
    expect(within(dialog).getByText("vae/a exists already.")).toBeTruthy();
  });
});
