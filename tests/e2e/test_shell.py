"""What stands around every page: addresses, the keyboard, colours, and what is said when the connection is lost."""

import re

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


async def test_a_page_that_was_not_fetched_before_the_gateway_was_lost_comes_once_it_is_back(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    await expect(page.get_by_role("meter").first).to_be_visible()
    with visitor.product.without("gateway"):
        await expect(page.get_by_text("Connection lost.")).to_be_visible(timeout=10_000)
        await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Settings").press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("“Settings” could not be fetched")
        await expect(page.get_by_role("heading", level=1, name="Settings")).to_be_focused()
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_role("alert")).to_contain_text("the gateway does not answer")
    await expect(page.get_by_role("heading", level=2, name="Appearance")).to_be_visible(timeout=30_000)
    await visitor.live()
    await expect(page.get_by_text("Connection lost.")).to_have_count(0)
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Dashboard").press("Enter")
    await expect(page.get_by_role("meter").first).to_be_visible()
    await expect(page.get_by_text("Stale data")).to_have_count(0)
    usual = ("Failed to load resource", "preload CSS", "dynamically imported")
    visitor.complaints[:] = [said for said in visitor.complaints if not any(part in said for part in usual)]
    await visitor.product.wait_ready()


async def test_a_page_of_a_newer_version_is_loaded_anew(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    served = await page.evaluate("fetch('/').then((answer) => answer.text())")
    newer = re.sub(r"shell-[\w-]{8}\.js", "shell-00000000.js", served)
    assert newer != served
    gone = re.compile(r"/assets/Workflows-[\w-]{8}\.(js|css)$")
    front = f"{visitor.product.url}/"
    await page.route(gone, lambda route: route.fulfill(status=404, body=""))
    await page.route(front, lambda route: route.fulfill(content_type="text/html", body=newer))
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Workflows").press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Modeldeck was updated since this page was opened.")
    await page.unroute(gone)
    await page.unroute(front)
    await page.get_by_role("button", name="Reload").press("Enter")
    await expect(page.get_by_role("heading", level=2, name="Templates")).to_be_visible()
    visitor.complaints.clear()


async def test_a_message_over_a_drawer_can_be_reached(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    refusal = '{"code": "no_space", "detail": "300 MB are needed and 12 MB are free."}'
    problem = {"content-type": "application/problem+json"}
    await page.route("**/install", lambda route: route.fulfill(status=409, headers=problem, body=refusal))
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Models").click()
    await page.locator("[data-preset]").get_by_role("button", name="Details of").first.click()
    drawer = page.locator("dialog.drawer")
    install = drawer.get_by_role("button", name="Install", exact=True)
    await install.click()
    message = page.get_by_role("region", name="Notifications").get_by_role("listitem")
    await expect(message).to_contain_text("300 MB are needed")
    await message.hover()
    above, below = await message.bounding_box(), await install.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"], "the message covers the button"
    assert await visitor.flaws() == []
    await message.get_by_role("button", name="Dismiss").click()
    await expect(message).to_have_count(0)
    await expect(drawer).to_be_visible()
    visitor.complaints.clear()


async def test_signing_out_reaches_every_tab_and_signing_in_too(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    await expect(page.get_by_text("Local user")).to_be_visible()
    other = await page.context.new_page()
    await other.goto(f"{visitor.product.url}/settings")
    await expect(other.get_by_role("heading", level=2, name="Appearance")).to_be_visible()
    await other.get_by_role("button", name="Sign out").click()
    await expect(other.get_by_text("You are signed out.")).to_be_visible()
    await expect(page.get_by_text("Your session has ended.")).to_be_visible(timeout=15_000)
    await expect(page).to_have_title("Sign in · Modeldeck")
    await expect(page.get_by_label("Token")).to_be_focused()
    assert await visitor.flaws() == []
    await page.get_by_label("Token").fill(visitor.product.token)
    await page.keyboard.press("Enter")
    await visitor.live()
    await expect(other.get_by_role("heading", level=2, name="Appearance")).to_be_visible(timeout=15_000)
    await page.goto(f"{visitor.product.url}/?token=an-old-one")
    await visitor.live()  # who is signed in needs no link
    await page.get_by_role("button", name="Sign out").click()
    await page.goto(f"{visitor.product.url}/?token=an-old-one")
    await expect(page.get_by_text("holds an old or wrong token")).to_be_visible()
    visitor.complaints[:] = [said for said in visitor.complaints if "401" not in said]
