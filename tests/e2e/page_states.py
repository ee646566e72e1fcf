"""Every page, dialog, drawer and state of the dashboard, and how a person gets there: one line each.

Whoever builds something that opens adds its line; `test_page_access.py` does the rest. A step is a function of the
visitor; the small ones below press and look. Places are Playwright's selectors. `QUIET` are the states of a product in
which nothing has happened yet, `BUSY` those of a day's work (`test_page_access.py` makes it), `PAGES` the addresses of
which the loading, failing and outdated states are looked at, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Route, expect

from tests.e2e.model_shelf import REPO
from tests.e2e.visitor import Visitor

Step = Callable[[Visitor], Awaitable[object]]
WIDE, NARROW = 1280, 360


@dataclass(frozen=True)
class State:
    """One state: the address, then the steps. `forgiven` is what the browser itself may complain of in its console."""

    name: str
    address: str
    steps: tuple[Step, ...]
    widths: tuple[int, ...] = (WIDE, NARROW)
    forgiven: str = ""

    def __str__(self) -> str:
        """Return what pytest calls it."""
        return self.name


def state(name: str, address: str, *steps: Step, widths: tuple[int, ...] = (WIDE, NARROW), forgiven: str = "") -> State:
    """Return a line of the table."""
    return State(name, address, steps, widths, forgiven)


# -- steps ---------------------------------------------------------------------------------------------------------


def sees(place: str) -> Step:
    """Wait until the first such element is visible."""
    return lambda visitor: expect(visitor.page.locator(place).first).to_be_visible(timeout=20_000)


def press(name: str) -> Step:
    """Press the first visible button whose name begins so."""
    pattern = re.compile("^" + re.escape(name))
    return lambda visitor: visitor.page.get_by_role("button", name=pattern).locator("visible=true").first.click()


def click(place: str) -> Step:
    """Click the first such element."""
    return lambda visitor: visitor.page.locator(place).first.click()


def key(keys: str) -> Step:
    """Press a key."""
    return lambda visitor: visitor.page.keyboard.press(keys)


def write(place: str, text: str) -> Step:
    """Fill a field and press Enter."""

    async def step(visitor: Visitor) -> None:
        field = visitor.page.locator(place).first
        await field.fill(text)
        await field.press("Enter")

    return step


def drop(name: str, text: str, *others: tuple[str, str]) -> Step:
    """Drop a file on the page, or several."""
    return lambda visitor: visitor.page.evaluate(_DROP, [(name, text), *others])


def refused(path: str, status: int, detail: str) -> Step:
    """Let the gateway refuse this from now on; the route ends with the state."""
    problem = json.dumps({"code": "refused", "detail": detail})

    async def answer(route: Route) -> None:
        await route.fulfill(status=status, headers={"content-type": "application/problem+json"}, body=problem)

    return lambda visitor: visitor.page.route(path, answer)


_DROP = """(files) => {
    const carried = new DataTransfer();
    for (const [name, text] of files) carried.items.add(new File([text], name));
    const event = { dataTransfer: carried, bubbles: true, cancelable: true };
    for (const kind of ["dragover", "drop"]) document.querySelector("h1").dispatchEvent(new DragEvent(kind, event));
}"""


def _to_stop(number: int) -> list[Step]:
    """Go on from the tour's first stop to this one."""
    on = [step for stop in range(2, number + 1) for step in (key("ArrowRight"), sees(f"text=Step {stop}/4"))]
    return [sees("text=Step 1/4"), *on]


_DOWNLOAD = "role=dialog >> role=textbox >> nth=0"
_CUSTOM = '{"nodes": [{"id": 1, "type": "UnetLoaderGGUF", "mode": 0, "widgets_values": ["flux.gguf"]}]}'
_LORA = '{"1": {"class_type": "LoraLoader", "inputs": {"lora_name": "nowhere.safetensors"}}}'


# -- the table -----------------------------------------------------------------------------------------------------

PAGES = ("/", "/models", "/models?tab=repositories", "/models?tab=files", "/workflows", "/activity", "/settings")

QUIET = (
    state("home, nothing yet", "/", sees("role=meter")),
    state("arranging", "/", press("Arrange"), press("Hide: "), sees("role=button[name=/^Show /]")),
    state("arranged anew", "/", press("Arrange"), press("Reset"), sees("role=button[name='Reset'][disabled]")),
    state("keyboard shortcuts", "/", sees("role=meter"), key("?"), sees("role=dialog")),
    state("a preset's details at home", "/", press("Details of"), sees("role=dialog >> role=listitem")),
    state("no such page", "/no/such/page", sees("text=There is no such page")),
    state("the welcome", "/models", sees("text=Take a tour"), sees("[data-preset]")),
    *(state(f"tour, stop {n}", "/models", press("Take a tour"), *_to_stop(n)) for n in (1, 2, 3, 4)),
    state("no files", "/models?tab=files", sees(".empty")),
    state("no repositories", "/models?tab=repositories", sees("role=tab[selected]"), sees(".empty, [data-repo]")),
    state("no workflows", "/workflows", sees(".empty")),
    state("activity, nothing yet", "/activity", sees(".empty, #log li")),
)

BUSY = (
    state("home at work", "/", sees("li.download >> role=progressbar"), sees("text=Harbour lights")),
    state("asked before cancelling", "/", press("Cancel Video"), sees("role=dialog")),
    state(
        "a refusal",
        "/",
        refused("**/pause", 409, "It cannot be paused now."),
        press("Pause Video"),
        sees(".toast"),
        forgiven="409",
    ),
    state(
        "presets",
        "/models",
        sees("[data-preset=GONE] >> text=Failed"),
        sees("[data-preset=PORTRAIT] >> text=Installed"),
    ),
    state("a preset's drawer", "/models?preset=PORTRAIT", click("text=The story of its download"), sees(".story")),
    state(
        "asked before uninstalling", "/models?preset=PORTRAIT", press("Uninstall…"), sees("text=Uninstall Portrait?")
    ),
    state("repositories", "/models?tab=repositories", sees("[data-variant]")),
    state(
        "a repository's drawer",
        "/models?tab=repositories",
        click("[data-repo='studio/Portrait'] >> role=button[name^='Details of']"),
        click(".variant-facts summary"),
        sees("text=SHA-256"),
    ),
    state(
        "what else a repository has",
        "/models?tab=repositories",
        press("More about"),
        sees("role=menuitem[name='Details']"),
    ),
    state("files", "/models?tab=files", sees(".file-row >> text=Duplicate"), click("role=checkbox[name=/^Mark half/]")),
    state(
        "files, filters",
        "/models?tab=files",
        sees(".file-row"),
        click("summary >> text=Status"),
        click("role=checkbox[name=/Unused/]"),
        sees("role=button[name=/^Remove/]"),
        widths=(WIDE,),
    ),
    state(
        "files, filter sheet",
        "/models?tab=files",
        sees(".file-row"),
        press("Filters"),
        sees("role=dialog >> role=checkbox"),
        widths=(NARROW,),
    ),
    state("files, none found", "/models?tab=files", write("#models-search", "no such file"), sees(".empty")),
    state(
        "a file's drawer",
        "/models?file=vae%2Fstudio_vae.safetensors",
        sees("text=The same content is also here"),
        click("text=What else its header says"),
    ),
    state("asked before deleting", "/models?tab=files", press("Delete half.safetensors"), sees("role=dialog")),
    state("download", "/models?download=", sees("role=dialog")),
    state(
        "download, no address", "/models?download=", write(_DOWNLOAD, "two words"), sees("role=dialog >> role=alert")
    ),
    state(
        "download, not found",
        "/models?download=",
        write(_DOWNLOAD, "nobody/nothing"),
        sees("role=dialog >> role=alert"),
        forgiven="404",
    ),
    state("download, variants", "/models?download=", write(_DOWNLOAD, REPO), sees("role=dialog >> text=Fits")),
    state(
        "download, a link",
        "/models?download=",
        write(_DOWNLOAD, "https://example.org/x_lora.safetensors"),
        sees("role=dialog >> text=Size unknown"),
    ),
    state("queue strip", "/models", sees("role=region[name='Download queue']")),
    state(
        "queue drawer",
        "/models?filter=queue",
        sees("text=Failed (1)"),
        click(".limits summary"),
        click(".told summary"),
        sees(".story"),
    ),
    state("workflows", "/workflows", sees("[data-template]")),
    state(
        "a template's drawer",
        "/workflows",
        click("[data-template='workflows/api/z-image-turbo.json']"),
        sees("role=textbox[name='Address of ae.safetensors']"),
    ),
    state(
        "install plan",
        "/workflows",
        click("[data-template='workflows/portrait-sdxl.json']"),
        sees("role=dialog >> role=button[name=/^Install/]"),
    ),
    state("workflows, none found", "/workflows", write("#template-search", "no such workflow"), sees(".empty")),
    state(
        "a dropped workflow",
        "/workflows",
        sees("[data-template]"),
        drop("mine.json", _LORA),
        sees("role=textbox[name='Address of nowhere.safetensors']"),
    ),
    state(
        "a workflow's warnings",
        "/workflows",
        sees("[data-template]"),
        drop("gguf.json", _CUSTOM),
        click("role=dialog >> summary"),
        sees("role=dialog >> pre"),
    ),
    state(
        "several dropped files",
        "/workflows",
        sees("[data-template]"),
        drop("mine.json", _LORA, ("photo.png", "no picture"), ("x.lock.json", '{"modeldeck_lock": 1}')),
        sees("role=dialog >> text=1 missing"),
    ),
    state("no workflow", "/workflows", sees("[data-template]"), drop("half.json", "{"), sees("text=It is not JSON")),
    state("the log", "/activity?category=download", sees("#log li")),
    state("the log, none found", "/activity", write("role=searchbox", "no such entry"), sees(".empty")),
    state("an entry's details", "/activity?category=download", press("Details of"), sees("text=Place in the log")),
    state(
        "a download's story",
        "/activity?category=download",
        press("Details of"),
        press("Story of this"),
        sees(".story li"),
    ),
    state(
        "looking back", "/activity", press("Look back…"), click("role=slider"), key("PageDown"), sees(".past .figure")
    ),
    state("asked before clearing", "/activity", press("Clear all…"), sees("role=dialog")),
    state("settings", "/settings", sees("role=button[name='Make token']"), sees("text=telemetry")),
    state("a token made", "/settings", write("role=textbox[name='Name']", "bar"), sees("role=dialog >> text=bar")),
    state("asked before revoking", "/settings", press("Revoke bar"), sees("role=dialog")),
    state(
        "a name that is taken",
        "/settings",
        write("role=textbox[name='Name']", "bar"),
        sees(".new-token >> role=alert"),
        forgiven="409",
    ),
)
