"""A person's journey: a job is seen to fail, the reason is found and mended; and a generation's error is found."""

import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.e2e.visitor import Visitor
from tests.support.product import Product, running_product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

PRESET, NAME = "SD15_BASE", "Stable Diffusion 1.5"
SILENT = re.compile(r"127\.0\.0\.1:\d+ sent nothing for 1 s")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """The demo, with as little patience as a test has."""
    settings = {
        "MODELDECK_STALL_TIMEOUT_S": "1",
        "MODELDECK_RETRY_BASE_S": "1",
        "MODELDECK_RETRY_ATTEMPTS": "2",
    }
    data_dir: Path = tmp_path_factory.mktemp("demo") / "data"
    async with running_product(data_dir, settings=settings, arguments=("--demo", "--port", "0")) as running:
        yield running


@pytest.fixture
def origin(product: Product) -> Iterator[int]:
    """The process of the server that has the models; it goes on, whatever a test did to it."""
    pid = product.pids()["demo-origin"]
    yield pid
    os.kill(pid, signal.SIGCONT)


async def test_a_download_fails_is_understood_and_mended(visitor: Visitor, origin: int) -> None:
    await visitor.sign_in()
    page = visitor.page
    async with visitor.product.client() as client:
        await client.patch("/api/v1/downloads/settings", json={"bandwidth_limit": "4MB/s"})
        assert (await client.post(f"/api/v1/presets/{PRESET}/install")).status_code == 200
    queue = visitor.section("Download queue")
    await expect(queue.get_by_role("progressbar", name=f"Progress of {NAME}")).to_have_attribute(
        "aria-valuenow", re.compile("[1-9]"), timeout=20_000
    )
    os.kill(origin, signal.SIGSTOP)  # the server hangs: connections open, and nothing comes

    # Live on the board: the try that failed, its reason and the next one, then the end.
    await expect(queue).to_contain_text(re.compile(r"Try 1 of 2 failed, (next in|trying again)"), timeout=15_000)
    await expect(queue).to_contain_text(SILENT)
    ended = visitor.section("Recently ended").get_by_role("listitem").filter(has_text=NAME)
    await expect(ended).to_contain_text("Failed", timeout=20_000)
    await expect(ended).to_contain_text(SILENT)

    # Its story: attempts, waits, host, reasons, and what to do.
    await ended.get_by_role("link", name=f"Story of {NAME}").press("Enter")
    drawer = page.get_by_role("dialog", name=NAME)
    await expect(drawer).to_contain_text("Retry in a while: what was fetched is kept")
    await expect(drawer.locator(".attempts li")).to_contain_text(
        re.compile(r"Failed.*took \d+s · \d retr(y|ies) · from 127\.0\.0\.1:\d+")
    )
    told = drawer.locator(".story li")
    await expect(told.filter(has_text="Try failed, another one follows").first).to_contain_text(SILENT)
    await expect(told.filter(has_text="Queued").first).to_contain_text("by local")
    await expect(told.last).to_contain_text("Failed")
    story = page.url
    assert "/activity?download=" in story

    # The entry in the log leads to the same story, and back to the moment at which it failed.
    await page.keyboard.press("Escape")
    entry = page.locator("#log li").filter(has_text=NAME).filter(has_text="failed")
    await expect(entry).to_contain_text(SILENT)
    await entry.get_by_role("button", name=f"Details of {NAME}").press("Enter")
    await entry.get_by_role("button", name="Story of this download").press("Enter")
    await expect(drawer).to_be_visible()
    assert page.url == story
    await page.keyboard.press("Escape")

    # Mended: the server is back, and the download goes on from what it has.
    os.kill(origin, signal.SIGCONT)
    await page.goto(story)
    await drawer.get_by_role("button", name=f"Retry {NAME}").press("Enter")
    await expect(told.last).to_contain_text("Completed", timeout=30_000)
    await expect(told.filter(has_text="File is there")).to_contain_text(re.compile(r"went on from [\d.]+ [MK]B"))
    await expect(drawer.locator(".attempts li").last).to_contain_text("Completed")
    await page.keyboard.press("Escape")

    # What was shown as failed then is shown so for that moment only.
    await _look_back(page)
    await expect(page.locator("#log li").first).to_contain_text("failed")
    past = page.locator(".past")
    await expect(past).to_contain_text(SILENT)
    await expect(past).to_contain_text(f"Installed since then: {NAME}.")
    assert re.search(r"[?&]at=\d+", page.url)
    await page.reload()
    await expect(past).to_contain_text(SILENT)
    await page.get_by_role("button", name="Back to now").press("Enter")
    await expect(past).to_have_count(0)
    await expect(page.locator("#log li").first).to_contain_text("completed")


async def _look_back(page: Page) -> None:
    """Go to the moment of the failure by its entry."""
    entry = page.locator("#log li").filter(has_text=NAME).filter(has_text="failed")
    await entry.get_by_role("button", name=f"Details of {NAME}").press("Enter")
    await entry.get_by_role("button", name="See everything as it was then").press("Enter")
    banner = page.get_by_role("status").filter(has_text="You see how it was")
    await expect(banner).to_contain_text(f"{NAME} · failed")


async def test_why_a_generation_failed_is_found_from_the_board(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    error = "CUDA out of memory. Tried to allocate 2.34 GiB"
    made = {"source": "comfyui", "generation_id": "g-1"}
    async with visitor.product.client() as client:
        for kind, data in (("started", made | {"workflow": "Museum, lobby"}), ("failed", made | {"error": error})):
            event = {
                "specversion": "1.0",
                "id": kind,
                "source": "comfyui",
                "type": f"modeldeck.generation.{kind}.v1",
                "time": datetime.now(UTC).isoformat(),
                "data": data,
            }
            answer = await client.post(
                "/api/v1/events", json=event, headers={"content-type": "application/cloudevents+json"}
            )
            assert answer.status_code == 200, answer.text
    feed = page.get_by_role("region", name=re.compile("^Activity"))
    row = feed.get_by_role("listitem").filter(has_text="failed").filter(has_text="Museum, lobby")
    await expect(row).to_contain_text(error)
    await page.get_by_role("navigation").get_by_role("link", name="Activity").click()
    await page.get_by_role("searchbox", name="Search the log").fill("cuda")
    await expect(page.locator("#log li")).to_have_count(1)
    await expect(page.locator("#log li")).to_contain_text(error)
    assert "q=cuda" in page.url
    await page.reload()
    await expect(page.locator("#log li")).to_have_count(1)
