"""The Models page against the real product and a stand-in for the hub: discover, download, see who needs what, free."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.e2e.model_shelf import GATED, MANY, REPO, furnished, variant
from tests.e2e.visitor import Visitor
from tests.support.hub import Hub
from tests.support.product import Product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

SURVEYED_MS = 60_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shelf(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Product, Hub]]:
    """The product with thousands of files, and its hub."""
    async with furnished(tmp_path_factory.mktemp("shelf"), many=MANY) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(shelf: tuple[Product, Hub]) -> Product:
    """That product, for the visitor."""
    return shelf[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(shelf: tuple[Product, Hub]) -> Hub:
    """That hub."""
    return shelf[1]


async def _open(visitor: Visitor, address: str = "/models", *, toured: bool = True) -> Page:
    await visitor.sign_in()
    if toured:
        done = '{"hasSeenTour":true,"currentStep":-1,"isDismissed":true}'
        await visitor.page.evaluate(f"localStorage.setItem('modeldeck.tour', '{done}')")
    await visitor.page.goto(visitor.product.url + address)
    await expect(visitor.page.get_by_role("heading", name="Models", level=1)).to_be_visible()
    await visitor.live()
    return visitor.page


def _row(page: Page, name: str) -> Locator:
    return page.locator(f".file-row[data-file$='{name}']")


async def test_from_a_link_to_a_file_by_keyboard_and_the_focus_returns(visitor: Visitor) -> None:
    page = await _open(visitor)
    await page.get_by_role("button", name="Download model").press("Enter")
    drawer = page.get_by_role("dialog", name="Download a model")
    await expect(drawer.get_by_label("Repository or link")).to_be_focused()
    await page.keyboard.type("two words")
    await expect(drawer.get_by_role("alert")).to_have_text("An address has no spaces in it.")
    await page.keyboard.press("Control+A")
    await page.keyboard.type(REPO)
    await page.keyboard.press("Enter")
    await expect(drawer).to_contain_text("1,234 likes")
    await expect(drawer.get_by_role("radio")).to_have_count(4)
    recommended = drawer.locator("label").filter(has_text="Recommended")
    await expect(recommended.get_by_role("radio")).to_be_checked()
    await expect(drawer).to_contain_text(re.compile("fits into|memory|Nothing is known"))
    await drawer.get_by_role("radio", name=re.compile("Q4_K_M")).press("Space")
    await expect(drawer).to_contain_text("1.5 MB")
    await expect(drawer).to_contain_text("Fits")
    await drawer.get_by_role("button", name="Download selected").press("Enter")
    queue = page.get_by_role("dialog", name="Active downloads")
    await expect(queue).to_contain_text(variant("Q4_K_M"))
    await expect(queue.get_by_role("heading", name="Completed (1)")).to_be_visible(timeout=30_000)
    await page.keyboard.press("Escape")
    await expect(queue).to_have_count(0)
    await expect(page.get_by_role("button", name="Download model")).to_be_focused()
    await page.get_by_role("tab", name="Repositories").click()
    row = page.locator(f"[data-variant='{variant('Q4_K_M')}']")
    repository = page.locator(f"[data-repo='{REPO}']").get_by_role("button").first
    if await repository.get_attribute("aria-expanded") == "false":
        await repository.press("Enter")
    await expect(row).to_contain_text("Active", timeout=15_000)
    await expect(page.locator(f"[data-variant='{variant('F16')}']")).to_contain_text("Available")


async def test_what_the_hub_refuses_is_said_in_line(visitor: Visitor, hub: Hub) -> None:
    page = await _open(visitor)
    await page.get_by_role("button", name="Download model").click()
    drawer = page.get_by_role("dialog", name="Download a model")
    for text, said in ((GATED, "token"), ("nobody/nothing", "Check the spelling")):
        await drawer.get_by_label("Repository or link").fill(text)
        await page.keyboard.press("Enter")
        await expect(drawer.get_by_role("alert")).to_contain_text(re.compile(said))
    await hub.stop()
    try:
        await drawer.get_by_label("Repository or link").fill("studio/Unseen")
        await page.keyboard.press("Enter")
        await expect(drawer.get_by_role("alert")).to_contain_text("Files that are here already", timeout=20_000)
    finally:
        await hub.start()
    visitor.complaints[:] = [c for c in visitor.complaints if "Failed to load resource" not in c]


async def test_a_preset_goes_through_its_states_and_is_uninstalled(visitor: Visitor) -> None:
    page = await _open(visitor)
    card = page.locator("[data-preset='PORTRAIT']")
    await card.get_by_role("button", name="Install Portrait").press("Enter")
    await expect(card).to_contain_text("Installed", timeout=30_000)
    await card.get_by_role("button", name="Details of Portrait").press("Enter")
    drawer = page.get_by_role("dialog", name="Portrait")
    await expect(drawer).to_contain_text("checkpoints/portrait.safetensors")
    assert "preset=PORTRAIT" in page.url
    await drawer.get_by_text("The story of its download").click()
    await expect(drawer).to_contain_text("File is there")
    await drawer.get_by_role("button", name="Uninstall…").click()
    await page.get_by_role("dialog", name="Uninstall Portrait?").get_by_role("button", name="Uninstall").click()
    await expect(drawer.get_by_role("button", name="Install")).to_be_visible(timeout=15_000)
    await page.keyboard.press("Escape")
    await expect(card.get_by_role("button", name="Details of Portrait")).to_be_focused()
    await expect(card).to_contain_text("Available")


async def test_a_preset_that_fails_says_why(visitor: Visitor) -> None:
    page = await _open(visitor)
    card = page.locator("[data-preset='GONE']")
    await card.get_by_role("button", name="Install Gone").click()
    await expect(card).to_contain_text("Failed", timeout=30_000)
    await expect(card).to_contain_text(re.compile("401|404|not|no "))
    await page.get_by_role("button", name="Queue", exact=False).first.click()
    drawer = page.get_by_role("dialog", name="Active downloads")
    await expect(drawer.get_by_role("heading", name=re.compile("Failed"))).to_be_visible()
    await expect(drawer.get_by_role("button", name="Retry Gone")).to_be_visible()


async def test_the_queue_is_moved_by_button_and_by_drag_and_limited(visitor: Visitor) -> None:
    page = await _open(visitor)
    async with visitor.product.client() as http:
        await http.patch("/api/v1/downloads/settings", json={"paused": True})
        for method in ("Q6_K", "Q8_0", "F16"):
            answer = await http.post("/api/v1/downloads", json={"repo": REPO, "filename": variant(method)})
            assert answer.status_code == 201, answer.text
    strip = page.get_by_role("region", name="Download queue")
    await expect(strip).to_contain_text("3 waiting, the queue is paused")
    await strip.get_by_role("button", name="Open queue").click()
    drawer = page.get_by_role("dialog", name="Active downloads")
    names = drawer.get_by_role("heading", level=4)
    await expect(names).to_have_text([variant(method) for method in ("Q6_K", "Q8_0", "F16")])
    await drawer.get_by_role("button", name=f"Move {variant('F16')} up").press("Enter")
    await expect(names).to_have_text([variant(method) for method in ("Q6_K", "F16", "Q8_0")])
    await expect(drawer.get_by_role("status").filter(has_text="place 2 of 3")).to_have_count(1)
    await expect(drawer.get_by_role("button", name=f"Move {variant('F16')} up")).to_be_focused()
    handles = drawer.locator(".handle")
    start, end = await handles.nth(2).bounding_box(), await handles.nth(0).bounding_box()
    assert start is not None
    assert end is not None
    await page.mouse.move(start["x"] + 8, start["y"] + 8)
    await page.mouse.down()
    await page.mouse.move(end["x"] + 8, end["y"] + 30, steps=4)
    await page.mouse.move(end["x"] + 8, end["y"] + 8, steps=4)
    await page.mouse.up()
    await expect(names).to_have_text([variant(method) for method in ("Q8_0", "Q6_K", "F16")])
    await drawer.locator(".limits summary").click()
    await drawer.get_by_label("At a time").select_option("3")
    await drawer.get_by_label("Bandwidth of all together").fill("40 MB/s")
    await page.keyboard.press("Enter")
    await expect(drawer.locator(".limits summary")).to_contain_text("3 at a time · 40.0 MB/s")
    for method in ("Q8_0", "Q6_K", "F16"):
        await drawer.get_by_role("button", name=f"Cancel {variant(method)}").click()
        await page.get_by_role("button", name="Cancel download").click()
    await drawer.get_by_role("button", name="Resume all").click()
    await expect(drawer.get_by_role("button", name="Pause all")).to_be_visible()


async def test_space_is_freed_safely_and_taken_back(visitor: Visitor) -> None:
    page = await _open(visitor)
    async with visitor.product.client() as http:
        await http.patch("/api/v1/downloads/settings", json={"paused": False, "bandwidth_limit": None})
        assert (await http.post("/api/v1/presets/PORTRAIT/install")).status_code == 200
    await expect(page.locator("[data-preset='PORTRAIT']")).to_contain_text("Installed", timeout=30_000)
    await page.get_by_role("tab", name="Files").click()
    await page.get_by_role("searchbox", name="Search files").fill("portrait")
    row = _row(page, "portrait.safetensors")
    await expect(row).to_contain_text("Portrait", timeout=SURVEYED_MS)
    await row.get_by_role("button", name="Delete portrait.safetensors").press("Enter")
    dialog = page.get_by_role("dialog", name="Delete portrait.safetensors?")
    await expect(dialog).to_contain_text("This stops working without it:")
    await expect(dialog).to_contain_text("It can be undone")
    await dialog.get_by_role("button", name="Delete anyway").press("Enter")
    await expect(page.locator(".toast").filter(has_text="900 KB freed.")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(row).to_be_visible(timeout=30_000)
    assert (visitor.product.data_dir / "models" / "checkpoints" / "portrait.safetensors").stat().st_size == 900_000


async def test_duplicates_are_found_and_stored_once(visitor: Visitor) -> None:
    page = await _open(visitor)
    storage = visitor.section("Storage")
    await expect(storage).to_contain_text("1 stored more than once", timeout=SURVEYED_MS)
    await storage.get_by_role("button", name="Show duplicate files").press("Enter")
    await expect(page.locator(".file-row")).to_have_count(2)
    await expect(page.get_by_role("button", name=re.compile("Remove.*Duplicate"))).to_be_visible()
    await _row(page, "/studio_vae.safetensors").get_by_role("button", name="Details of studio_vae.safetensors").click()
    drawer = page.get_by_role("dialog", name="studio_vae.safetensors")
    await drawer.get_by_role("button", name=re.compile("Store once")).click()
    await expect(drawer.get_by_role("button", name=re.compile("Store once"))).to_have_count(0, timeout=15_000)
    names = [
        visitor.product.data_dir / "models" / "vae" / name
        for name in ("studio_vae.safetensors", "old/studio_vae_again.safetensors")
    ]
    async with asyncio.timeout(15):  # the copy goes first, then its name comes back as a link
        while not all(name.exists() for name in names):  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.05)
    assert len({name.stat().st_ino for name in names}) == 1


async def test_two_thousand_files_are_found_though_few_are_in_the_document(visitor: Visitor) -> None:
    page = await _open(visitor, "/models?tab=files")
    await expect(visitor.section("Files")).to_contain_text(re.compile(r"2,0\d\d"), timeout=SURVEYED_MS)
    rows = page.locator(".file-row")
    await expect(rows.nth(50)).to_be_attached()
    first = await rows.count()
    assert first < MANY // 4, "a list that is rendered whole each time stutters"
    search = page.get_by_role("searchbox", name="Search files")
    await search.fill("style-000")
    await expect(rows).to_have_count(10)
    await search.fill("")
    await expect(rows.nth(50)).to_be_attached()
    await page.locator(".more").scroll_into_view_if_needed()
    await expect(rows.nth(first)).to_be_attached()


async def test_filters_are_or_inside_and_across_and_stay_after_a_reload(visitor: Visitor) -> None:
    page = await _open(visitor)
    await page.locator("summary", has_text="Category").press("Enter")
    await page.get_by_role("checkbox", name=re.compile("Video")).press("Space")
    await expect(page.locator("[data-preset]")).to_have_count(1)
    await page.get_by_role("checkbox", name=re.compile("Image")).press("Space")
    await expect(page.locator("[data-preset]")).to_have_count(3)
    await page.keyboard.press("Escape")
    await expect(page.locator("summary", has_text="Category")).to_be_focused()
    await page.get_by_role("button", name=re.compile("Remove.*Image")).press("Enter")
    await expect(page.locator("[data-preset]")).to_have_count(1)
    await page.reload()
    await expect(page.locator("[data-preset]")).to_have_count(1)
    await page.get_by_role("button", name="Clear all").press("Enter")
    await expect(page.locator("[data-preset]")).to_have_count(3)


async def test_links_open_what_they_name_and_back_closes_it(visitor: Visitor) -> None:
    page = await _open(visitor, "/models?filter=queue")
    await expect(page.get_by_role("dialog", name="Active downloads")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page).to_have_url(f"{visitor.product.url}/models")
    await page.goto(f"{visitor.product.url}/models?file=checkpoints%2Fhalf.safetensors")
    await expect(page.get_by_role("dialog", name="half.safetensors")).to_contain_text(
        "it is cut off", timeout=SURVEYED_MS
    )
    await page.goto(f"{visitor.product.url}/models?preset=VIDEO")
    await expect(page.get_by_role("dialog", name="Video")).to_contain_text("9.0 MB")
    await page.keyboard.press("Escape")
    await page.locator("[data-preset='PORTRAIT']").get_by_role("button", name="Details of Portrait").click()
    await expect(page.get_by_role("dialog", name="Portrait")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    # A click beside a drawer closes it too.
    await page.locator("[data-preset='VIDEO']").get_by_role("button", name="Details of Video").click()
    await expect(page.get_by_role("dialog", name="Video")).to_be_visible()
    await page.mouse.click(100, 400)
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_first_visit_is_welcomed_and_shown_around_by_keyboard(visitor: Visitor) -> None:
    page = await _open(visitor, toured=False)
    await page.get_by_role("button", name="Take a tour").press("Enter")
    for step, title in enumerate(("Featured models", "Download a model", "Storage", "Search and filters"), 1):
        tour = page.get_by_role("dialog", name=title)
        await expect(tour).to_contain_text(f"Step {step}/4")
        if step == 2:
            await page.reload()
            await expect(tour).to_contain_text("Step 2/4")
        await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.reload()
    await expect(page.locator("[data-preset]").first).to_be_visible()
    await expect(page.get_by_role("button", name="Take a tour")).to_have_count(0)


async def test_a_featured_model_is_looked_at_and_the_list_put_away(visitor: Visitor) -> None:
    page = await _open(visitor)
    featured = visitor.section("Featured models")
    card = featured.locator("[data-featured='portrait']")
    await expect(card).to_contain_text("Pictures of people")
    await featured.get_by_role("button", name="Portrait", exact=True).click()
    await expect(page.get_by_role("dialog", name="Download a model")).to_contain_text("portrait.safetensors")
    await page.keyboard.press("Escape")
    await expect(featured.get_by_role("button", name="Portrait", exact=True)).to_be_focused()  # else it gets the key
    await featured.get_by_role("button", name=re.compile("Dismiss")).press("Enter")
    await expect(featured).to_have_count(0)
    await page.reload()
    await expect(page.locator("[data-preset]").first).to_be_visible()
    await expect(featured).to_have_count(0)
