"""The Workflows page against the real product, by keyboard, by choice, with files that are of no use, with hundreds."""

import json

import pytest
from playwright.async_api import Locator, expect

from tests.e2e.visitor import Visitor
from tests.support.workflows import loading, packaged

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

INSTALL_MS = 60_000
_DRAG = """([kind, files]) => {
    const carried = new DataTransfer();
    for (const [name, text] of files) carried.items.add(new File([text], name));
    const event = { dataTransfer: carried, bubbles: true, cancelable: true };
    document.querySelector("h1").dispatchEvent(new DragEvent(kind, event));
}"""


async def _open(visitor: Visitor) -> None:
    await visitor.sign_in()
    await visitor.page.get_by_role("navigation").get_by_role("link", name="Workflows").click()
    await expect(visitor.page.get_by_role("heading", name="Workflows", level=1)).to_be_focused()
    await expect(visitor.page.locator("[data-template]").first).to_be_visible()


async def _drop(visitor: Visitor, files: dict[str, str], title: str = "") -> Locator:
    for kind in ("dragover", "drop"):
        await visitor.page.evaluate(_DRAG, [kind, list(files.items())])
    dialog = visitor.page.get_by_role("dialog", name=title or next(iter(files)))
    await expect(dialog).to_be_visible()
    return dialog


def _put(visitor: Visitor, name: str, content: bytes) -> None:
    path = visitor.product.data_dir / "workflows" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def test_a_template_is_installed_by_keyboard_alone(visitor: Visitor) -> None:
    await _open(visitor)
    page = visitor.page
    await page.get_by_role("button", name="Install… what upscale-x4 misses").press("Enter")
    drawer = page.get_by_role("dialog", name="upscale-x4")
    install = drawer.get_by_role("button", name="Install 1 file · 670 KB")
    await expect(install).to_be_focused()
    await install.press("Enter")
    await expect(drawer).to_contain_text("Everything it needs is where ComfyUI looks.", timeout=INSTALL_MS)
    await page.keyboard.press("Escape")
    await expect(drawer).to_have_count(0)
    row = page.locator("[data-template='workflows/upscale-x4.json']")
    await expect(row).to_be_focused()
    await expect(row).to_contain_text("Ready")


async def test_one_of_several_files_of_a_name_is_chosen_for_a_dropped_workflow(visitor: Visitor) -> None:
    for number, folder in enumerate(("a", "b")):
        path = visitor.product.data_dir / "models" / "loras" / folder / "twice.safetensors"
        path.parent.mkdir(parents=True)
        path.write_bytes(_safetensors(number))
    _put(visitor, "twice.json", loading("loras/twice.safetensors"))
    await _open(visitor)
    row = visitor.page.locator("[data-template='workflows/twice.json']")
    await expect(row).to_contain_text("1 missing", timeout=20_000)
    before = await visitor.page.locator("[data-template]").count()
    drawer = await _drop(visitor, {"mine.json": loading("loras/twice.safetensors").decode()})
    await expect(drawer).to_contain_text("Ambiguous", timeout=20_000)
    await expect(drawer.get_by_role("button", name="Install", exact=True)).to_be_disabled()
    await drawer.get_by_role("radio", name="loras/b/twice.safetensors").check()
    await drawer.get_by_role("button", name="Install 1 file").click()
    await expect(drawer).to_contain_text("1 file is linked.")
    await expect(drawer).to_contain_text("Everything it needs is where ComfyUI looks.", timeout=20_000)
    linked = visitor.product.data_dir / "models" / "loras" / "twice.safetensors"
    assert linked.read_bytes() == _safetensors(1)
    await visitor.page.keyboard.press("Escape")
    await expect(row).to_contain_text("Ready")
    assert await visitor.page.locator("[data-template]").count() == before, "what is dropped is not stored"


async def test_what_is_no_workflow_is_refused_with_the_reason(visitor: Visitor) -> None:
    _put(visitor, "list.json", b'[{"a": 1}]')
    _put(visitor, "broken.json", b"{oops")
    await _open(visitor)
    page = visitor.page
    await page.evaluate(_DRAG, ["dragover", [["a.json", "{}"]]])
    await expect(page.get_by_text("Drop workflows or lock files")).to_be_visible()
    await page.evaluate(_DRAG, ["dragleave", []])
    await expect(page.get_by_text("Drop workflows or lock files")).to_have_count(0)
    useless = {
        "half.json": ("{", "It is not JSON"),
        "list.json": ("[1]", "neither a workflow nor a lock file"),
        "other.json": ('{"a": 1}', "It is JSON, but no workflow"),
        "photo.png": ("no picture", "It is a picture without a workflow in it."),
        "flux.safetensors": ("x", "It is a model file, not a workflow."),
    }
    several = await _drop(visitor, {name: text for name, (text, _) in useless.items()}, title="5 files")
    for name, (_, reason) in useless.items():
        await expect(several.get_by_role("button", name=name)).to_contain_text(reason)
    await several.get_by_role("button", name="half.json").press("Enter")
    one = page.get_by_role("dialog", name="half.json")
    await expect(one).to_contain_text("It is not JSON")
    await page.keyboard.press("Escape")
    await expect(several).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("1 file in the template folders is no workflow")).to_be_visible(timeout=20_000)
    broken = page.locator("[data-template='workflows/broken.json']")
    await expect(broken).to_contain_text("Unreadable")
    await expect(broken).to_contain_text("not JSON")


async def test_of_hundreds_of_templates_only_those_in_sight_are_rendered(visitor: Visitor) -> None:
    """How long filtering and scrolling take is measured by `python -m tests.bench page`."""
    templates = packaged()
    for name, content in templates.items():
        _put(visitor, f"library/{name}", content)
    await _open(visitor)
    page = visitor.page
    rows = page.locator("[data-template^='workflows/library/']")
    await expect(rows).to_have_count(len(templates), timeout=60_000)
    assert await page.evaluate(_RENDERED) < 100
    search = page.get_by_role("searchbox", name="Search templates and files")
    await search.fill("qwen image edit")
    await expect(rows).not_to_have_count(len(templates))
    assert await rows.count() > 3
    await search.fill("")
    await expect(rows).to_have_count(len(templates))
    await rows.last.scroll_into_view_if_needed()
    await expect(rows.last).to_be_in_viewport()
    assert await page.evaluate(_RENDERED) < 100
    assert await visitor.flaws() == []


_RENDERED = """() => [...document.querySelectorAll(".folder li > *")]
    .filter((row) => row.checkVisibility({ contentVisibilityAuto: true })).length"""


def _safetensors(number: int) -> bytes:
    header = json.dumps({"t": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes([number])
