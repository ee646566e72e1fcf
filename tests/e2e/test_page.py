"""The first page against the real product: sign in by the link, install, watch, steer."""

import asyncio
import re

import pytest
from playwright.async_api import Locator, expect

from tests.e2e.visitor import LIVE, Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

SMALL = "Qwen3 8B, Q4_K_M"
LARGE = "Qwen-Image, fp8"
NEXT = "ACE-Step v1 3.5B"
REFUSED = "Stable Diffusion 1.5"
INSTALL_MS = 90_000


async def test_the_printed_link_signs_in_and_leaves_no_token(visitor: Visitor) -> None:
    await visitor.sign_in()
    assert "token" not in visitor.page.url
    assert visitor.product.token not in await visitor.page.content()
    cookies = await visitor.page.context.cookies()
    assert [(c["httpOnly"], c["sameSite"]) for c in cookies] == [(True, "Strict")]
    await expect(visitor.section("Download queue")).to_have_count(0)


async def test_installing_a_preset_shows_its_bytes_arrive(visitor: Visitor) -> None:
    await visitor.sign_in()
    page, card = visitor.page, visitor.card(SMALL)
    await expect(card).to_contain_text("Available")
    await card.get_by_role("button", name="Install").click()
    queue = visitor.section("Download queue")
    bar = queue.get_by_role("progressbar", name=f"Progress of {SMALL}")
    seen = await _grows(bar, samples=3)
    assert seen == sorted(seen)
    await expect(queue).to_contain_text(re.compile(r"\d MB of 50\.3 MB"))
    await expect(queue).to_contain_text(re.compile(r"File 1 of 1"))
    await expect(card).to_contain_text("Installed", timeout=INSTALL_MS)
    await expect(queue).to_have_count(0)
    await expect(page.get_by_text("Installed and checked.")).to_be_visible()
    await expect(visitor.section("Recently ended")).to_contain_text(SMALL)
    entry = visitor.section("Activity").get_by_role("listitem").filter(has_text=SMALL)
    await expect(entry.first).to_contain_text("completed")
    assert (visitor.product.data_dir / "models" / "llm" / "Qwen3-8B-Q4_K_M.gguf").stat().st_size == 50_300_000


async def test_pause_survives_a_reload_and_cancel_empties_the_queue_by_keyboard(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    await _install(visitor, LARGE)
    queue = visitor.section("Download queue")
    await expect(queue.get_by_role("button", name=f"Pause {LARGE}")).to_be_visible()
    await _grows(queue.get_by_role("progressbar", name=f"Progress of {LARGE}"), samples=2)
    await queue.get_by_role("button", name=f"Pause {LARGE}").press("Enter")
    await expect(queue).to_contain_text("Paused until you resume it")
    await page.reload()
    await expect(queue).to_contain_text("Paused until you resume it")
    await queue.get_by_role("button", name=f"Resume {LARGE}").press("Enter")
    await expect(queue.get_by_role("heading", name=re.compile("1 active"))).to_be_visible()
    await queue.get_by_role("button", name=f"Cancel {LARGE}").press("Enter")
    dialog = page.get_by_role("dialog", name=f"Cancel {LARGE}?")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(queue.get_by_role("button", name=f"Cancel {LARGE}")).to_be_focused()
    await page.keyboard.press("Enter")
    await dialog.get_by_role("radio", name=re.compile("Delete it")).check()
    await dialog.get_by_role("button", name="Cancel download").press("Enter")
    await expect(queue).to_have_count(0)
    ended = visitor.section("Recently ended").get_by_role("listitem").filter(has_text=LARGE)
    await expect(ended).to_contain_text("Cancelled")


async def test_the_waiting_list_is_reordered_and_the_whole_queue_paused(visitor: Visitor) -> None:
    await visitor.sign_in()
    page, queue = visitor.page, visitor.section("Download queue")
    names = [LARGE, "FLUX.1 schnell, fp8", NEXT]
    for name in names:
        await _install(visitor, name)
    await expect(queue.get_by_role("heading", level=4)).to_have_text(names[1:])
    await queue.get_by_role("button", name=f"Move {NEXT} to the top").press("Enter")
    await expect(queue.get_by_role("heading", level=4)).to_have_text([NEXT, names[1]])
    await queue.get_by_role("button", name="Pause all").press("Enter")
    await expect(queue).to_contain_text("The whole queue is paused.")
    await page.reload()
    await expect(queue).to_contain_text("The whole queue is paused.")
    waiting = queue.locator("ol").get_by_role("heading", level=4)
    await expect(waiting.filter(has_text=NEXT)).to_be_visible()
    await queue.get_by_role("button", name="Resume all").press("Enter")
    await expect(queue).not_to_contain_text("The whole queue is paused.")
    for name in names:
        await queue.get_by_role("button", name=f"Cancel {name}").press("Enter")
        await page.get_by_role("button", name="Cancel download").press("Enter")
        await expect(queue.get_by_role("button", name=f"Cancel {name}")).to_have_count(0)


async def test_a_refused_command_says_why_and_is_taken_back(visitor: Visitor) -> None:
    await visitor.sign_in()
    page = visitor.page
    refusal = '{"code": "no_space", "detail": "300 MB are needed and 12 MB are free."}'
    problem = {"content-type": "application/problem+json"}
    await page.route("**/install", lambda route: route.fulfill(status=409, headers=problem, body=refusal))
    await page.get_by_role("button", name=f"Install {REFUSED}", exact=True).press("Enter")
    await expect(page.get_by_text("300 MB are needed and 12 MB are free.")).to_be_visible()
    await expect(visitor.card(REFUSED)).to_contain_text("Available")
    assert len(visitor.complaints) == 1  # the browser itself reports every answer of 400 and above
    visitor.complaints.clear()


async def test_tabs_share_one_stream_and_live_through_a_killed_gateway(visitor: Visitor) -> None:
    await visitor.sign_in()
    other = await visitor.page.context.new_page()
    await other.goto(visitor.product.url)
    await expect(other.get_by_role("status").filter(has_text=LIVE)).to_be_visible()
    async with asyncio.timeout(20):  # pages of former tests may be leaving still
        while await _open_streams(visitor) != 1:  # noqa: ASYNC110  # the gateway changes it
            await asyncio.sleep(0.1)
    await visitor.product.kill("gateway")
    await visitor.product.wait_ready()
    async with visitor.product.client() as client:
        answer = await client.post("/api/v1/presets/REAL_ESRGAN_X4/install")
        assert answer.status_code == 200, answer.text
    for page in (visitor.page, other):
        card = page.locator("[data-preset=REAL_ESRGAN_X4]")
        await expect(card).to_contain_text("Installed", timeout=INSTALL_MS)
    visitor.complaints[:] = [c for c in visitor.complaints if "Failed to load resource" not in c]


async def _open_streams(visitor: Visitor) -> float:
    async with visitor.product.client() as client:
        metrics = (await client.get("/metrics")).text
    found = re.search(r"^modeldeck_sse_streams (\S+)$", metrics, re.MULTILINE)
    assert found is not None, metrics
    return float(found[1])


async def _grows(bar: Locator, *, samples: int) -> list[int]:
    """Return percentages of the bar, each different from the one before."""
    seen: list[int] = []
    while len(seen) < samples:
        if seen:
            await expect(bar).not_to_have_attribute("aria-valuenow", str(seen[-1]), timeout=20_000)
        value = await bar.get_attribute("aria-valuenow")
        if value is not None:
            seen.append(int(value))
    return seen


async def _install(visitor: Visitor, name: str) -> None:
    """Queue a preset from elsewhere: the home page offers only a handful."""
    async with visitor.product.client() as client:
        presets = (await client.get("/api/v1/presets/")).json()["presets"]
        wanted = next(preset["id"] for preset in presets if preset["name"] == name)
        assert (await client.post(f"/api/v1/presets/{wanted}/install")).status_code == 200
