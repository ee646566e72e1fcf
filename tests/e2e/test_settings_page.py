"""The Settings page against the real product: what is chosen holds, in this browser, for the user, and for the pool."""

import re

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


async def _open(visitor: Visitor) -> Page:
    await visitor.sign_in()
    page = visitor.page
    await page.get_by_role("navigation").get_by_role("link", name="Settings").click()
    await expect(page.get_by_role("button", name="Make token")).to_be_visible()
    await expect(visitor.section("About")).to_contain_text("telemetry")
    return page


async def test_colours_are_chosen_and_the_button_above_follows(visitor: Visitor) -> None:
    page = await _open(visitor)
    await page.get_by_role("radio", name=re.compile("^Dark")).click()
    await expect(page.locator("html")).to_have_attribute("data-scheme", "dark")
    await page.get_by_role("button", name="Colours: dark. Change").click()
    await expect(page.get_by_role("radio", name=re.compile("^Auto"))).to_be_checked()
    await page.get_by_role("radio", name=re.compile("^Light")).click()
    await page.reload()
    await expect(page.get_by_role("radio", name=re.compile("^Light"))).to_be_checked()


async def test_featured_models_and_limits_are_kept_on_the_server(visitor: Visitor) -> None:
    page = await _open(visitor)
    featured = page.get_by_role("checkbox", name=re.compile("^Featured models"))
    await expect(featured).to_be_checked()
    await featured.press("Space")
    await expect(featured).not_to_be_checked()
    limit = page.get_by_role("spinbutton", name=re.compile("^Bandwidth"))
    await limit.fill("12.5")
    await limit.press("Enter")
    await expect(page.get_by_text("take at most 12.5 MB/s")).to_be_visible()
    await page.get_by_role("spinbutton", name=re.compile("^At a time")).fill("3")
    await page.get_by_role("button", name="Save at a time").press("Enter")
    paused = page.get_by_role("checkbox", name=re.compile("^Pause the whole queue"))
    await paused.click()
    await expect(paused).to_be_checked()
    async with visitor.product.client() as client:
        await _until(client, max_concurrent=3, bandwidth_limit_bps=12_500_000, paused=True)
        assert (await client.get("/api/v1/user/settings")).json()["show_featured_models"] is False
        # What others change is followed without a reload.
        await client.patch(
            "/api/v1/downloads/settings", json={"max_concurrent": 1, "bandwidth_limit": None, "paused": False}
        )
    await expect(paused).not_to_be_checked()
    await expect(page.get_by_role("spinbutton", name=re.compile("^At a time"))).to_have_value("1")
    await expect(limit).to_have_value("")
    await page.reload()
    await expect(featured).not_to_be_checked()
    await featured.click()
    await expect(featured).to_be_checked()


async def test_a_token_is_shown_once_opens_what_it_may_and_is_revoked(visitor: Visitor) -> None:
    page = await _open(visitor)
    await page.get_by_role("textbox", name="Name").fill("nightly backup")
    await page.get_by_role("textbox", name="Name").press("Enter")
    dialog = page.get_by_role("dialog", name="Token nightly backup")
    secret = await dialog.get_by_role("textbox", name="The token").input_value()
    await dialog.get_by_role("button", name="Copy").press("Enter")
    await expect(dialog.get_by_role("status")).to_have_text(re.compile("Copied|selected"))
    await dialog.get_by_role("button", name="Done").press("Enter")
    row = visitor.section("Personal tokens").get_by_role("listitem").filter(has_text="nightly backup")
    await expect(row).to_contain_text("read")
    await expect(row).to_contain_text("expires on")
    assert secret not in await page.content()
    async with httpx.AsyncClient(
        base_url=visitor.product.url, headers={"Authorization": f"Bearer {secret}"}, trust_env=False
    ) as bot:
        assert (await bot.get("/api/v1/presets/")).status_code == 200
        assert (await bot.post("/api/v1/presets/refresh")).status_code == 403
        await row.get_by_role("button", name="Revoke nightly backup").press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(row.get_by_role("button", name="Revoke nightly backup")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").press("Enter")
        await expect(row).to_have_count(0)
        assert (await bot.get("/api/v1/presets/")).status_code == 401


async def test_a_name_that_is_taken_is_refused_with_the_reason(visitor: Visitor) -> None:
    page = await _open(visitor)
    for _ in range(2):
        await page.get_by_role("textbox", name="Name").fill("twice")
        await page.get_by_role("button", name="Make token").click()
        done = page.get_by_role("button", name="Done")
        await expect(done.or_(page.locator(".new-token .reason:not(:empty)"))).to_be_visible()
        if await done.count():
            await done.click()
    await expect(page.locator(".new-token").get_by_role("alert")).to_contain_text("twice")
    assert len(visitor.complaints) == 1  # the browser itself reports the one answer of 400 and above
    visitor.complaints.clear()


async def test_the_catalog_is_read_again(visitor: Visitor) -> None:
    page = await _open(visitor)
    await expect(visitor.section("Preset catalog")).to_contain_text(re.compile(r"\d+ presets, version"))
    await page.get_by_role("button", name="Refresh now").press("Enter")
    await expect(page.get_by_text("Catalog refreshed")).to_be_visible()


async def _until(client: httpx.AsyncClient, **expected: object) -> None:
    """Return once the queue says so; the page does not wait for its own writes."""
    for _ in range(50):
        queue = (await client.get("/api/v1/downloads/queue")).json()
        said = {name: queue[name] for name in expected}
        if said == expected:
            return
    raise AssertionError(said)
