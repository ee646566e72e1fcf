"""A person's journey: arrange the board, come back to it, meet it in another browser, and see both keep in step.

Everything is done as a person does it: by buttons with the mouse, then by keyboard alone. The other browser is another
profile that signed in by itself: it knows nothing but what the server tells it.
"""

import pytest
from playwright.async_api import Browser, Locator, Page, Request, expect

from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

WITHIN_MS = 1000
"""From a change in one browser to its sight in another."""
LOADED_MS = 10_000
DEFAULT = ["active-tasks", "project-progress", "disk-health", "activity-feed"]
WANTED = ["project-progress", "disk-health", "active-tasks", "activity-feed"]
_SHOWN = "tiles => tiles.map(tile => [tile.dataset.tile, [...tile.classList].find(name => /^w\\d$/.test(name))])"


def _tile(page: Page, widget: str) -> Locator:
    return page.locator(f"[data-tile={widget}]")


async def _shown(page: Page) -> dict[str, str]:
    """Return what stands on the board in its order, with its widths."""
    found: list[tuple[str, str]] = await page.locator("[data-tile]").evaluate_all(_SHOWN)
    return dict(found)


async def _same(page: Page, board: dict[str, str], timeout_ms: int = WITHIN_MS) -> None:
    """Wait until a page shows a board, in its order."""
    for place, widget in enumerate(board):
        await expect(page.locator("[data-tile]").nth(place)).to_have_attribute("data-tile", widget, timeout=timeout_ms)
    assert await _shown(page) == board


async def _arrange_by_mouse(page: Page) -> None:
    """Move one widget, hide one and show it again."""
    await page.get_by_role("button", name="Arrange").click()
    await page.get_by_role("button", name="Move later: Active tasks").click()
    await expect(page.get_by_text("Active tasks: place 2 of")).to_be_attached()
    await page.get_by_role("button", name="Hide: Quick actions").click()
    await page.get_by_role("button", name="Show Quick actions").click()
    await expect(page.locator("[data-tile]").last).to_have_attribute("data-tile", "quick-actions")


async def _arrange_by_keyboard(page: Page) -> None:
    """Move, resize and hide, the focus staying where it is; leave by Escape."""
    later = page.get_by_role("button", name="Move later: Active tasks")
    await later.press("Enter")
    await expect(later).to_be_focused()
    await expect(page.get_by_text("Active tasks: place 3 of")).to_be_attached()
    wider = page.get_by_role("button", name="Make wider: Disk health")
    await wider.press("Enter")
    await expect(wider).to_be_focused()
    await page.get_by_role("button", name="Hide: System status").press("Enter")
    await expect(page.get_by_role("button", name="Show System status")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Arrange")).to_be_focused()


async def test_arrange_the_board_and_meet_it_in_another_browser(visitor: Visitor, browser: Browser) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/api/v1/user/dashboard") and request.method == "GET":
            asked.append(request.url)

    await visitor.sign_in()
    page = visitor.page
    await expect(_tile(page, "disk-health")).to_be_visible()
    assert list(await _shown(page))[:4] == DEFAULT
    steps = visitor.section("Welcome")
    await expect(steps).to_be_visible()

    await _arrange_by_mouse(page)
    await _arrange_by_keyboard(page)
    board = await _shown(page)
    assert list(board)[:4] == WANTED
    assert board["disk-health"] == "w2"
    assert list(board)[-1] == "quick-actions"
    assert "system-status" not in board

    # Back after a reload, and there in another browser.
    await page.reload()
    await _same(page, board, LOADED_MS)
    elsewhere = Visitor(visitor.product, await (await browser.new_context()).new_page())
    await elsewhere.sign_in()
    await _same(elsewhere.page, board, LOADED_MS)

    # What is changed there, this one shows by itself: it was not touched, and asked for nothing.
    page.on("request", note)
    await elsewhere.page.get_by_role("button", name="Arrange").press("Enter")
    await elsewhere.page.get_by_role("button", name="Hide: At a glance").press("Enter")
    await expect(_tile(page, "stats")).to_have_count(0, timeout=WITHIN_MS)
    await elsewhere.page.get_by_role("button", name="Done").press("Enter")
    await elsewhere.section("Welcome").get_by_role("button", name="Hide this").press("Enter")
    await expect(steps).to_have_count(0, timeout=WITHIN_MS)
    await expect(elsewhere.page.get_by_role("button", name="Arrange")).to_be_focused()

    # And the other way round: both are back at the default board.
    await page.get_by_role("button", name="Arrange").press("Enter")
    await page.get_by_role("button", name="Reset", exact=True).press("Enter")
    await expect(elsewhere.page.locator("[data-tile]").first).to_have_attribute(
        "data-tile", DEFAULT[0], timeout=WITHIN_MS
    )
    await page.get_by_role("button", name="Done").press("Enter")
    assert list(await _shown(page))[:4] == DEFAULT
    await _same(elsewhere.page, await _shown(page))
    assert asked == []
    await elsewhere.page.context.close()
    assert elsewhere.complaints == []
