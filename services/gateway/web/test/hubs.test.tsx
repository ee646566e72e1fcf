import { act, cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import Models from "../src/pages/Models";
import type { Featured, Repository, Variant } from "../src/pages/models/data";
import { trending } from "../src/pages/models/Featured";
import { Pages } from "../src/pages/models/Pages";
import { placed } from "../src/pages/models/placed";
import { readSource, understood } from "../src/pages/models/source";
import { filePage, ordered, pathsOf, toDownload, variantName } from "../src/pages/models/variants";
import { dismiss } from "../src/toasts";
import { gateway, live, page, presets, problem, queue, type Request } from "./page";

const MB = 1e6;

const variant = (filename: string, more: Partial<Variant> = {}): Variant => ({ filename, status: "available", metadata: {}, ...more });
const PARTS = ["chat-q8_0-00001-of-00003.gguf", "chat-q8_0-00002-of-00003.gguf", "chat-q8_0-00003-of-00003.gguf"];
const inParts = variant(PARTS[0]!, { parts: PARTS, size_bytes: 81 * MB, path: `llm/org/chat/${PARTS[0]}`, quantization: { bits: 8, method: "Q8_0" } });
const small = variant("chat-q2_k.gguf", { size_bytes: 30 * MB, quantization: { bits: 2, method: "Q2_K" } });
const repository: Repository = {
  repo: "org/chat", hub: "huggingface", revision: "abc", variants: [inParts, small],
  metadata: { tags: ["chat", "license:mit"], links: { huggingface: "https://huggingface.co/org/chat" }, likes: 7, license: "mit" },
};
const preview = {
  ...repository, ...repository.metadata,
  recommended: { filename: PARTS[0], reason: "Q8_0 (81 MB) fits into the 12 GB of the RTX 4070." },
};
const plan = {
  volumes: [{ path: "/models", needed_bytes: 81 * MB, present_bytes: 0, reserved_bytes: 0, shared_bytes: 0, free_bytes: 1e9, fits: true }],
  files: PARTS.map((path) => ({ path, action: "download", size_bytes: 27 * MB })),
};

function answers({ method, url }: Request): Response {
  if (url === "/api/v1/modelfiles") return Response.json({ storage: {}, repositories: [repository] });
  if (url === "/api/v1/user/settings") return Response.json({ show_featured_models: true });
  if (url === "/api/v1/downloads/plan") return Response.json(plan);
  if (url === "/api/v1/downloads" && method === "POST") return Response.json({ download_id: "d", status: "queued", path: "x" }, { status: 201 });
  if (url.startsWith("/api/v1/hub/")) return Response.json(preview);
  return problem(404, `${method} ${url}`);
}

const model = (id: string, more: Partial<Featured> = {}) =>
  ({ id, name: `Model ${id}`, title: id, description: "", tags: [], repo: `org/${id}`, filename: `${id}.gguf`, status: "available", metadata: { tags: [] }, links: {}, ...more }) as Featured;
const list = (...ids: string[]) => ({ last_updated: "2026-01-01", models: Object.fromEntries(ids.map((id) => [id, model(id)])) });

async function open(address: string, answer: (request: Request) => Response = answers, featured: object = { models: {} }) {
  history.replaceState(null, "", address);
  const requests = gateway(answer);
  const view = page(<Models />);
  await act(async () => live(view.store, { presets: presets(), queue: queue(), featured }));
  return { ...view, requests };
}

const downloads = (requests: readonly Request[]) => requests.filter(({ method, url }) => method === "POST" && url === "/api/v1/downloads").map(({ body }) => body);

beforeEach(() => {
  localStorage.clear();
  localStorage.setItem("modeldeck.tour", JSON.stringify({ hasSeenTour: true, currentStep: -1, isDismissed: true }));
});

afterEach(() => {
  cleanup();
  for (let id = 0; id < 300; id += 1) dismiss(id);
  vi.unstubAllGlobals();
  history.replaceState(null, "", "/");
});

describe("variants", () => {
  it("in parts are one: one name, all paths, all downloads in order", () => {
    expect(variantName(inParts)).toBe("chat-q8_0.gguf");
    expect(variantName(variant(PARTS[0]!))).toBe(PARTS[0]);
    expect(pathsOf(inParts)).toEqual(PARTS.map((part) => `llm/org/chat/${part}`));
    expect(toDownload(repository, inParts)).toEqual(PARTS.map((filename) => ({ repo: "org/chat", filename, revision: "abc" })));
  });

  it("are put in the order of one column; what is unknown comes last either way", () => {
    const unknown = variant("a.bin", { status: "downloaded" });
    const names = (column: "name" | "size" | "precision" | "status", descending: boolean) => ordered([inParts, small, unknown], { column, descending }).map(({ filename }) => filename);
    expect(names("size", false)).toEqual([small.filename, inParts.filename, "a.bin"]);
    expect(names("size", true)).toEqual([inParts.filename, small.filename, "a.bin"]);
    expect(names("precision", true)).toEqual([inParts.filename, small.filename, "a.bin"]);
    expect(names("name", true)).toEqual([inParts.filename, small.filename, "a.bin"]);
    expect(names("status", false)[0]).toBe("a.bin");
  });

  it("have a page of their own on Hugging Face alone", () => {
    const url = "https://huggingface.co/org/chat/resolve/abc/x.gguf";
    expect(filePage({ hub: "huggingface" }, { url })).toBe("https://huggingface.co/org/chat/blob/abc/x.gguf");
    expect(filePage({ hub: "civitai" }, { url })).toBeUndefined();
    expect(filePage({ hub: "huggingface" }, { url: "javascript:alert(1)" })).toBeUndefined();
  });
});

describe("what was understood of a link", () => {
  it.each([
    ["org/chat", "The repository org/chat on Hugging Face"],
    ["https://huggingface.co/org/chat", "The repository org/chat on Hugging Face"],
    ["huggingface.co/org/chat/blob/main/sub/x%20y.gguf", "The file x y.gguf of org/chat on Hugging Face"],
    ["http://127.0.0.1:9/org/chat", "The repository org/chat on 127.0.0.1:9"],
    ["https://civitai.com/models/4201?modelVersionId=130072", "A model on Civitai"],
    ["civitai:4201", "A model on Civitai"],
    ["https://example.org/a/lora.safetensors?x=1", "A file at example.org: lora.safetensors"],
    ["org/", undefined],
    ["two words", undefined],
  ])("%s: %s", (text, said) => expect(understood(readSource(text))).toBe(said));
});

describe("pages of a list", () => {
  const Numbers = ({ count, by = "name" }: { count: number; by?: string }) => (
    <Pages by={by} items={Array.from({ length: count }, (_, index) => index)} size={10} of="numbers">
      {(shown) => <p data-testid="shown">{shown.join()}</p>}
    </Pages>
  );
  const shown = () => screen.getByTestId("shown").textContent;

  it("are turned by two buttons that stay reachable at the ends", () => {
    const { rerender } = render(<Numbers count={25} />);
    const [previous, next] = ["Previous", "Next"].map((name) => screen.getByRole("button", { name }));
    expect(previous!.getAttribute("aria-disabled")).toBe("true");
    fireEvent.click(previous!);
    expect(screen.getByRole("status").textContent).toBe("Page 1 / 3");
    fireEvent.click(next!);
    fireEvent.click(next!);
    expect(shown()).toBe("20,21,22,23,24");
    expect(next!.getAttribute("aria-disabled")).toBe("true");
    rerender(<Numbers count={15} />);
    expect(shown()).toBe("10,11,12,13,14");
    rerender(<Numbers count={25} by="size" />);
    expect(shown()).toMatch(/^0,/);
    rerender(<Numbers count={10} />);
    expect(screen.queryByRole("navigation")).toBeNull();
  });
});

describe("a repository in parts", () => {
  it("is recommended with its reason and queued whole by one press", async () => {
    const { requests } = await open("/models?download=org%2Fchat");
    const best = await screen.findByRole("region", { name: "Recommended for this machine" });
    expect(within(best).getByText("Q8_0 · 81.0 MB · 3 parts")).toBeTruthy();
    expect(within(best).getByText(/fits into the 12 GB/)).toBeTruthy();
    expect(screen.getAllByRole("radio").map((radio) => radio.closest("label")?.querySelector(".name")?.textContent)).toEqual(["chat-q2_k.gguf", "chat-q8_0.gguf"]);
    fireEvent.click(within(best).getByRole("button", { name: "Quick download: chat-q8_0.gguf" }));
    await screen.findByRole("dialog", { name: "Active downloads" });
    expect(downloads(requests)).toEqual(toDownload(repository, inParts));
    await screen.findByText("3 parts added to the download queue.");
  });

  it("says how far it came when a later part is refused", async () => {
    let asked = 0;
    const refuse = (request: Request) => (request.url === "/api/v1/downloads" && (asked += 1) > 1 ? problem(409, "The queue is full.") : answers(request));
    const { requests } = await open("/models?download=org%2Fchat", refuse);
    const all = await screen.findByRole<HTMLButtonElement>("button", { name: "Download all 3 parts" });
    await waitFor(() => expect(all.disabled).toBe(false));
    fireEvent.click(all);
    await screen.findByText("1 of 3 parts are queued, the next one was refused: The queue is full.");
    expect(downloads(requests)).toHaveLength(2);
  });

  it("shows which part comes, and cancels all of them", async () => {
    const coming: Repository = { ...repository, variants: [{ ...inParts, status: "downloading", download_id: "p2" }] };
    const { requests, store } = await open("/models?tab=repositories", (request) =>
      request.url === "/api/v1/modelfiles" ? Response.json({ storage: {}, repositories: [coming] }) : request.url.includes("/cancel") ? Response.json({ status: "cancelled" }) : answers(request),
    );
    const item = (id: string, name: string) => ({ download_id: id, name, progress: 41.5 });
    live(store, { queue: queue({ active: { p2: { ...item("p2", PARTS[1]!), status: "downloading" } }, queue: { p3: { ...item("p3", PARTS[2]!), status: "queued", position: 1 } } }) });
    await screen.findByText("part 2 of 3");
    expect(within(screen.getByRole("table")).getByText("41%")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "Cancel chat-q8_0.gguf" }));
    fireEvent.click(await screen.findByRole("button", { name: "Cancel download" }));
    await waitFor(() => expect(requests.filter(({ url }) => url.includes("/cancel")).map(({ url }) => url.split("/")[4])).toEqual(["p2", "p3"]));
  });

  it("of a gated repository says what has to be done first", async () => {
    await open("/models?download=org%2Fchat", (request) => (request.url.startsWith("/api/v1/hub/") ? Response.json({ ...preview, gated: "manual" }) : answers(request)));
    const link = await screen.findByRole("link", { name: /Accept them on its page/ });
    expect(link.getAttribute("href")).toBe("https://huggingface.co/org/chat");
    expect(screen.getByText(/the owner decides on each request/)).toBeTruthy();
    expect(screen.getByText(/Set HF_TOKEN/)).toBeTruthy();
  });
});

describe("the variants table", () => {
  it("sorts by its column heads and says so", async () => {
    await open("/models?tab=repositories");
    const table = await screen.findByRole("table", { name: "Variants of org/chat" });
    const order = () => [...table.querySelectorAll<HTMLElement>("[data-variant]")].map((row) => row.dataset["variant"]);
    const head = (name: string) => within(table).getByRole("columnheader", { name });
    expect(head("Size").getAttribute("aria-sort")).toBe("ascending");
    expect(order()).toEqual([small.filename, PARTS[0]]);
    fireEvent.click(within(head("Size")).getByRole("button"));
    expect(head("Size").getAttribute("aria-sort")).toBe("descending");
    expect(order()).toEqual([PARTS[0], small.filename]);
    fireEvent.click(within(head("Variant")).getByRole("button"));
    expect(head("Size").getAttribute("aria-sort")).toBe("none");
    expect(within(table).getByText("3 parts")).toBeTruthy();
  });
});

describe("featured models", () => {
  it("stand in the order of what is wanted, where anybody counts", () => {
    const counted = [model("a"), model("b", { metadata: { tags: [], downloads: 5 } }), model("c", { metadata: { tags: [], downloads: 9, downloads_24h: 1 } })];
    expect(trending(counted).map(({ id }) => id)).toEqual(["b", "c", "a"]);
    expect(trending([model("x"), model("y")]).map(({ id }) => id)).toEqual(["x", "y"]);
  });

  it("come back with those that are new, and say so once", async () => {
    const { store } = await open("/models", answers, list("a", "b"));
    fireEvent.click(await screen.findByRole("button", { name: /Dismiss featured models/ }));
    expect(screen.queryByRole("region", { name: "Featured models" })).toBeNull();
    await act(async () => live(store, { featured: list("a", "b", "c") }));
    const region = screen.getByRole("region", { name: "Featured models" });
    expect(within(region).getByText("1 new")).toBeTruthy();
    expect(region.querySelector("[data-featured=c]")?.textContent).toContain("New");
    expect(region.querySelector("[data-featured=a]")?.textContent).not.toContain("New");
    await screen.findByText("New featured models");
    cleanup();
    for (let id = 0; id < 300; id += 1) dismiss(id);
    await open("/models", answers, list("a", "b", "c"));
    await screen.findByText("1 new");
    expect(screen.queryByText("New featured models")).toBeNull();
  });

  it("of which one part is named lead to the whole", async () => {
    const { requests } = await open("/models", answers, { models: { chat: model("chat", { filename: PARTS[0]! }) } });
    fireEvent.click(await screen.findByRole("button", { name: "Try now: Model chat" }));
    await screen.findByRole("button", { name: "Download all 3 parts" });
    expect(downloads(requests)).toEqual([]);
  });
});

describe("the tour's text", () => {
  it("stays inside the window on a phone, beside the light or at the window's end", () => {
    const view = { width: 360, height: 640 };
    for (const box of [undefined, { left: 4, top: 80, width: 352, height: 300 }, { left: 4, top: -200, width: 352, height: 900 }]) {
      const { left, top } = placed(box, 344, 200, view);
      expect(left).toBe(8);
      expect(top).toBeGreaterThanOrEqual(8);
      expect(top + 200).toBeLessThanOrEqual(640 - 8);
    }
  });

  it("says where featured models are when they were put away", async () => {
    localStorage.setItem("modeldeck.tour", JSON.stringify({ hasSeenTour: false, currentStep: 0, isDismissed: false }));
    await open("/models");
    await screen.findByText(/You have put them away/);
    fireEvent.keyDown(screen.getByRole("dialog"), { key: "ArrowRight" });
    await screen.findByText("Step 2/4");
    fireEvent.keyDown(screen.getByRole("dialog"), { key: "ArrowLeft" });
    await screen.findByText("Step 1/4");
    fireEvent.click(screen.getByRole("button", { name: "Skip" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(JSON.parse(localStorage.getItem("modeldeck.tour") ?? "")).toEqual({ hasSeenTour: false, currentStep: -1, isDismissed: true });
  });
});
