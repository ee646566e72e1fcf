import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { pageAt, pages, reachable } from "../src/pages/paths";
import { navigate, pathOf, takeLinks, usePath, useQueryString } from "../src/router";
import { listenToKeys, useShortcuts } from "../src/shell/shortcuts";

function Where() {
  return <p>{`${usePath()} ${useQueryString().get("preset") ?? "-"}`}</p>;
}

afterEach(() => {
  cleanup();
  history.replaceState(null, "", "/");
});

describe("paths", () => {
  it("know one spelling of each page, and the old name of the home page", () => {
    expect(["/", "/dashboard", "/dashboard/", "/models/", "/x/y"].map(pathOf)).toEqual(["/", "/", "/", "/models", "/x/y"]);
  });

  it("have the home page first, and only pages that exist", () => {
    expect(pages[0]).toMatchObject({ path: "/", title: "Dashboard" });
    expect(new Set(pages.map(({ key }) => key)).size).toBe(pages.length);
    expect(pageAt("/gallery")).toBeUndefined();
  });

  it("allow links to those pages and nowhere else", () => {
    expect(reachable("/?job=7")).toBe("/?job=7");
    for (const link of ["/gallery?item=1", "//evil/", "javascript:alert(1)", "https://evil/", null, undefined]) expect(reachable(link)).toBeUndefined();
  });
});

describe("navigation", () => {
  it("follows an anchor to a page without loading the document, and leaves the rest to the browser", () => {
    const end = takeLinks((path) => path === "/models");
    render(
      <>
        <Where />
        <a href="/models?preset=x">page</a>
        <a href="/docs">document</a>
        <a href="/models" target="_blank">new tab</a>
      </>,
    );
    const click = (name: string, more: MouseEventInit = {}) =>
      act(() => screen.getByText(name).dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ...more })));
    const stay = (event: Event) => event.preventDefault();
    // What is not taken would leave the test's page.
    addEventListener("click", stay);
    click("document");
    click("new tab");
    click("page", { ctrlKey: true });
    expect(screen.getByText("/ -")).toBeTruthy();
    click("page");
    expect(screen.getByText("/models x")).toBeTruthy();
    removeEventListener("click", stay);
    end();
  });

  it("tells whoever shows the address", () => {
    render(<Where />);
    act(() => navigate("/activity?preset=q"));
    expect(screen.getByText("/activity q")).toBeTruthy();
  });
});

describe("shortcuts", () => {
  it("run for one key or two, not while typing, not with a modifier", () => {
    const run = vi.fn();
    function Offer() {
      useShortcuts([
        { keys: "?", does: "Help", run: () => run("?") },
        { keys: "g m", does: "Models", run: () => run("g m") },
      ]);
      return <input aria-label="text" />;
    }
    const end = listenToKeys();
    render(<Offer />);
    const press = (key: string, target: EventTarget = document.body, more: KeyboardEventInit = {}) =>
      target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
    press("?");
    press("g");
    press("m");
    press("m");
    press("?", screen.getByLabelText("text"));
    press("?", document.body, { ctrlKey: true });
    expect(run.mock.calls).toEqual([["?"], ["g m"]]);
    end();
    press("?");
    expect(run).toHaveBeenCalledTimes(2);
  });
});
