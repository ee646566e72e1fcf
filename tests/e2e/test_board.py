"""The home board: as the contract places it, arranged by dragging, fed by other services, and calm."""

import asyncio

import pytest
from playwright.async_api import Locator, Page, expect

from tests.e2e.studio_day import publish_day
from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

R_241 = ["active-tasks", "project-progress", "disk-health", "activity-feed"]
MAX_SHIFT = 0.1
"""What counts as good for the whole life of a page (Core Web Vitals)."""
_SHIFT = """
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({type: "layout-shift", buffered: true});
"""


async def _order(page: Page) -> list[str]:
    found: list[str] = await page.locator("[data-tile]").evaluate_all("tiles => tiles.map(tile => tile.dataset.tile)")
    return found


async def _arrange(page: Page) -> None:
    await page.get_by_role("button", name="Arrange").press("Enter")
    await expect(page.get_by_role("button", name="Done")).to_be_focused()


async def _saved(visitor: Visitor) -> dict[str, dict[str, int]]:
    async with visitor.product.client() as http:
        layout = (await http.get("/api/v1/user/dashboard")).json()["layout"]
    return {place["widget"]: place for place in layout}


def _tile(page: Page, widget: str) -> Locator:
    return page.locator(f"[data-tile={widget}]")


async def test_the_default_board_is_that_of_the_contract(visitor: Visitor) -> None:
    await visitor.sign_in()
    await expect(_tile(visitor.page, "disk-health")).to_be_visible()
    assert (await _order(visitor.page))[:4] == R_241
    boxes = [await _tile(visitor.page, widget).bounding_box() for widget in R_241]
    left, top, width = ([round(box[side]) for box in boxes if box] for side in ("x", "y", "width"))
    assert top[0] == top[1] < top[2] == top[3]
    assert left[0] == left[2] < left[3] < left[1]
    assert abs(width[0] - width[1]) <= 1
    assert width[2] < width[0] < width[3]


async def test_tiles_are_dragged_and_stretched_and_escape_takes_it_back(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    await _arrange(page)
    grip = _tile(page, "active-tasks").locator(".handle")
    await grip.hover()
    await page.mouse.down()
    await _tile(page, "project-progress").hover(position={"x": 80, "y": 200})
    await expect(page.locator("[data-tile]").first).to_have_attribute("data-tile", "project-progress")
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-tile]").first).to_have_attribute("data-tile", "active-tasks")
    await page.mouse.up()
    await expect(page.get_by_role("button", name="Done")).to_be_visible()

    await grip.hover()
    await page.mouse.down()
    await _tile(page, "project-progress").hover(position={"x": 80, "y": 200})
    await page.mouse.up()
    corner = _tile(page, "disk-health").locator(".corner")
    await corner.scroll_into_view_if_needed()
    box = await corner.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 13, box["y"] + 13)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 270, box["y"] + 13, steps=4)
    await page.mouse.up()
    async with asyncio.timeout(5):
        while (await _saved(visitor))["disk-health"]["w"] != 2:  # noqa: ASYNC110  # the page saves it
            await asyncio.sleep(0.05)
    assert (await _saved(visitor))["project-progress"]["x"] == 0
    await page.get_by_role("button", name="Reset", exact=True).click()
    await expect(page.get_by_role("button", name="Reset", exact=True)).to_be_disabled()


async def test_a_refused_arrangement_is_taken_back_with_the_reason(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    problem = {"content-type": "application/problem+json"}
    refusal = '{"code": "away", "detail": "The event log does not answer."}'
    await page.route("**/user/dashboard", lambda route: route.fulfill(status=503, headers=problem, body=refusal))
    await _arrange(page)
    await page.get_by_role("button", name="Hide: Active tasks").press("Enter")
    await expect(page.get_by_text("The event log does not answer.")).to_be_visible()
    await expect(page.locator("[data-tile]").first).to_have_attribute("data-tile", "active-tasks")
    visitor.complaints[:] = [said for said in visitor.complaints if "503" not in said]


async def test_widgets_show_what_other_services_publish(visitor: Visitor) -> None:
    await visitor.sign_in()
    await publish_day(visitor.product)
    await expect(visitor.section("Active tasks")).to_contain_text("Portrait LoRA")
    await expect(visitor.section("Project progress")).to_contain_text("8/10 scenes")
    await expect(visitor.section("Project progress")).to_contain_text("blocked")
    await expect(visitor.section("Workspace")).to_contain_text("24in total")
    await expect(visitor.section("System status")).to_contain_text("2 active")
    feed = visitor.section("Activity")
    await expect(feed).to_contain_text("Ben rejected scene s5")
    await feed.get_by_label("Show").select_option("review")
    await expect(feed.get_by_role("listitem").filter(has_text="approved scene").first).to_be_visible()
    await expect(feed).not_to_contain_text("Portrait LoRA")


async def test_nothing_jumps_while_the_first_data_comes(visitor: Visitor) -> None:
    await visitor.sign_in()
    await visitor.page.add_init_script(_SHIFT)
    for _ in range(3):
        await visitor.page.reload()
        await expect(visitor.page.get_by_role("meter").first).to_be_visible()
        await visitor.live()
        assert await visitor.page.evaluate("window.shift") <= MAX_SHIFT
