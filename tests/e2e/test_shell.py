"""What stands around every page: addresses, the keyboard, colours, and what is said when the connection is lost."""

import os
import re
import signal

import pytest
from playwright.async_api import expect

from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


async def test_the_old_address_leads_home_and_an_unknown_one_says_so(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    await page.goto(f"{visitor.product.url}/dashboard")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    assert page.url == f"{visitor.product.url}/"
    await expect(page.get_by_role("link", name="Dashboard", exact=True)).to_have_attribute("aria-current", "page")
    await page.goto(f"{visitor.product.url}/no/such/page")
    await expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
    await page.get_by_role("main").get_by_role("link", name="Dashboard").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await expect(page).to_have_title(re.compile(r"Dashboard · Modeldeck$"))
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")


async def test_every_entry_of_the_navigation_leads_to_a_page(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    entries = page.get_by_role("navigation", name="Pages").get_by_role("link")
    names = await entries.all_inner_texts()
    assert names[0] == "Dashboard"
    for name in [*names[1:], names[0]]:
        await entries.filter(has_text=name).press("Enter")
        await expect(page.get_by_role("heading", level=1, name=name)).to_be_focused()
        await expect(page).to_have_title(re.compile(rf"{name} · Modeldeck$"))


async def test_shortcuts_are_listed_and_can_be_switched_off(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    await expect(page.get_by_role("button", name="Arrange")).to_be_visible()
    await page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(sheet).to_contain_text("Go to Dashboard")
    await page.keyboard.press("e")
    await page.keyboard.press("Escape")
    await expect(sheet).to_have_count(0)
    await expect(page.get_by_role("button", name="Done")).to_have_count(0)
    await page.keyboard.press("e")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Done")).to_have_count(0)
    await page.keyboard.press("t")
    await expect(page.locator("html")).to_have_attribute("data-scheme", "light")
    await page.keyboard.press("?")
    await sheet.get_by_role("checkbox").uncheck()
    await page.keyboard.press("Escape")
    await page.reload()
    await expect(page.get_by_role("button", name="Arrange")).to_be_visible()
    await page.keyboard.press("t")
    await page.keyboard.press("?")
    await expect(page.locator("html")).to_have_attribute("data-scheme", "light")
    await expect(sheet).to_have_count(0)
    await page.get_by_role("button", name="Keyboard shortcuts").press("Enter")
    await expect(sheet).to_be_visible()


@pytest.mark.parametrize("width", [1280, 360])
async def test_a_lost_gateway_is_said_and_old_data_marked_until_it_is_back(visitor: Visitor, width: int) -> None:
    await visitor.page.set_viewport_size({"width": width, "height": 900})
    await visitor.sign_in()
    page = visitor.page
    await expect(page.get_by_role("meter").first).to_be_visible()
    supervisor = visitor.product.process.pid
    os.kill(supervisor, signal.SIGSTOP)  # so that it cannot start the gateway again
    try:
        os.kill(visitor.product.pids()["gateway"], signal.SIGKILL)
        await expect(page.get_by_text("Connection lost.")).to_be_visible(timeout=10_000)
        await expect(page.get_by_role("status").filter(has_text="Not live")).to_be_visible()
        for name in ("Disk health", "System resources", "At a glance"):
            await expect(visitor.section(name)).to_contain_text("Stale data")
        await expect(page.get_by_role("meter").first).to_be_visible()
        assert await visitor.flaws() == []
        assert await visitor.overflow_px() <= 0
    finally:
        os.kill(supervisor, signal.SIGCONT)
    await expect(page.get_by_text("Connection lost.")).to_have_count(0, timeout=30_000)
    await visitor.live()
    await expect(page.get_by_text("Stale data")).to_have_count(0)
    visitor.complaints[:] = [said for said in visitor.complaints if "Failed to load resource" not in said]
    await visitor.product.wait_ready()
