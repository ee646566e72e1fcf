"""Hubs on the Models page, with the demo's hub: from a link to the queue, gates, what is featured, the tour."""

import re
from typing import Literal

import pytest
import yaml
from playwright.async_api import Locator, Page, expect

from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

Scheme = Literal["light", "dark"]
PARTED = "Qwen/Qwen2.5-7B-Instruct-GGUF"
GATED = "meta-llama/Llama-3.1-8B-Instruct"
MANY = "bartowski/Llama-3.2-3B-Instruct-GGUF"
DESCRIBED_MS = 20_000
"""The origin generates and hashes a repository's files when it is first asked for them."""
DONE = '{"hasSeenTour":true,"currentStep":-1,"isDismissed":true}'
EVERY_LOOK = pytest.mark.parametrize(("scheme", "width"), [(s, w) for s in ("light", "dark") for w in (1280, 360)])


async def _open(visitor: Visitor, address: str = "/models", *, toured: bool = True) -> Page:
    await visitor.sign_in()
    if toured:
        await visitor.page.evaluate(f"localStorage.setItem('modeldeck.tour', '{DONE}')")
    await visitor.page.goto(visitor.product.url + address)
    await visitor.live()
    return visitor.page


async def _tab_to(page: Page, target: Locator, most: int = 40) -> None:
    """Press Tab until the focus is there."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await target.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{most} tabs do not lead to {target}")


async def test_all_parts_of_a_variant_are_queued_by_keyboard_and_the_focus_returns(visitor: Visitor) -> None:
    page = await _open(visitor)
    await page.get_by_role("button", name="Download model").focus()
    await page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name="Download a model")
    await expect(drawer.get_by_label("Repository or link")).to_be_focused()
    await page.keyboard.type(f"https://huggingface.co/{PARTED}")
    await expect(drawer).to_contain_text(f"The repository {PARTED} on Hugging Face")
    await page.keyboard.press("Enter")
    best = drawer.get_by_role("region", name="Recommended for this machine")
    await expect(best).to_contain_text("Q8_0 · 81.0 MB · 3 parts", timeout=DESCRIBED_MS)
    await expect(best).to_contain_text(re.compile("fits into|memory"))
    await expect(drawer).to_contain_text("DEMO: generated files")
    await _tab_to(page, drawer.get_by_role("radio", name=re.compile("q8_0")))
    for _ in range(2):
        await page.keyboard.press("ArrowUp")
    await expect(drawer.get_by_role("radio", name=re.compile("q4_k_m"))).to_be_checked()
    await expect(drawer).to_contain_text(re.compile(r"46\.8 MB\s*needed of"))
    await expect(drawer).to_contain_text("Fits")
    await _tab_to(page, drawer.get_by_role("button", name="Download all 2 parts"))
    await page.keyboard.press("Enter")
    queue = page.get_by_role("dialog", name="Active downloads")
    for part in ("00001-of-00002", "00002-of-00002"):
        await expect(queue).to_contain_text(f"qwen2.5-7b-instruct-q4_k_m-{part}.gguf")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Download model")).to_be_focused()
    await page.goto(f"{visitor.product.url}/models?tab=repositories")
    row = page.locator("[data-variant^='qwen2.5-7b-instruct-q4_k_m']")
    await expect(row).to_contain_text("2 parts")
    await expect(row).to_contain_text("Active", timeout=60_000)


async def test_a_gated_repository_says_what_to_do_and_what_the_hub_answered(visitor: Visitor) -> None:
    page = await _open(visitor, f"/models?download={GATED}")
    drawer = page.get_by_role("dialog", name="Download a model")
    terms = drawer.get_by_role("link", name=re.compile("Accept them on its page"))
    await expect(terms).to_have_attribute("href", f"https://huggingface.co/{GATED}", timeout=DESCRIBED_MS)
    await expect(drawer).to_contain_text("Set HF_TOKEN")
    await drawer.get_by_role("button", name="Download all 4 parts").press("Enter")
    queue = page.get_by_role("dialog", name="Active downloads")
    await expect(queue.get_by_role("heading", name=re.compile("Failed"))).to_be_visible(timeout=30_000)
    await expect(queue).to_contain_text(re.compile("gated|restricted|accept|token", re.IGNORECASE))


async def test_featured_models_stay_away_until_there_are_new_ones(visitor: Visitor) -> None:
    page = await _open(visitor)
    featured = visitor.section("Featured models")
    earlier = featured.get_by_role("button", name="Earlier featured models")
    further = featured.get_by_role("button", name="Further featured models")
    await expect(earlier).to_have_attribute("aria-disabled", "true")
    for _ in range(6):
        await further.press("Enter")
        if await further.get_attribute("aria-disabled"):
            break
        await page.wait_for_function("before => document.querySelector('.carousel').scrollLeft !== before", arg=-1)
    await featured.locator(".more-card").scroll_into_view_if_needed()
    await expect(further).to_have_attribute("aria-disabled", "true")
    await expect(earlier).not_to_have_attribute("aria-disabled", "true")
    await featured.get_by_role("button", name="More models").press("Enter")
    await expect(page.get_by_role("dialog", name="Download a model")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(featured.get_by_role("button", name="More models")).to_be_focused()  # else it would get the next key
    await featured.get_by_role("button", name=re.compile("Dismiss")).press("Enter")
    await expect(featured).to_have_count(0)
    await page.reload()
    await expect(page.locator("[data-preset]").first).to_be_visible()
    await expect(featured).to_have_count(0)
    path = visitor.product.data_dir / "demo" / "featured.yaml"
    listed = yaml.safe_load(path.read_text())
    newer = {"id": "brand-new", "name": "Brand New", "repo": MANY, "filename": "Llama-3.2-3B-Instruct-Q6_K.gguf"}
    path.write_text(yaml.safe_dump({**listed, "models": [*listed["models"], newer]}))
    await visitor.product.kill("catalog")  # it reads the list when it starts
    await expect(featured).to_contain_text("1 new", timeout=30_000)
    await expect(featured.locator("[data-featured='brand-new']")).to_contain_text("New")
    await expect(page.locator(".toast")).to_contain_text("New featured models")
    await featured.get_by_role("button", name="Try now: Brand New").click()
    await expect(page.get_by_role("dialog", name="Active downloads")).to_contain_text("Q6_K")


async def test_the_tour_goes_on_without_what_is_not_there_and_in_any_window(visitor: Visitor) -> None:
    page = await _open(visitor, toured=False)
    await visitor.section("Featured models").get_by_role("button", name=re.compile("Dismiss")).press("Enter")
    await page.get_by_role("button", name="Take a tour").press("Enter")
    tour = page.locator("dialog.tour")
    await expect(tour).to_contain_text("You have put them away")
    await expect(tour.locator(".light")).to_have_count(0)
    await page.keyboard.press("ArrowRight")
    await expect(tour).to_contain_text("Step 2/4")
    light = tour.locator(".light")
    for width in (360, 1280):
        await page.set_viewport_size({"width": width, "height": 700})
        button = await page.locator("#download-model").bounding_box()
        assert button is not None
        await expect(light).to_have_css("width", f"{button['width'] + 8:g}px")
        tip = await tour.locator(".tip").bounding_box()
        assert tip is not None
        assert tip["x"] >= 0
        assert tip["x"] + tip["width"] <= width
        assert tip["y"] + tip["height"] <= 700
        if width == 360:
            assert tip["width"] == 344  # all of the window but a margin
    await page.keyboard.press("ArrowLeft")
    await expect(tour).to_contain_text("Step 1/4")
    await page.keyboard.press("Escape")
    await expect(tour).to_have_count(0)
    await expect(page.get_by_role("heading", name="Models", level=1)).to_be_focused()
    await page.reload()
    await expect(page.locator("[data-preset]").first).to_be_visible()
    await expect(page.get_by_role("button", name="Take a tour")).to_have_count(0)


@EVERY_LOOK
async def test_everybody_can_use_it(visitor: Visitor, scheme: Scheme, width: int) -> None:
    await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    # So high that nothing lies half behind a drawer's buttons or the bar at the bottom.
    await visitor.page.set_viewport_size({"width": width, "height": 2600})
    for repo in (GATED, MANY):
        page = await _open(visitor, f"/models?download={repo}")
        drawer = page.get_by_role("dialog", name="Download a model")
        await expect(drawer).to_contain_text("Fits" if repo == MANY else "free", timeout=DESCRIBED_MS)
        await _check(visitor, width)
    await page.goto(f"{visitor.product.url}/models?tab=repositories")
    card = page.locator(f"[data-repo='{MANY}']")
    await page.get_by_role("searchbox", name="Search repositories").fill("bartowski")
    await expect(card.get_by_role("table")).to_be_visible()
    await _check(visitor, width)
    await card.get_by_role("button", name=f"More about {MANY}").press("Enter")
    await expect(page.get_by_role("menuitem", name="Details")).to_be_visible()
    await _check(visitor, width)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name=MANY)).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(card.get_by_role("button", name=f"More about {MANY}")).to_be_focused()
    if width == 360:  # a swipe shows the same actions
        await card.locator(".repo-head").evaluate("head => head.scrollTo(head.scrollWidth, 0)")
        await expect(card.get_by_role("button", name=f"Details of {MANY}")).to_be_in_viewport(ratio=1)
        await _check(visitor, width)


async def _check(visitor: Visitor, width: int) -> None:
    assert await visitor.flaws() == []
    assert await visitor.overflow_px() <= 0
    if width == 360:
        assert await visitor.small_targets() == []
