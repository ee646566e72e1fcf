"""The page for everybody: the rows "axe" and "360 px" of the bar, for every line of `page_states.py`.

One product and one page for all of them: a state is reached once at each width, and looked at in both schemes where it
stands. In every one axe finds nothing, nothing can be scrolled sideways, fingers find their targets at 360 px, and the
console and the content policy stay silent. Loading, failing and outdated pages are looked at for every address, and the
keyboard reaches everything on each and is seen where it is.

The page has its stream to itself here: what a shared worker asks for cannot be held back or refused by a test.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from modeldeck_local.demo.templates import put_templates
from playwright.async_api import Browser, Route, expect

from tests.e2e.model_shelf import REPO, furnished, stock, variant
from tests.e2e.page_states import BUSY, NARROW, PAGES, QUIET, WIDE, State
from tests.e2e.studio_day import publish_day
from tests.e2e.visitor import REPORT_VIOLATIONS, Visitor
from tests.support.product import Product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

TOURED = '{"hasSeenTour":true,"currentStep":-1,"isDismissed":true}'
API = "**/api/v1/**"
Answer = Callable[[Route], Awaitable[None]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """Presets and a hub, and nothing else yet."""
    async with furnished(tmp_path_factory.mktemp("shelf"), bare=True) as (running, _):
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def person(product: Product, browser: Browser) -> AsyncIterator[Visitor]:
    """Somebody signed in, who stays for all tests."""
    context = await browser.new_context(viewport={"width": WIDE, "height": 900}, reduced_motion="reduce")
    await context.add_init_script("delete window.SharedWorker;" + REPORT_VIOLATIONS)
    context.set_default_timeout(10_000)
    visitor = Visitor(product, await context.new_page())
    await visitor.sign_in()
    yield visitor
    await context.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def busy(product: Product) -> None:
    """Model files, workflows, a day's work; a preset installed, one that failed, one on its way, two that wait."""
    stock(product.data_dir / "models")
    put_templates(product.data_dir / "workflows")
    await publish_day(product)
    async with product.client() as http:
        for preset in ("PORTRAIT", "GONE"):
            assert (await http.post(f"/api/v1/presets/{preset}/install")).status_code == 200
        async with asyncio.timeout(60):
            while (await http.get("/api/v1/downloads/queue")).json()["active_downloads"]:  # noqa: ASYNC110  # the downloader is at it
                await asyncio.sleep(0.1)
        await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": "20KB/s"})
        assert (await http.post("/api/v1/presets/VIDEO/install")).status_code == 200
        for method in ("Q6_K", "Q8_0"):
            answer = await http.post("/api/v1/downloads", json={"repo": REPO, "filename": variant(method)})
            assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("state", QUIET, ids=str)
async def test_before_anything_has_happened(person: Visitor, state: State) -> None:
    assert await _seen(person, state, "null") == ""


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("state", BUSY, ids=str)
async def test_on_a_day_at_work(person: Visitor, state: State) -> None:
    assert await _seen(person, state, TOURED) == ""


async def _seen(visitor: Visitor, state: State, tour: str) -> str:
    """Go to a state and return what is wrong with it, at any width and in any scheme."""
    page = visitor.page
    visitor.complaints.clear()
    await page.set_viewport_size({"width": state.widths[0], "height": 900})
    await page.evaluate(f"localStorage.clear(); localStorage.setItem('modeldeck.tour', '{tour}')")
    await page.goto(visitor.product.url + state.address)
    try:
        await visitor.live()
        for step in state.steps:
            await step(visitor)
        wrong = [each for width in state.widths for each in await _wrong(visitor, width)]
    finally:
        await page.unroute_all(behavior="ignoreErrors")
    wrong += [said for said in visitor.complaints if not state.forgiven or state.forgiven not in said]
    return "\n".join(wrong)


async def _wrong(visitor: Visitor, width: int) -> list[str]:
    """Return what is wrong with what is on the page now, at this width."""
    page = visitor.page
    await page.set_viewport_size({"width": width, "height": 900})
    wrong = await visitor.sideways()
    if width == NARROW:
        wrong += await visitor.small_targets()
    # What lies half behind the bar at the bottom, or below a dialog's edge, would be judged by what covers it.
    await page.set_viewport_size({"width": width, "height": await page.evaluate(_WHOLE)})
    await page.emulate_media(color_scheme="light")
    wrong += await visitor.flaws()
    await page.emulate_media(color_scheme="dark")
    wrong += [f"dark: {flaw}" for flaw in await visitor.flaws(colours_only=True)]
    return [f"{width}: {each}" for each in wrong]


_WHOLE = """Math.max(900, document.documentElement.scrollHeight,
    ...[...document.querySelectorAll("dialog[open], dialog[open] *")].map((e) => e.scrollHeight + 200))"""


# -- every page while it loads, when it fails, when it is old ----------------------------------------------------------


async def _hold(_: Route) -> None:
    """Answer nothing."""


async def _break(route: Route) -> None:
    await route.abort()


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize(("answer", "place"), [(_hold, ".loading"), (_break, ".failure")], ids=["loading", "failing"])
async def test_pages_without_answers(person: Visitor, address: str, answer: Answer, place: str) -> None:
    page = person.page
    await page.route(API, answer)
    try:
        await page.goto(person.product.url + address)
        await expect(page.locator(place).first).to_be_visible(timeout=15_000)
        assert "\n".join([*await _wrong(person, WIDE), *await _wrong(person, NARROW)]) == ""
    finally:
        await page.unroute_all(behavior="ignoreErrors")


@pytest.mark.usefixtures("busy")
async def test_every_page_is_marked_as_old_while_the_gateway_is_away(person: Visitor) -> None:
    page = person.page
    await page.set_viewport_size({"width": WIDE, "height": 900})
    await page.goto(person.product.url)
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    names = await links.all_inner_texts()
    for name in [*names[1:], names[0]]:
        await links.filter(has_text=name).click()
        await expect(page.get_by_role("heading", level=1, name=name)).to_be_focused()
        await expect(page.locator(".loading")).to_have_count(0)
    wrong: list[str] = []
    with person.product.without("gateway"):
        await expect(page.get_by_text("Connection lost.")).to_be_visible(timeout=15_000)
        for name in names:
            await links.filter(has_text=name).click()
            await expect(page.get_by_role("heading", level=1, name=name)).to_be_focused()
            await expect(page.get_by_text("Connection lost.")).to_be_visible()
            # What was not looked at for a while is not kept: it cannot be shown, and says so.
            await expect(page.get_by_text("Stale data").or_(page.locator(".failure")).first).to_be_visible()
            wrong += [f"{name}: {each}" for width in (NARROW, WIDE) for each in await _wrong(person, width)]
    await person.product.wait_ready()
    await person.live()
    await expect(page.get_by_text("Stale data")).to_have_count(0)
    assert "\n".join(wrong) == ""


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("address", PAGES)
async def test_the_keyboard_reaches_everything_and_is_seen(person: Visitor, address: str, width: int) -> None:
    page = person.page
    await page.set_viewport_size({"width": width, "height": 900 if width == WIDE else 640})
    await page.goto(person.product.url + address)
    await person.live()
    await expect(page.locator(".loading")).to_have_count(0)
    for _ in range(await page.evaluate(_FOLLOW_FOCUS)):
        await page.keyboard.press("Tab")
    assert await page.evaluate("window.unreached()") == []
    assert await page.evaluate("window.unseen()") == []


async def test_signing_in_again(person: Visitor) -> None:
    page = person.page
    await page.set_viewport_size({"width": WIDE, "height": 900})
    await page.goto(person.product.url)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Token")).to_be_visible()
    wrong = [each for width in (WIDE, NARROW) for each in await _wrong(person, width)]
    await page.get_by_label("Token").fill("not the token")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    wrong += [each for width in (WIDE, NARROW) for each in await _wrong(person, width)]
    assert "\n".join(wrong) == ""
    await page.get_by_label("Token").fill(person.product.token)
    await page.keyboard.press("Enter")
    await person.live()


# Follows the focus: what of all that can have it never had it, and where it could not be seen.
_FOLLOW_FOCUS = """() => {
    const group = (element) => element.type === "radio" ? `radio ${element.name}` : element;
    const wanted = new Map([...document.querySelectorAll(
            "a[href], button, input, select, textarea, summary, [tabindex='0']")]
        .filter((element) => element.tabIndex >= 0 && !element.disabled && element.checkVisibility())
        .map((element) => [group(element), element.outerHTML.slice(0, 120)]));
    const doubtful = new Map();
    const count = wanted.size;
    const fault = (element) => {
        const shown = element.closest("label") ?? element;
        const { left, top, width, height } = shown.getBoundingClientRect();
        const style = [element, shown].map((each) => getComputedStyle(each));
        const ringed = style.some(({ outlineStyle, boxShadow }) => outlineStyle !== "none" || boxShadow !== "none");
        if (!ringed) return "no ring";
        const at = document.elementFromPoint(left + width / 2, top + Math.min(height / 2, innerHeight / 2));
        return at && (shown.contains(at) || at.contains(shown)) ? "" : "covered";
    };
    document.addEventListener("focusin", ({ target }) => {
        wanted.delete(group(target));
        if (fault(target)) doubtful.set(target, fault(target));
    });
    window.unreached = () => [...wanted].filter(([key]) => key.isConnected !== false).map(([, html]) => html);
    // What was being scrolled to when it got the focus is looked at again, in peace.
    window.unseen = async () => {
        const found = [];
        for (const element of [...doubtful.keys()].filter(({ isConnected }) => isConnected)) {
            element.focus({ focusVisible: true });
            for (let frame = 0; frame < 60 && fault(element); frame += 1) await new Promise(requestAnimationFrame);
            if (fault(element)) found.push(`${fault(element)}: ${element.outerHTML.slice(0, 120)}`);
        }
        return found;
    };
    return count + 5;
}"""
