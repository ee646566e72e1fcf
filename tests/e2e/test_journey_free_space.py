"""A person's journey: free 10 GB without breaking anything, and take one deletion back, on a fresh product."""

import hashlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.e2e.model_shelf import sparse
from tests.e2e.visitor import Visitor
from tests.support.product import Product, running_product

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

SURVEYED_MS = 60_000
FETCHED_MS = 60_000
UPSCALER = "upscale_models/RealESRGAN_x4plus.safetensors"
"""Preset and workflow of the demo need it."""
OWN = "checkpoints/favourite.safetensors"
"""Fetched from the demo's origin, so that it can be had again; nothing needs it."""
FORGOTTEN = "diffusion_models/forgotten_14B.safetensors"
COPIES = ("checkpoints/dream.safetensors", "checkpoints/from-the-old-disk/dream.safetensors")
DAY_S = 86_400


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """The demo with a forgotten file of 9 GB, one of 1.2 GB that is there twice, a preset, and a file of its own."""
    data_dir: Path = tmp_path_factory.mktemp("full") / "data"
    models = data_dir / "models"
    # What is new is hashed first: the copies are known as such before the large one was read.
    sparse(models / FORGOTTEN, 9_000_000_000, modified_at=time.time() - 90 * DAY_S)
    for name in COPIES:
        sparse(models / name, 1_200_000_000)
    async with running_product(data_dir, arguments=("--demo", "--port", "0")) as running:
        async with running.client() as http:
            for preset in ("REAL_ESRGAN_X4",):
                assert (await http.post(f"/api/v1/presets/{preset}/install")).status_code == 200
            [file] = (await http.get("/api/v1/presets/SD15_BASE")).json()["files"]
            answer = await http.post("/api/v1/downloads", json={"url": file["url"], "path": OWN})
            assert answer.status_code == 201, answer.text
        yield running


def _row(page: Page, path: str) -> Locator:
    return page.locator(f".file-row[data-file='{path}']")


async def _mark(page: Page, path: str) -> None:
    await _row(page, path).get_by_role("checkbox").check()


async def test_ten_gigabytes_are_freed_safely_and_one_deletion_is_taken_back(visitor: Visitor) -> None:
    page, models = visitor.page, visitor.product.data_dir / "models"
    await visitor.sign_in()
    await page.goto(f"{visitor.product.url}/models?tab=files")
    await expect(_row(page, OWN)).to_contain_text("verified", timeout=FETCHED_MS)
    await expect(_row(page, UPSCALER)).to_contain_text("2 need it", timeout=FETCHED_MS)
    before = hashlib.sha256((models / OWN).read_bytes()).hexdigest()

    # The dashboard says what could go: copies first, of which one stays.
    storage = visitor.section("Storage")
    await expect(storage).to_contain_text("1 stored more than once", timeout=SURVEYED_MS)
    await expect(storage).to_contain_text("Models 11.4 GB")
    await storage.get_by_role("button", name="Show duplicate files").click()
    await expect(page.locator(".file-row")).to_have_count(2)
    await page.get_by_role("button", name=re.compile("^Mark the spare copy")).click()
    await expect(_row(page, COPIES[0]).get_by_role("checkbox")).not_to_be_checked()
    await expect(_row(page, COPIES[1]).get_by_role("checkbox")).to_be_checked()

    # Then what nothing needs; and, by mistake, something that is needed.
    await storage.get_by_role("button", name="Show unused files").click()
    await expect(_row(page, UPSCALER)).to_have_count(0)
    for path in (FORGOTTEN, OWN):
        await _mark(page, path)
    await page.get_by_role("button", name="Clear all").click()
    await _mark(page, UPSCALER)
    await expect(page.get_by_text("4 marked · 10.2 GB")).to_be_visible()
    await page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog", name="Delete 4 files?")
    await expect(dialog.get_by_role("alert")).to_contain_text("One of them is needed. Without it this stops working:")
    await expect(dialog.get_by_role("link", name="Real-ESRGAN x4plus")).to_have_attribute(
        "href", "/models?preset=REAL_ESRGAN_X4"
    )
    await expect(dialog.get_by_role("link", name=re.compile("upscale-x4"))).to_be_visible()
    await expect(dialog.locator(".doomed li").filter(has_text=FORGOTTEN)).to_contain_text("Cannot be brought back")
    await expect(dialog).to_contain_text("The others free up to 10.2 GB. 1 of them cannot be brought back")
    await dialog.get_by_role("button", name="Delete only the other 3").click()

    # The needed one stays, the rest is gone at once, and the figures say so.
    toast = page.locator(".toast").filter(has_text="3 files deleted")
    await expect(toast).to_contain_text("10.2 GB freed.")
    await expect(storage).to_contain_text("Models 1.2 GB", timeout=15_000)
    await expect(storage).to_contain_text("everything is stored once", timeout=15_000)
    kept = (models / UPSCALER, models / COPIES[0])
    gone = tuple(models / name for name in (FORGOTTEN, OWN, COPIES[1]))
    assert [path.exists() for path in (*kept, *gone)] == [True] * len(kept) + [False] * len(gone)

    # One was needed after all: the same bytes come back, verified.
    await page.get_by_text("Recently deleted (3)").click()
    await expect(page.locator(".deleted li").filter(has_text="forgotten_14B")).to_contain_text("Cannot be restored")
    await toast.get_by_role("button", name="Undo 1 of 3").click()
    await expect(_row(page, OWN)).to_contain_text("verified", timeout=FETCHED_MS)
    assert hashlib.sha256((models / OWN).read_bytes()).hexdigest() == before
    await expect(page.get_by_text("Recently deleted (2)")).to_be_visible()
