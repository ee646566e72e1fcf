import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import type { ReactElement } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { LiveStore } from "../src/api/live";
import { LiveContext } from "../src/api/useLive";
import { late } from "../src/late";
import SignIn from "../src/pages/SignIn";
import { Header } from "../src/shell/Header";
import { dismiss, notify, Toasts } from "../src/toasts";
import { Boundary } from "../src/ui";
import { gateway, live, page, problem } from "./page";

afterEach(() => {
  cleanup();
  for (let id = 0; id < 50; id++) dismiss(id);
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

describe("messages", () => {
  it("are in the dialog that was opened last, where they can be reached, and outlive it", async () => {
    render(<Toasts />);
    document.body.insertAdjacentHTML("beforeend", "<dialog id=outer><dialog id=inner></dialog></dialog>");
    const [outer, inner] = ["outer", "inner"].map((id) => document.getElementById(id) as HTMLDialogElement) as [HTMLDialogElement, HTMLDialogElement];
    const home = () => screen.getByText("Saved").closest("section")?.parentElement;
    outer.showModal();
    act(() => notify({ type: "success", title: "Saved", message: "It is kept." }));
    await waitFor(() => expect(home()).toBe(outer));
    inner.showModal();
    await waitFor(() => expect(home()).toBe(inner));
    inner.close();
    await waitFor(() => expect(home()).toBe(outer));
    // A page that goes takes its dialog along without closing it.
    outer.remove();
    await waitFor(() => expect(home()).toBe(document.body));
  });
});

describe("a dialog that is fetched when asked for", () => {
  it("says that it could not be fetched, counts as closed, and is asked for again the next time", async () => {
    const load = vi.fn(() => Promise.reject(new TypeError("Failed to fetch dynamically imported module: x")));
    const Question = late<{ onClose: () => void }>(load);
    const onClose = vi.fn();
    const { rerender } = page(<Question key="1" onClose={onClose} />);
    await screen.findByText("That could not be opened");
    await waitFor(() => expect(onClose).toHaveBeenCalledOnce());
    expect(load).toHaveBeenCalledOnce();
    rerender(<Question key="2" onClose={onClose} />);
    await waitFor(() => expect(load).toHaveBeenCalledTimes(2));
  });
});

describe("a part of the page that fails", () => {
  function failing(error: Error): ReactElement {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const Failing = () => {
      throw error;
    };
    return (
      <Boundary title="Models" heading>
        <Failing />
      </Boundary>
    );
  }

  it("gives the reason when it cannot be shown", async () => {
    page(failing(new Error("no such preset")));
    await screen.findByText("“Models” could not be shown: no such preset");
    screen.getByRole("heading", { level: 1, name: "Models" });
    screen.getByRole("button", { name: "Try again" });
  });

  it("offers to load the page anew when its code cannot be fetched", async () => {
    const reload = vi.spyOn(location, "reload").mockImplementation(() => undefined);
    page(failing(new TypeError("Failed to fetch dynamically imported module: /assets/Models-x.js")));
    fireEvent.click(await screen.findByRole("button", { name: "Reload" }));
    await waitFor(() => expect(reload).toHaveBeenCalledOnce());
  });
});

describe("the sign-in page", () => {
  it("leads to the issuer and back to this page; the token is there for those who have it", () => {
    history.replaceState(null, "", "/models?tab=files");
    render(<SignIn issuer="/api/v1/session/oidc/start" why="Your session has ended." onSignedIn={vi.fn()} />);
    const link = screen.getByRole("link", { name: "Sign in with your organization" });
    expect(link.getAttribute("href")).toBe("/api/v1/session/oidc/start?return_to=%2Fmodels%3Ftab%3Dfiles");
    expect(document.activeElement).toBe(link);
    expect(screen.getByRole("status").textContent).toBe("Your session has ended.");
    expect(document.title).toBe("Sign in · Modeldeck");
    expect(screen.getByLabelText("Token").closest("details")?.open).toBe(false);
  });

  it("says what is wrong, and lets in with the right token", async () => {
    const answers = [problem(401, "The token is wrong."), new TypeError("no connection"), problem(429, "Try again in 4 s."), new Response(null, { status: 204 })];
    gateway(() => {
      const next = answers.shift();
      return next instanceof Response ? next : Promise.reject(next!);
    });
    const onSignedIn = vi.fn();
    render(<SignIn issuer={undefined} why="" onSignedIn={onSignedIn} />);
    const field = screen.getByLabelText("Token");
    expect(document.activeElement).toBe(field);
    fireEvent.change(field, { target: { value: " abc " } });
    for (const said of [/This token is not right/, /cannot be reached.*is running/, /Try again in 4 s/]) {
      fireEvent.submit(field.closest("form")!);
      await waitFor(() => expect(screen.getByRole("alert").textContent).toMatch(said));
    }
    fireEvent.submit(field.closest("form")!);
    await waitFor(() => expect(onSignedIn).toHaveBeenCalledOnce());
  });
});

describe("the header", () => {
  function header(session: object): void {
    gateway(() => Response.json({ user_id: "oidc:1", scopes: ["read"], ...session }));
    const store = new LiveStore();
    page(<Header />, store);
    live(store, {});
  }

  it("names the person as the issuer does, and who came without credentials not at all", async () => {
    header({ kind: "cookie", display_name: "Ana" });
    await screen.findByText("Ana");
    screen.getByRole("button", { name: "Sign out" });
    cleanup();
    header({ kind: "none", user_id: "local" });
    await waitFor(() => expect(screen.queryByRole("button", { name: "Sign out" })).toBeNull());
    expect(screen.queryByText("Signed in as")).toBeNull();
  });

  it("signs out, also when the session had ended already", async () => {
    gateway(({ method }) => (method === "DELETE" ? problem(401, "Sign in first.") : Response.json({ user_id: "local", kind: "cookie", scopes: [] })));
    const connection = { retry: vi.fn(), close: vi.fn() };
    render(
      <QueryClientProvider client={new QueryClient()}>
        <LiveContext value={{ store: new LiveStore(), connection }}>
          <Header />
        </LiveContext>
      </QueryClientProvider>,
    );
    fireEvent.click(screen.getByRole("button", { name: "Sign out" }));
    await waitFor(() => expect(connection.retry).toHaveBeenCalledOnce());
  });
});
