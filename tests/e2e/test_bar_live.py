"""The bar's rows about time, as behaviour: what comes before what. How long it takes is measured by `tests.bench page`.

| Row of the bar | Held as behaviour by | Its time |
|---|---|---|
| First live data | `test_board`: nothing jumps when it comes | bench |
| Optimistic feedback | here: shown while the server has not answered, taken back when it refuses | bench |
| Silent gateway shown stale | here: by the page's own clock, at 2.5 heartbeats and not before | bench |
| Recovery: thaw, restart | here; `test_journey_outage` for killed processes | bench |
| 2,000 rows | `test_models_page`: all are there, found and counted; few of them in the document | bench |
| Main thread at 5 deltas a second | nothing that could be wrong and still be seen | bench |

The rows "axe" and "360 px" are `test_page_access`, "console errors" the fixture `visitor`, the content policy that
fixture and `test_front_door`, bundle sizes `test_page_bundle`. Keyboard-only flows: arranging and reloading
`test_board`; from a link to the queue, filters and tour `test_models_page`; drawers by Escape there and in
`test_activity_page`; pause and resume `test_page`; that Tab reaches and shows everything `test_page_access`.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect

from tests.e2e.visitor import Visitor
from tests.support.product import Product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

PRESET, NAME = "QWEN3_8B_Q4", "Qwen3 8B, Q4_K_M"
HEARTBEAT_MS = 10_000
PROBLEM = {"content-type": "application/problem+json"}


async def test_what_is_asked_for_is_shown_before_the_answer_and_taken_back_when_it_is_a_refusal(
    visitor: Visitor,
) -> None:
    async with visitor.product.client() as http:
        assert (await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": "500KB/s"})).status_code == 200
        assert (await http.post(f"/api/v1/presets/{PRESET}/install")).status_code == 200
    await visitor.sign_in()
    page, queue = visitor.page, visitor.section("Download queue")
    pause, resume = (queue.get_by_role("button", name=f"{verb} {NAME}") for verb in ("Pause", "Resume"))
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await may_answer.wait()
        await route.fulfill(status=409, headers=PROBLEM, body='{"code": "no", "detail": "Not while it is verified."}')

    await page.route("**/pause", hold)
    await pause.press("Enter")
    await asked.wait()
    await expect(resume).to_be_visible()
    may_answer.set()
    await expect(page.get_by_text("Not while it is verified.")).to_be_visible()
    await expect(pause).to_be_visible()
    assert len(visitor.complaints) == 1  # the browser itself reports every answer of 400 and above
    visitor.complaints.clear()

    asked.clear()
    may_answer.clear()

    async def delay(route: Route) -> None:
        asked.set()
        await may_answer.wait()
        await route.continue_()

    await page.unroute("**/pause")
    await page.route("**/pause", delay)
    await pause.press("Enter")
    await asked.wait()
    await expect(resume).to_be_visible()
    may_answer.set()
    await expect(queue).to_contain_text("Paused until you resume it")
    await expect(resume).to_be_visible()


@pytest_asyncio.fixture(loop_scope="module")
async def timed(product: Product, browser: Browser) -> AsyncIterator[Visitor]:
    """A person whose clock the test moves on; a shared worker would have its own."""
    context = await browser.new_context()
    await context.add_init_script("delete window.SharedWorker")
    visitor = Visitor(product, await context.new_page())
    await visitor.page.clock.install()
    yield visitor
    await context.close()


async def test_a_gateway_that_falls_silent_is_not_live_after_two_and_a_half_heartbeats(timed: Visitor) -> None:
    await timed.sign_in()
    page = timed.page
    await expect(page.get_by_role("meter").first).to_be_visible()
    frozen = timed.product.pids()["gateway"]
    os.kill(frozen, signal.SIGSTOP)
    try:
        await page.clock.fast_forward(2 * HEARTBEAT_MS)
        await timed.live()
        await page.clock.fast_forward(HEARTBEAT_MS // 2)
        await expect(page.get_by_text("Connection lost.")).to_be_visible()
        await expect(page.get_by_role("status").filter(has_text="Not live")).to_be_visible()
        await expect(page.get_by_text("Stale data").first).to_be_visible()
        await expect(page.get_by_role("meter").first).to_be_visible()
    finally:
        os.kill(frozen, signal.SIGCONT)
    await timed.live()
    await expect(page.get_by_text("Stale data")).to_have_count(0)
