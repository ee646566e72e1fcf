"""A person finds what a workflow misses and installs it; another machine gets the same bytes from its lock file."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.e2e.visitor import Visitor
from tests.support.product import running_product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

INSTALL_MS = 60_000
UPSCALER, VAE = "upscale_models/RealESRGAN_x4plus.safetensors", "vae/sdxl_vae.safetensors"
INNER = "9f6b0a52-3c1e-4a57-8f6d-1f2f7a1f0c11"
_DROP = """([name, text]) => {
    const carried = new DataTransfer();
    carried.items.add(new File([text], name, { type: "application/json" }));
    const event = { dataTransfer: carried, bubbles: true, cancelable: true };
    for (const kind of ["dragover", "drop"]) document.querySelector("h1").dispatchEvent(new DragEvent(kind, event));
}"""


async def test_from_what_a_workflow_misses_to_the_same_bytes_elsewhere(
    visitor: Visitor, browser: Browser, tmp_path: Path
) -> None:
    page = visitor.page
    await _open(visitor)
    await _install_a_template(page)
    lock = await _install_an_own_workflow(page, tmp_path)
    assert {file["path"] for file in lock["files"]} == {UPSCALER, VAE}, "the muted node's file is not locked"
    async with running_product(tmp_path / "second", arguments=("--demo", "--port", "0")) as second:
        context = await browser.new_context()
        elsewhere = Visitor(second, await context.new_page())
        await _open(elsewhere)
        await _install_a_lock(elsewhere.page, json.dumps(lock))
        await context.close()
        assert elsewhere.complaints == []
        for file in lock["files"]:
            installed = second.data_dir / "models" / file["path"]
            assert hashlib.sha256(installed.read_bytes()).hexdigest() == file["sha256"]


async def _open(visitor: Visitor) -> None:
    await visitor.sign_in()
    await visitor.page.get_by_role("navigation").get_by_role("link", name="Workflows").click()
    await expect(visitor.page.locator("[data-template]").first).to_be_visible()


async def _drop(page: Page, name: str, text: str) -> Locator:
    await page.evaluate(_DROP, [name, text])
    drawer = page.get_by_role("dialog", name=name)
    await expect(drawer).to_be_visible()
    return drawer


async def _install_a_template(page: Page) -> None:
    await page.get_by_role("radio", name="Missing files").check()
    await page.get_by_role("searchbox").fill("sdxl_vae")
    row = page.locator("[data-template='workflows/portrait-sdxl.json']")
    await expect(page.locator("[data-template]")).to_have_count(1)
    await expect(row).to_contain_text("3 missing")
    await row.click()
    drawer = page.get_by_role("dialog", name="portrait-sdxl")
    await expect(drawer).to_contain_text("3 files that it needs are not where ComfyUI looks.")
    checkpoint = drawer.get_by_role("listitem").filter(has_text="sd_xl_base_1.0.safetensors")
    await expect(checkpoint).to_contain_text("69.4 MB")
    await expect(checkpoint).to_contain_text("for CheckpointLoaderSimple · ckpt_name")
    await expect(checkpoint).to_contain_text("From huggingface.co, as the workflow says · into checkpoints")
    await expect(drawer).to_contain_text(re.compile(r"85\.4 MB needed of [\d.]+ [GT]B free"))
    await drawer.get_by_role("button", name="Install 3 files · 85.4 MB").click()
    await expect(drawer).to_contain_text("All 3 files that it misses are on the way.")
    await expect(drawer.get_by_role("progressbar", name="Progress of sd_xl_base_1.0.safetensors")).to_be_visible()
    await expect(drawer.get_by_role("status").first).to_contain_text("Ready", timeout=INSTALL_MS)
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("No template fits.")).to_be_visible()  # it misses nothing any more
    await page.get_by_role("button", name="Show all").click()
    await expect(row).to_contain_text("Ready")


async def _install_an_own_workflow(page: Page, folder: Path) -> dict[str, list[dict[str, str]]]:
    drawer = await _drop(page, "mine.json", json.dumps(_workflow()))
    await expect(drawer).to_contain_text("1 file that it needs is not where ComfyUI looks.")
    await expect(drawer).to_contain_text("Misses 1 file")
    await expect(drawer).to_contain_text("From huggingface.co, as the preset Real-ESRGAN x4plus has it")
    await expect(drawer).to_contain_text("Has 1 file")
    await expect(drawer).to_contain_text("Not needed now")
    await drawer.get_by_role("button", name="Install 1 file").click()
    await expect(drawer.get_by_role("status").first).to_contain_text("Ready", timeout=INSTALL_MS)
    async with page.expect_download(timeout=INSTALL_MS) as saving:
        await drawer.get_by_role("button", name="Save lock file").click()
    saved = await saving.value
    assert saved.suggested_filename == "mine.lock.json"
    await saved.save_as(folder / "mine.lock.json")
    await page.keyboard.press("Escape")
    lock: dict[str, list[dict[str, str]]] = json.loads((folder / "mine.lock.json").read_text())
    return lock


async def _install_a_lock(page: Page, lock: str) -> None:
    drawer = await _drop(page, "mine.lock.json", lock)
    await expect(drawer).to_contain_text("Lock file of mine · 2 files with their exact bytes")
    await drawer.get_by_role("button", name="Install 2 files").click()
    await expect(drawer.get_by_text("Completed")).to_have_count(2, timeout=INSTALL_MS)
    await page.keyboard.press("Escape")
    again = await _drop(page, "again.json", lock)
    await expect(again).to_contain_text("There is nothing to install: all of it is there.", timeout=30_000)


def _workflow() -> dict[str, object]:
    """Return a workflow of the editor (schema 0.4): a subgraph that loads two models, and a bypassed LoRA."""

    def node(number: int, kind: str, value: str, mode: int = 0) -> dict[str, object]:
        return {
            "id": number,
            "type": kind,
            "pos": [0, 200 * number],
            "mode": mode,
            "inputs": [],
            "outputs": [],
            "properties": {"Node name for S&R": kind},
            "widgets_values": [value],
        }

    inner = {
        "id": INNER,
        "version": 1,
        "name": "Decode and upscale",
        "inputNode": {"id": -10},
        "outputNode": {"id": -20},
        "inputs": [],
        "outputs": [],
        "nodes": [
            node(1, "UpscaleModelLoader", Path(UPSCALER).name),
            node(2, "VAELoader", Path(VAE).name),
        ],
        "links": [],
    }
    return {
        "last_node_id": 4,
        "nodes": [
            {"id": 3, "type": INNER, "pos": [0, 0], "mode": 0, "inputs": [], "outputs": [], "widgets_values": []},
            node(4, "LoraLoaderModelOnly", "not-here.safetensors", mode=4),
        ],
        "links": [],
        "definitions": {"subgraphs": [inner]},
        "extra": {},
        "version": 0.4,
    }
