"""The Activity page against the real product: the whole log, a download's story, and the past."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.e2e.studio_day import publish_day
from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

PRESET, NAME = "REAL_ESRGAN_X4", "Real-ESRGAN x4plus"


async def _open(visitor: Visitor, query: str = "") -> Page:
    await visitor.sign_in()
    page = visitor.page
    if query:
        await page.goto(f"{visitor.product.url}/activity{query}")
        await visitor.live()
    else:
        await page.get_by_role("navigation").get_by_role("link", name="Activity").click()
    await expect(page.get_by_role("heading", name="Activity", level=1)).to_be_visible()
    return page


async def _install(visitor: Visitor) -> None:
    async with visitor.product.client() as client:
        answer = await client.post(f"/api/v1/presets/{PRESET}/install")
        assert answer.status_code == 200, answer.text


async def test_what_happens_comes_by_itself_and_has_its_story(visitor: Visitor) -> None:
    page = await _open(visitor)
    await _install(visitor)
    done = page.get_by_role("listitem").filter(has_text=NAME).filter(has_text="completed")
    await expect(done).to_be_visible(timeout=30_000)
    await done.get_by_role("button", name=f"Details of {NAME}").press("Enter")
    await done.get_by_role("button", name="Story of this download").press("Enter")
    drawer = page.get_by_role("dialog", name=NAME)
    await expect(drawer).to_contain_text("1 attempt")
    await expect(drawer).to_contain_text(re.compile(r"took \d+s · 670 KB fetched · 1 file · from 127\.0\.0\.1:\d+"))
    told = [re.compile(words) for words in ("Queued", "Started", "File is there", "Completed")]
    await expect(drawer.locator(".story li")).to_have_text(told)
    assert "download=" in page.url
    await page.keyboard.press("Escape")
    await expect(drawer).to_have_count(0)
    await expect(done.get_by_role("button", name="Story of this download")).to_be_focused()
    await expect(page).not_to_have_url(re.compile("download="))


async def test_the_log_is_filtered_by_kind_project_and_text(visitor: Visitor) -> None:
    await publish_day(visitor.product)
    page = await _open(visitor)
    rows = page.locator("#log li")
    await page.get_by_role("combobox", name="Kind").select_option("review")
    await expect(rows.filter(has_text="Harbour lights").first).to_be_visible()
    assert "category=review" in page.url
    await expect(rows.filter(has_text=NAME)).to_have_count(0)
    await page.get_by_role("combobox", name="Project").select_option(label="Winter spot")
    await expect(rows.filter(has_text="Harbour lights")).to_have_count(0)
    await expect(rows.filter(has_text="Too dark")).to_be_visible()
    await page.get_by_role("combobox", name="Kind").select_option("")
    await expect(rows.filter(has_text="The project is blocked").get_by_role("link", name="Winter spot")).to_be_visible()
    await page.get_by_role("button", name="No filters").press("Enter")
    await page.get_by_role("searchbox", name="Search the log").fill("museum cuda")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Museum, lobby")
    await expect(page).to_have_url(re.compile(r"/activity\?q=museum\+cuda$"))
    await page.reload()
    await expect(rows).to_have_count(1)


async def test_more_is_loaded_on_scrolling_and_new_entries_wait_for_the_reader(visitor: Visitor) -> None:
    await publish_day(visitor.product)
    page = await _open(visitor)
    rows = page.locator("#log li")
    await expect(rows.nth(30)).to_be_attached()
    before = await rows.count()
    while await page.get_by_role("button", name="Load more").count():
        await page.get_by_role("button", name="Load more").scroll_into_view_if_needed()
        await expect(rows.nth(before)).to_be_attached()
        before = await rows.count()
        if await page.get_by_text("This is the beginning of the log.").count():
            break
    middle = rows.nth(before // 2)
    await middle.scroll_into_view_if_needed()
    place = await middle.bounding_box()
    await _pause_and_resume(visitor)
    waiting = page.get_by_role("button", name=re.compile(r"\d+ new entr"))
    await expect(waiting).to_be_visible()
    now = await middle.bounding_box()
    assert place
    assert now
    assert abs(now["y"] - place["y"]) < 2, "what was being read has moved"
    await waiting.click()
    await expect(page.get_by_role("listitem").filter(has_text="FLUX").first).to_be_in_viewport()


async def test_the_past_is_shown_as_past_and_one_key_leads_back(visitor: Visitor) -> None:
    page = await _open(visitor)
    await expect(page.locator("#log li").first).to_be_visible()
    await page.keyboard.press("b")
    slider = page.get_by_role("slider", name="Position of the log")
    await expect(slider).to_be_visible()
    first = int(await slider.get_attribute("min") or 0)
    await slider.focus()
    await slider.press("Home")
    past = page.locator(".past")
    await expect(past).to_contain_text("Model files")
    await expect(past).to_contain_text("It was empty.")
    await expect(past).to_contain_text("None was installed.")
    banner = page.get_by_role("status").filter(has_text="You see how it was")
    await expect(banner).to_be_visible()
    await expect(page.get_by_role("heading", name="The log then")).to_be_visible()
    assert f"at={first}" in page.url
    await page.reload()
    await expect(past).to_contain_text("Model files")
    # From event to event, and on by itself.
    await expect(page.get_by_role("button", name="Play what happened")).to_be_enabled()
    await page.keyboard.press(".")
    await expect(banner).not_to_contain_text("You see how it was at")
    await expect(page).not_to_have_url(re.compile(f"at={first}$"))
    there = page.url
    await page.keyboard.press("p")
    await expect(page).not_to_have_url(there)
    await page.get_by_role("button", name="Stop playing").press("Enter")
    await page.keyboard.press("Escape")
    await expect(past).to_have_count(0)
    await expect(banner).to_have_count(0)
    assert "at=" not in page.url
    entry = page.locator("#log li").nth(2)
    title = await entry.locator(".name").inner_text()
    await entry.get_by_role("button", name="Details of").click()
    await entry.get_by_role("button", name="See everything as it was then").click()
    await expect(past).to_contain_text("Templates ready")
    await expect(page.locator("#log li").first).to_contain_text(title)
    await expect(banner).to_contain_text(title)


async def test_a_moment_that_is_not_there_is_told_in_words(visitor: Visitor) -> None:
    page = await _open(visitor, "?at=999999")
    await expect(page.get_by_text(re.compile(r"the log ends at \d+, it has no 999999"))).to_have_count(2)
    visitor.complaints.clear()  # the browser itself reports every answer of 400 and above


async def test_cleared_is_what_was_there_for_this_user(visitor: Visitor) -> None:
    page = await _open(visitor)
    await expect(page.locator("#log li").first).to_be_visible()
    await page.get_by_role("button", name="Clear all…").press("Enter")
    await page.get_by_role("dialog").get_by_role("button", name="Clear all").press("Enter")
    await expect(page.get_by_text("Nothing has happened since you cleared the log.")).to_be_visible()
    await expect(page.get_by_text("It is hidden for you only.")).to_be_visible()
    await page.locator("#log").get_by_role("button", name="Show it again").press("Enter")
    await expect(page.locator("#log li").first).to_be_visible()


async def _pause_and_resume(visitor: Visitor) -> None:
    """Let something happen that the log tells."""
    async with visitor.product.client() as client:
        for verb in ("install", "pause"):
            answer = await client.post(f"/api/v1/presets/FLUX_SCHNELL_FP8/{verb}")
            assert answer.status_code == 200, answer.text
