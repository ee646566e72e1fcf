"""The page before a person: what the dashboard's bar says about time, of the real product in the system's Chromium.

BENCH_CONTEXTS=9 BENCH_SECONDS=10 python -m tests.bench page

Every number includes the product, the browser and this script on the same machine: under load it is the load's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from playwright.async_api import Browser, CDPSession, Locator, Page, Route, expect

from tests.e2e.model_shelf import MANY, furnished
from tests.e2e.visitor import Visitor, chromium
from tests.support.product import running_product
from tests.support.workflows import packaged

CONTEXTS = int(os.environ.get("BENCH_CONTEXTS", "9"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
HEARTBEAT_S = 10
DELTAS_PER_S = 5
SERVER_DELAY_S = 0.4
PRESET, NAME = "QWEN3_8B_Q4", "Qwen3 8B, Q4_K_M"

_FIRST_DATA = """new MutationObserver((_, observer) => {
    if (!document.querySelector("[role=progressbar]")) return;
    window.firstDataMs = performance.now();
    observer.disconnect();
}).observe(document, { childList: true, subtree: true })"""
_UNTIL_LABEL = """([from, to]) => new Promise((done) => {
    const button = (label) => document.querySelector(`button[aria-label="${label}"]`);
    const began = performance.now();
    const watch = new MutationObserver(() => {
        if (!button(to)) return;
        watch.disconnect();
        requestAnimationFrame(() => done(performance.now() - began));
    });
    watch.observe(document.body, { childList: true, subtree: true, attributes: true });
    button(from).click();
})"""
_FILTER = """async ([id, rows, text]) => {
    const field = document.getElementById(id);
    const before = document.querySelectorAll(rows).length;
    const began = performance.now();
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    while (document.querySelectorAll(rows).length === before) await new Promise(requestAnimationFrame);
    return performance.now() - began;
}"""
_TEMPLATES = "[data-template^='workflows/library/']"
_SCROLL = """async () => {
    const gaps = [];
    let last = performance.now();
    for (let step = 0; step < 120; step += 1) {
        scrollBy(0, 120);
        await new Promise(requestAnimationFrame);
        gaps.push(performance.now() - last);
        last = performance.now();
    }
    return gaps.sort((a, b) => a - b);
}"""
Row = tuple[str, str, str]
"""What, its limit, what was measured."""


async def _demo(folder: Path, browser: Browser) -> list[Row]:
    async with running_product(folder / "data", arguments=("--demo", "--port", "0")) as product:
        async with product.client() as http:
            await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": "200KB/s"})
            await http.post(f"/api/v1/presets/{PRESET}/install")
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        visitor = Visitor(product, await context.new_page())
        await visitor.sign_in()
        await expect(visitor.section("Download queue").get_by_role("progressbar")).to_be_visible()
        rows = [
            await _first_data(visitor, browser),
            await _main_thread(visitor),
            await _optimistic(visitor),
            *await _silence(visitor),
            await _restart(visitor),
            *await _templates(visitor),
        ]
        await context.close()
        return rows


async def _first_data(visitor: Visitor, browser: Browser) -> Row:
    cookies = [
        {"name": c["name"], "value": c["value"], "url": visitor.product.url}
        for c in await visitor.page.context.cookies()
    ]
    times: list[float] = []
    for _ in range(CONTEXTS):
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        await context.add_cookies(cookies)  # type: ignore[arg-type]
        page = await context.new_page()
        await page.add_init_script(_FIRST_DATA)
        await page.goto(visitor.product.url)
        await expect(page.get_by_role("progressbar").first).to_be_attached()
        times.append(await page.evaluate("window.firstDataMs"))
        await context.close()
    return f"First live data, {CONTEXTS} cold contexts", "median 800 ms", _spread(times)


async def _main_thread(visitor: Visitor) -> Row:
    """Read the thread's ticks before and after some seconds of a training's progress beside that of a download."""
    session = await visitor.page.context.new_cdp_session(visitor.page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    async with visitor.product.client() as http:
        await _tell(http, 0, "started", {"total_steps": 1000})
        deltas: list[str] = []
        counting = asyncio.create_task(_follow(http, deltas))
        before, began, number = await _ticks(session), time.monotonic(), 0
        while time.monotonic() - began < SECONDS:
            number += 1
            await _tell(http, number, "progressed", {"percent": number % 100})
            await asyncio.sleep(max(0.0, began + number / DELTAS_PER_S - time.monotonic()))
        spent_s, lasted_s = await _ticks(session) - before, time.monotonic() - began
        counting.cancel()
    await session.detach()
    found = f"{1000 * spent_s / lasted_s:.1f} ms/s at {len(deltas) / lasted_s:.1f} deltas/s"
    return f"Main thread at {DELTAS_PER_S} deltas/s", "30 ms/s", found


async def _follow(http: httpx.AsyncClient, deltas: list[str]) -> None:
    async with http.stream("GET", "/api/v1/stream", timeout=None) as answer:
        async for line in answer.aiter_lines():
            deltas += [line] * (line == "event: delta")


async def _ticks(session: CDPSession) -> float:
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


async def _tell(http: httpx.AsyncClient, number: int, what: str, data: dict[str, object]) -> None:
    """Publish a fact of a training, as another service does."""
    event = {
        "specversion": "1.0",
        "id": str(number),
        "source": "bench",
        "type": f"modeldeck.training.{what}.v1",
        "time": datetime.now(UTC).isoformat(),
        "data": {"job_id": "job", "name": "Bench", **data},
    }
    batch = {"content-type": "application/cloudevents-batch+json"}
    answer = await http.post("/api/v1/events", json=[event], headers=batch)
    assert answer.json()["errors"] == [], answer.text


async def _optimistic(visitor: Visitor) -> Row:
    """From the click on Pause to the frame with Resume, and back, while the server takes its time."""

    async def delayed(route: Route) -> None:
        await asyncio.sleep(SERVER_DELAY_S)
        await route.continue_()

    page, queue = visitor.page, visitor.section("Download queue")
    times: list[float] = []
    for verb, other in (("pause", "resume"), ("resume", "pause")) * 4:
        await page.route(f"**/{verb}", delayed)
        async with page.expect_response(f"**/{verb}"):
            times.append(await page.evaluate(_UNTIL_LABEL, [f"{verb.title()} {NAME}", f"{other.title()} {NAME}"]))
        await page.unroute(f"**/{verb}")
        await expect(queue.get_by_role("button", name=f"{other.title()} {NAME}")).to_be_visible()
        await asyncio.sleep(1.5)  # until the stream has told it, too
    return f"Optimistic feedback, server delayed {SERVER_DELAY_S * 1000:.0f} ms", "100 ms", _spread(times)


async def _silence(visitor: Visitor) -> list[Row]:
    """Freeze the gateway until the page says so, then thaw it."""
    frozen = visitor.product.pids()["gateway"]
    os.kill(frozen, signal.SIGSTOP)
    try:
        silent_s = await _until(visitor.page.get_by_text("Connection lost."))
    finally:
        os.kill(frozen, signal.SIGCONT)
    thawed_s = await _until(_live(visitor.page))
    limit = f"{2.5 * HEARTBEAT_S + 1:.0f} s"
    return [
        (f"Silent gateway shown stale, heartbeat {HEARTBEAT_S} s", limit, f"{silent_s:.1f} s"),
        ("Recovery from a thaw", "3 s", f"{thawed_s:.1f} s"),
    ]


async def _restart(visitor: Visitor) -> Row:
    """Kill -9 the gateway; the supervisor starts it again."""
    os.kill(visitor.product.pids()["gateway"], signal.SIGKILL)
    began = time.monotonic()
    await expect(_live(visitor.page)).to_have_count(0, timeout=20_000)
    await _until(_live(visitor.page))
    return "Recovery from a restart", "20 s", f"{time.monotonic() - began:.1f} s"


def _live(page: Page) -> Locator:
    return page.locator(".connection.ok")


async def _templates(visitor: Visitor) -> list[Row]:
    """All workflows that ComfyUI ships, in one list."""
    page, templates = visitor.page, packaged()
    folder = visitor.product.data_dir / "workflows" / "library"
    folder.mkdir(parents=True)
    for name, content in templates.items():
        (folder / name).write_bytes(content)
    await page.goto(f"{visitor.product.url}/workflows")
    await expect(page.locator(_TEMPLATES)).to_have_count(len(templates), timeout=60_000)
    filters: list[float] = []
    for _ in range(5):
        filters.append(await page.evaluate(_FILTER, ["template-search", _TEMPLATES, "qwen image edit"]))
        await page.get_by_role("searchbox", name="Search templates and files").fill("")
        await expect(page.locator(_TEMPLATES)).to_have_count(len(templates))
    return [
        (f"{len(templates)} templates, filter", "150 ms", _spread(filters)),
        (f"{len(templates)} templates, scroll, p95 of frames", "33 ms", _spread(await _scrolled(page))),
    ]


async def _scrolled(page: Page) -> list[float]:
    p95s: list[float] = []
    for _ in range(5):
        gaps: list[float] = await page.evaluate(_SCROLL)
        p95s.append(gaps[len(gaps) * 95 // 100])
        await page.evaluate("scrollTo(0, 0)")
    return p95s


async def _until(place: Locator) -> float:
    began = time.monotonic()
    await expect(place).to_be_visible(timeout=60_000)
    return time.monotonic() - began


async def _shelf(folder: Path, browser: Browser) -> list[Row]:
    async with furnished(folder, many=MANY) as (product, _):
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        visitor = Visitor(product, await context.new_page())
        await visitor.sign_in()
        page = visitor.page
        await page.goto(f"{product.url}/models?tab=files")
        await expect(visitor.section("Files")).to_contain_text("2,0", timeout=120_000)
        filters: list[float] = []
        for _ in range(5):
            await page.get_by_role("searchbox", name="Search files").fill("style")
            await expect(page.locator(".file-row").nth(30)).to_be_attached()
            filters.append(await page.evaluate(_FILTER, ["models-search", ".file-row", "style-000"]))
        await page.get_by_role("searchbox", name="Search files").fill("")
        await expect(page.locator(".file-row").nth(30)).to_be_attached()
        p95s = await _scrolled(page)
        await context.close()
        return [
            (f"{MANY} rows, filter", "150 ms", _spread(filters)),
            (f"{MANY} rows, scroll, p95 of frames", "33 ms", _spread(p95s)),
        ]


def _spread(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})"


async def _measure(demo: Path, shelf: Path) -> list[Row]:
    async with chromium() as browser:
        return [*await _demo(demo, browser), *await _shelf(shelf, browser)]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as demo, tempfile.TemporaryDirectory() as shelf:
        rows = asyncio.run(_measure(Path(demo), Path(shelf)))
    sys.stdout.write("| what | limit | measured |\n|---|---|---|\n")
    for row in rows:
        sys.stdout.write(f"| {' | '.join(row)} |\n")


if __name__ == "__main__":
    main()
