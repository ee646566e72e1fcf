import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Appearance } from "../src/pages/settings/Appearance";
import { About, Pools } from "../src/pages/settings/About";
import { Catalog, inWords } from "../src/pages/settings/Catalog";
import { Downloads } from "../src/pages/settings/Downloads";
import { Featured, Tour } from "../src/pages/settings/Guidance";
import { Tokens } from "../src/pages/settings/Tokens";
import { choose, startScheme } from "../src/theme";
import { gateway, live, page, presets, problem, queue } from "./page";

const token = { id: "t1", user_id: "ana", name: "backup", prefix: "md_abc", scopes: ["read"], created_at: "2026-01-01T00:00:00Z", last_used_at: "2026-01-02T00:00:00Z", expired: false };

beforeEach(() => {
  HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) {
    this.open = true;
  };
});

afterEach(() => {
  cleanup();
  choose("auto");
  vi.unstubAllGlobals();
});

it("changes the colours at once and remembers them", () => {
  startScheme();
  page(<Appearance />);
  fireEvent.click(screen.getByRole("radio", { name: /^Dark/ }));
  expect(document.documentElement.dataset["scheme"]).toBe("dark");
  expect(localStorage.getItem("modeldeck.scheme")).toBe("dark");
  expect(screen.getByRole("radio", { name: /^Dark/ })).toHaveProperty("checked", true);
});

describe("featured models", () => {
  it("are switched at once, and back with the server's reason", async () => {
    const answers: ((response: Response) => void)[] = [];
    gateway(({ method }) => (method === "GET" ? Response.json({ show_featured_models: true }) : new Promise((resolve) => answers.push(resolve))));
    page(<Featured />);
    const box = await screen.findByRole("checkbox", { name: /^Featured models/ });
    fireEvent.click(box);
    expect(box).toHaveProperty("checked", false);
    await waitFor(() => expect(answers).toHaveLength(1));
    await act(async () => answers[0]?.(problem(403, "Your token may only read.")));
    await screen.findByText("Your token may only read.");
    await waitFor(() => expect(box).toHaveProperty("checked", true));
  });

  it("stay as they were pressed last, whatever older saves are answered meanwhile", async () => {
    const answers: ((response: Response) => void)[] = [];
    gateway(({ method }) => (method === "GET" ? Response.json({ show_featured_models: true }) : new Promise((resolve) => answers.push(resolve))));
    page(<Featured />);
    const box = await screen.findByRole("checkbox", { name: /^Featured models/ });
    const seen: boolean[] = [];
    const watch = new MutationObserver(() => seen.push((box as HTMLInputElement).checked));
    for (const _ of [1, 2, 3]) fireEvent.click(box);
    expect(box).toHaveProperty("checked", false);
    watch.observe(document.body, { subtree: true, childList: true, attributes: true });
    for (const [index, show_featured_models] of [false, true, false].entries()) {
      await waitFor(() => expect(answers).toHaveLength(index + 1));
      await act(async () => answers[index]?.(Response.json({ show_featured_models })));
      expect(box).toHaveProperty("checked", false);
    }
    expect(seen).not.toContain(true);
  });

  it("have their tour again", async () => {
    localStorage.setItem("modeldeck.tour", JSON.stringify({ hasSeenTour: true, currentStep: -1, isDismissed: true }));
    page(<Tour />);
    fireEvent.click(await screen.findByRole("button", { name: "Start over" }));
    expect(JSON.parse(localStorage.getItem("modeldeck.tour") ?? "")).toMatchObject({ hasSeenTour: false, isDismissed: false });
  });
});

describe("download settings", () => {
  it("are sent as the server takes them, and shown before it answers", async () => {
    const requests = gateway(() => new Promise(() => undefined));
    const { store } = page(<Downloads />);
    act(() => live(store, { queue: queue({ max_concurrent: 2, bandwidth_limit_bps: 50_000_000 }) }));
    const limit = await screen.findByRole("spinbutton", { name: /^Bandwidth/ });
    expect(limit).toHaveProperty("value", "50");
    fireEvent.change(limit, { target: { value: "12.5" } });
    fireEvent.click(screen.getByRole("button", { name: "Save bandwidth" }));
    await screen.findByText(/take at most 12\.5 MB\/s/);
    await waitFor(() => expect(requests[0]).toMatchObject({ method: "PATCH", body: { bandwidth_limit: 12_500_000 } }));
  });

  it("are taken back with the reason, and follow what others change", async () => {
    gateway(() => problem(422, "At most 64 at a time."));
    const { store } = page(<Downloads />);
    act(() => live(store, { queue: queue({ max_concurrent: 2 }) }));
    const field = await screen.findByRole("spinbutton", { name: /^At a time/ });
    fireEvent.change(field, { target: { value: "9" } });
    fireEvent.submit(field);
    await screen.findByText("At most 64 at a time.");
    await waitFor(() => expect(field).toHaveProperty("value", "2"));
    act(() => live(store, { queue: queue({ max_concurrent: 5 }) }));
    await waitFor(() => expect(field).toHaveProperty("value", "5"));
  });

  it("take the limit away when the field is emptied", async () => {
    const requests = gateway(() => Response.json({}));
    const { store } = page(<Downloads />);
    act(() => live(store, { queue: queue({ bandwidth_limit_bps: 1_000_000 }) }));
    const limit = await screen.findByRole("spinbutton", { name: /^Bandwidth/ });
    fireEvent.change(limit, { target: { value: "" } });
    fireEvent.submit(limit);
    await waitFor(() => expect(requests[0]?.body).toEqual({ bandwidth_limit: null }));
  });
});

describe("personal tokens", () => {
  it("are made with their scopes and expiry, and the secret is shown once", async () => {
    const made: object[] = [];
    const requests = gateway(({ method, url }) => {
      if (url.endsWith("/session")) return Response.json({ user_id: "ana", kind: "cookie", scopes: ["read", "operate"] });
      if (method === "GET") return Response.json({ tokens: made, total: made.length });
      made.push(token);
      return Response.json({ ...token, token: "md_secret" }, { status: 201 });
    });
    page(<Tokens />);
    await screen.findByText("You have no tokens yet.");
    await screen.findByRole("checkbox", { name: /^Operate/ });
    expect(screen.queryByRole("checkbox", { name: /^Admin/ })).toBeNull();
    fireEvent.change(screen.getByRole("textbox", { name: "Name" }), { target: { value: "backup" } });
    fireEvent.click(screen.getByRole("checkbox", { name: /^Operate/ }));
    fireEvent.change(screen.getByRole("combobox", { name: "Expires" }), { target: { value: "30" } });
    fireEvent.click(screen.getByRole("button", { name: "Make token" }));
    const dialog = await screen.findByRole("dialog", { name: "Token backup" });
    expect(within(dialog).getByRole("textbox", { name: "The token" })).toHaveProperty("value", "md_secret");
    expect(requests.find(({ method }) => method === "POST")?.body).toEqual({ name: "backup", scopes: ["read", "operate"], expires_in_days: 30 });
    fireEvent(dialog, new Event("close"));
    await screen.findByText("backup");
    expect(screen.getByText(/last used/)).toBeTruthy();
    expect(screen.queryByDisplayValue("md_secret")).toBeNull();
  });

  it("are revoked only after asking", async () => {
    const requests = gateway(({ method, url }) => {
      if (url.endsWith("/session")) return Response.json({ user_id: "ana", kind: "cookie", scopes: ["read"] });
      return method === "DELETE" ? new Response(null, { status: 204 }) : Response.json({ tokens: [token], total: 1 });
    });
    page(<Tokens />);
    fireEvent.click(await screen.findByRole("button", { name: "Revoke backup" }));
    expect(requests.some(({ method }) => method === "DELETE")).toBe(false);
    fireEvent.click(within(screen.getByRole("dialog", { name: "Revoke backup?" })).getByRole("button", { name: "Revoke" }));
    await waitFor(() => expect(requests.some(({ method, url }) => method === "DELETE" && url === "/api/v1/user/tokens/t1")).toBe(true));
  });

  it("are not for somebody who came with a token himself: the reason is told", async () => {
    gateway(() => problem(403, "Only a person who signed in may make tokens."));
    page(<Tokens />);
    await screen.findByText("Your tokens could not be loaded: Only a person who signed in may make tokens.");
  });
});

it("reads the catalog again and says what came of it", async () => {
  const entry = { id: "cat_1", type: "catalog", category: "system", status: "completed", title: "Preset catalog refreshed", subtitle: "14 presets", timestamp: "2026-01-01T00:00:00Z", link: "/models" };
  const requests = gateway(({ method, url }) => url.endsWith("/health") ? problem(503, "Away.") : Response.json(method === "POST" ? { status: "refreshed", message: "", total_presets: 15, version: "2.0.0" } : { activities: [entry] }));
  const { store } = page(<Catalog />);
  act(() => live(store, { presets: { ...presets(), version: "1.0.0", total: 14 } }));
  await screen.findByText("14 presets, version 1.0.0");
  await screen.findByText(/: 14 presets/);
  fireEvent.click(screen.getByRole("button", { name: "Refresh now" }));
  await screen.findByText("15 presets of version 2.0.0.");
  expect(requests.some(({ url }) => url === "/api/v1/presets/refresh")).toBe(true);
});

it("tells how often the catalog is read by itself, and where that is decided", async () => {
  gateway(({ url }) => Response.json(url.endsWith("/health") ? { status: "ready", epoch: "e", seq: 1, services: { catalog: { ok: true, detail: { presets_refresh_s: 21_600 } } } } : { activities: [] }));
  page(<Catalog />);
  await screen.findByText("Read again by itself every 6 hours");
  expect(screen.getByText("MODELDECK_PRESETS_REFRESH_S")).toBeTruthy();
  expect([3600, 5400, 45].map(inWords)).toEqual(["hour", "90 minutes", "45 seconds"]);
});

it("tells which pools there are, and which service is not well and why", async () => {
  const services = {
    downloader: { ok: true, detail: { pool: "default", running: 2, problems: [] } },
    catalog: { ok: false, detail: { problems: ["the models folder cannot be read"], model_files: 12, templates: 3 } },
  };
  gateway(() => Response.json({ status: "not_ready", epoch: "abcdefgh-1", seq: 1234, services }));
  page(
    <>
      <Pools />
      <About />
    </>,
  );
  await screen.findByText("2 running · 12 model files · 3 templates");
  expect(screen.getByText("the models folder cannot be read")).toBeTruthy();
  expect(screen.getByText("not ready")).toBeTruthy();
  expect(screen.getByRole("link", { name: "HTTP interface" }).getAttribute("href")).toBe("/docs");
});
