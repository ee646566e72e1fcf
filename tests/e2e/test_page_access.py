"""The page for everybody: axe finds nothing, nothing scrolls sideways, fingers find their targets."""

from typing import Literal

import pytest
from playwright.async_api import expect

from tests.e2e.studio_day import publish_day
from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
LARGE = "Qwen-Image, fp8"
NEXT = "ACE-Step v1 3.5B"


async def _show(visitor: Visitor, scheme: Scheme, width: int) -> None:
    await visitor.page.emulate_media(color_scheme=scheme)
    await visitor.page.set_viewport_size({"width": width, "height": 900})


async def _settled(visitor: Visitor) -> None:
    """Wait until no toast moves any more: half transparent text has no contrast that could be judged."""
    await expect(visitor.page.locator(".toast")).to_have_count(0, timeout=15_000)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_signing_in(visitor: Visitor, scheme: Scheme, width: int) -> None:
    await _show(visitor, scheme, width)
    await visitor.page.goto(visitor.product.url)
    await expect(visitor.page.get_by_label("Token")).to_be_visible()
    assert await visitor.flaws() == []
    assert await visitor.overflow_px() <= 0
    visitor.complaints[:] = [c for c in visitor.complaints if "401" not in c]


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_empty_board_and_its_arranging(visitor: Visitor, scheme: Scheme, width: int) -> None:
    await visitor.sign_in()
    await _show(visitor, scheme, width)
    page = visitor.page
    await expect(page.get_by_role("meter").first).to_be_visible()
    assert await visitor.flaws() == []
    await page.get_by_role("button", name="Arrange").click()
    await page.get_by_role("button", name="Hide: Workspace").click()
    await expect(page.get_by_role("button", name="Show Workspace")).to_be_visible()
    assert await visitor.flaws() == []
    assert await visitor.overflow_px() <= 0
    if width == 360:
        assert await visitor.small_targets() == []
    await page.get_by_role("button", name="Reset", exact=True).click()
    await page.get_by_role("button", name="Done").click()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_dialogs(visitor: Visitor, scheme: Scheme, width: int) -> None:
    await visitor.sign_in()
    await _show(visitor, scheme, width)
    page = visitor.page
    await page.get_by_role("button", name="Details of").first.click()
    await expect(page.get_by_role("dialog").get_by_role("listitem").first).to_be_visible()
    assert await visitor.flaws() == []
    assert await visitor.overflow_px() <= 0
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Details of").first).to_be_focused()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert await visitor.flaws() == []


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_busy_page(visitor: Visitor, scheme: Scheme, width: int) -> None:
    await visitor.sign_in()
    await _show(visitor, scheme, width)
    async with visitor.product.client() as client:
        limited = {"max_concurrent": 1, "bandwidth_limit": "2MB/s"}
        assert (await client.patch("/api/v1/downloads/settings", json=limited)).status_code == 200
        presets = (await client.get("/api/v1/state?topics=presets")).json()["presets"]["presets"].values()
        wanted = [preset["id"] for preset in presets if preset["name"] in {LARGE, NEXT}]
        for preset_id in wanted:
            answer = await client.post(f"/api/v1/presets/{preset_id}/install")
            assert answer.status_code == 200, answer.text
    await publish_day(visitor.product)
    await expect(visitor.section("Project progress")).to_contain_text("Harbour lights")
    queue = visitor.section("Download queue")
    await expect(queue.get_by_role("progressbar").first).to_be_visible()
    await _settled(visitor)
    assert await visitor.flaws() == []
    assert await visitor.overflow_px() <= 0
    if width == 360:
        assert await visitor.small_targets() == []
    await queue.get_by_role("button", name="Cancel").first.click()
    await expect(visitor.page.get_by_role("dialog")).to_be_visible()
    assert await visitor.flaws() == []


async def test_the_colours_are_chosen_and_remembered(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    html = page.locator("html")
    await page.get_by_role("button", name="Colours: auto. Change").click()
    await page.get_by_role("button", name="Colours: light. Change").click()
    await expect(html).to_have_attribute("data-scheme", "dark")
    await page.reload()
    await expect(html).to_have_attribute("data-scheme", "dark")
    dark = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    await page.get_by_role("button", name="Colours: dark. Change").click()
    await page.get_by_role("button", name="Colours: auto. Change").click()
    light = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert dark != light
