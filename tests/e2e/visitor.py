"""A person at the page, and what only a machine sees of it: contrast, sizes, complaints of the browser."""

import contextlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Error, Locator, Page, async_playwright, expect

from tests.support.product import Product

WEB = Path(__file__).parents[2] / "services" / "gateway" / "web"
DIST = WEB / "dist"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"

REPORT_VIOLATIONS = """addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    console.error(`The content policy forbids it: ${violatedDirective} ${blockedURI}`))"""

_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
_SMALL = """() => {
    const isText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "";
    // What WCAG 2.5.8 excepts: a link between words cannot be taller than its line.
    const inSentence = (element) => element.matches("a") && getComputedStyle(element).display === "inline"
        && [...element.parentElement.childNodes].some(isText);
    const controls = "button, a[href], input, select, textarea, summary, [role=button], [role=tab], [role=slider]";
    return [...document.querySelectorAll(controls)]
        .filter((element) => element.checkVisibility({ visibilityProperty: true }))
        .filter((element) => !element.closest(".skip") && !inSentence(element))
        .map((element) => (element.closest("label") ?? element))
        .map((element) => [element.outerHTML.slice(0, 120), element.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 43.5 || height < 43.5)
        .map(([html, { width, height }]) => `${Math.round(width)} x ${Math.round(height)}: ${html}`);
}"""
_SIDEWAYS = """[document.documentElement, ...document.querySelectorAll("dialog[open], [popover]:popover-open")]
    .map((element) => [element.id || element.className || element.localName, element.scrollWidth - element.clientWidth])
    .filter(([, px]) => px > 0)
    .map(([name, px]) => `${name} can be scrolled sideways by ${px} px`)"""


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The system's Chromium; root needs it without its sandbox."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise RuntimeError("What looks at the page needs Chromium (Debian: apt install chromium).")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            await browser.close()


LIVE = re.compile(r"\bLive$")
"""What the connection badge says; unlike a plain text, it does not fit "Not live"."""


class Visitor:
    """Drives one page; `complaints` are errors in its console and uncaught exceptions."""

    def __init__(self, product: Product, page: Page) -> None:
        self.product = product
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", self._note_error)

    async def sign_in(self) -> None:
        """Open the printed link and wait until the page is live."""
        await self.page.goto(f"{self.product.url}/?token={self.product.token}")
        await self.live()

    async def live(self) -> None:
        """Wait until the page says that it is live."""
        await expect(self.page.get_by_role("status").filter(has_text=LIVE)).to_be_visible(timeout=20_000)

    def card(self, name: str) -> Locator:
        """Return a preset's card."""
        return self.page.locator("[data-preset]").filter(has=self.page.get_by_role("heading", name=name, exact=True))

    def section(self, name: str) -> Locator:
        """Return a section of the page by the start of its title."""
        return self.page.locator("section").filter(has=self.page.get_by_role("heading", name=name, level=2))

    async def flaws(self, *, colours_only: bool = False) -> list[str]:
        """Return what axe finds, in all that is on the page now; `colours_only` when nothing else may have changed."""
        # The content policy forbids to inject a script, not to debug the page.
        if not await self.page.evaluate("'axe' in window"):
            session = await self.page.context.new_cdp_session(self.page)
            await session.send("Runtime.evaluate", {"expression": AXE.read_text()})
            await session.detach()
        rules = _COLOURS if colours_only else _RULES
        found: dict[str, Any] = await self.page.evaluate(f"axe.run({{runOnly: {json.dumps(rules)}}})")
        return [f"{v['id']}: {node['html'][:160]}" for v in found["violations"] for node in v["nodes"]]

    async def small_targets(self) -> list[str]:
        """Return what is there to be touched and smaller than 44 x 44 pixels."""
        found: list[str] = await self.page.evaluate(_SMALL)
        return found

    async def sideways(self) -> list[str]:
        """Return what can be scrolled sideways: the page, or what is open on it."""
        found: list[str] = await self.page.evaluate(_SIDEWAYS)
        return found

    async def overflow_px(self) -> int:
        """Return by how much the page can be scrolled sideways."""
        found: int = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return found

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _note_error(self, error: Error) -> None:
        self.complaints.append(str(error))
