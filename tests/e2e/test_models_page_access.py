"""The Models page for everybody: axe finds nothing in any state or dialog, nothing scrolls sideways, fingers hit."""

import re
from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.e2e.model_shelf import REPO, furnished, variant
from tests.e2e.visitor import Visitor
from tests.support.product import Product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

Scheme = Literal["light", "dark"]
SURVEYED_MS = 60_000
DONE = '{"hasSeenTour":true,"currentStep":-1,"isDismissed":true}'
EVERY_LOOK = pytest.mark.parametrize(("scheme", "width"), [(s, w) for s in ("light", "dark") for w in (1280, 360)])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A few files, a hub; one preset installed, a download that failed, one paused at half way, some that wait."""
    async with furnished(tmp_path_factory.mktemp("shelf")) as (running, _):
        async with running.client() as http:
            for preset in ("PORTRAIT", "GONE"):
                assert (await http.post(f"/api/v1/presets/{preset}/install")).status_code == 200
        yield running


async def _show(visitor: Visitor, scheme: Scheme, width: int, address: str, *, toured: bool = True) -> Page:
    page = visitor.page
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.set_viewport_size({"width": width, "height": 900})
    await visitor.sign_in()
    if toured:
        await page.evaluate(f"localStorage.setItem('modeldeck.tour', '{DONE}')")
    await page.goto(visitor.product.url + address)
    await visitor.live()
    await expect(visitor.section("Storage").locator(".volume-list")).to_be_visible()
    return page


async def _check(visitor: Visitor, width: int) -> None:
    page = visitor.page
    await expect(page.locator(".toast")).to_have_count(0, timeout=15_000)
    if await page.locator("dialog[open]").count() == 0:
        # What lies half behind the bar at the bottom is too small for axe, and is not once it was scrolled.
        height: int = await page.evaluate("document.documentElement.scrollHeight")
        await page.set_viewport_size({"width": width, "height": height})
    assert await visitor.flaws() == []
    assert await visitor.overflow_px() <= 0
    if width == 360:
        assert await visitor.small_targets() == []
    await page.set_viewport_size({"width": width, "height": 900})


@EVERY_LOOK
async def test_presets_with_the_welcome_and_the_tour(visitor: Visitor, scheme: Scheme, width: int) -> None:
    page = await _show(visitor, scheme, width, "/models", toured=False)
    await expect(page.locator("[data-preset='PORTRAIT']")).to_contain_text("Installed", timeout=30_000)
    await expect(page.locator("[data-preset='GONE']")).to_contain_text("Failed", timeout=30_000)
    await expect(visitor.section("Featured models")).to_be_visible()
    await _check(visitor, width)
    await page.get_by_role("button", name="Take a tour").click()
    for step in (1, 2, 3, 4):
        await expect(page.get_by_role("dialog")).to_contain_text(f"Step {step}/4")
        await _check(visitor, width)
        await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("dialog")).to_have_count(0)


@EVERY_LOOK
async def test_repositories_and_their_drawer(visitor: Visitor, scheme: Scheme, width: int) -> None:
    page = await _show(visitor, scheme, width, "/models?tab=repositories")
    await expect(page.locator("[data-variant]").first).to_be_visible(timeout=SURVEYED_MS)
    await _check(visitor, width)
    await page.locator("[data-repo='studio/Portrait']").get_by_role("button", name="Details of").click()
    drawer = page.get_by_role("dialog", name="studio/Portrait")
    await drawer.locator(".variant-facts summary").click()
    await expect(drawer).to_contain_text("SHA-256")
    await _check(visitor, width)


@EVERY_LOOK
async def test_files_their_filters_and_their_drawers(visitor: Visitor, scheme: Scheme, width: int) -> None:
    page = await _show(visitor, scheme, width, "/models?tab=files")
    await expect(page.locator(".file-row").filter(has_text="Duplicate").first).to_be_visible(timeout=SURVEYED_MS)
    await page.get_by_role("checkbox", name="Mark half.safetensors").check()
    await _check(visitor, width)
    if width == 360:
        await page.get_by_role("button", name="Filters").click()
        sheet = page.get_by_role("dialog", name="Filter files")
        await sheet.get_by_role("checkbox", name=re.compile("Unused")).check()
        await _check(visitor, width)
        await sheet.get_by_role("button", name="Apply").click()
    else:
        await page.locator("summary", has_text="Status").click()
        await page.get_by_role("checkbox", name=re.compile("Unused")).check()
        await _check(visitor, width)
        await page.keyboard.press("Escape")
    await expect(page.locator(".file-row").filter(has_text="portrait")).to_have_count(0)
    await page.get_by_role("button", name="Delete half.safetensors").click()
    await expect(page.get_by_role("dialog")).to_contain_text("It cannot be brought back")
    await _check(visitor, width)
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Details of studio_vae.safetensors").click()
    await expect(page.get_by_role("dialog")).to_contain_text("The same content is also here")
    await page.get_by_text("What else its header says").click()
    await _check(visitor, width)


@EVERY_LOOK
async def test_a_presets_drawer_and_its_uninstalling(visitor: Visitor, scheme: Scheme, width: int) -> None:
    page = await _show(visitor, scheme, width, "/models?preset=PORTRAIT")
    drawer = page.get_by_role("dialog", name="Portrait")
    await drawer.get_by_text("The story of its download").click()
    await expect(drawer).to_contain_text("Completed", timeout=30_000)
    await _check(visitor, width)
    await drawer.get_by_role("button", name="Uninstall…").click()
    await expect(page.get_by_role("dialog", name="Uninstall Portrait?")).to_be_visible()
    await _check(visitor, width)


@EVERY_LOOK
async def test_the_way_to_a_download_and_the_queue(visitor: Visitor, scheme: Scheme, width: int) -> None:
    page = await _show(visitor, scheme, width, "/models?download=")
    drawer = page.get_by_role("dialog", name="Download a model")
    await _check(visitor, width)
    await drawer.get_by_label("Repository or link").fill("two words")
    await _check(visitor, width)
    await drawer.get_by_label("Repository or link").fill("nobody/nothing")
    await page.keyboard.press("Enter")
    await expect(drawer.get_by_role("alert")).to_be_visible()
    await _check(visitor, width)
    visitor.complaints[:] = [c for c in visitor.complaints if "404" not in c]
    await drawer.get_by_label("Repository or link").fill(REPO)
    await page.keyboard.press("Enter")
    await expect(drawer).to_contain_text("Fits")
    await _check(visitor, width)
    await drawer.get_by_label("Repository or link").fill("https://example.org/x_lora.safetensors")
    await page.keyboard.press("Enter")
    await expect(drawer).to_contain_text("Where it goes")
    await expect(drawer).to_contain_text("Size unknown")
    await _check(visitor, width)
    async with visitor.product.client() as http:
        await http.patch("/api/v1/downloads/settings", json={"paused": False, "bandwidth_limit": "100KB/s"})
        await http.post("/api/v1/presets/VIDEO/install")
        for method in ("Q6_K", "Q8_0"):
            await http.post("/api/v1/downloads", json={"repo": REPO, "filename": variant(method)})
    await page.goto(f"{visitor.product.url}/models")
    strip = page.get_by_role("region", name="Download queue")
    await expect(strip).to_contain_text("2 waiting")
    await _check(visitor, width)
    await strip.get_by_role("button", name="Open queue").click()
    queue = page.get_by_role("dialog", name="Active downloads")
    await expect(queue.get_by_role("heading", name="Failed (1)")).to_be_visible()
    await queue.locator(".limits summary").click()
    await queue.locator(".told summary").first.click()
    await expect(queue.locator(".story").first).to_contain_text("Queued")
    await _check(visitor, width)
