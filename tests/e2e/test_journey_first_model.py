"""A person's journey: from the link that `modeldeck up` printed to the first installed model, on a fresh product."""

import re

import pytest
from playwright.async_api import expect

from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

NAME = "Stable Diffusion XL 1.0"
FILE = "sd_xl_base_1.0.safetensors"
SIZE_BYTES = 69_400_000
INSTALL_MS = 60_000


async def test_from_the_first_start_to_the_first_installed_model(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.sign_in()
    assert "token" not in page.url
    await page.get_by_role("navigation").get_by_role("link", name="Models").click()
    welcome = page.get_by_role("region", name="Welcome")
    await expect(welcome).to_contain_text("Welcome to your models")
    await welcome.get_by_role("button", name="Dismiss").click()
    await expect(welcome).to_have_count(0)
    await expect(visitor.section("Storage")).to_contain_text("in 0 files")

    # Find it, and see what it would take before anything is fetched.
    await page.get_by_role("searchbox", name="Search presets").fill("diffusion xl")
    await expect(page.locator("[data-preset]")).to_have_count(1)
    card = visitor.card(NAME)
    await expect(card).to_contain_text("Available")
    await card.get_by_role("button", name=f"Details of {NAME}").click()
    drawer = page.get_by_role("dialog", name=NAME)
    await expect(drawer).to_contain_text(f"checkpoints/{FILE}")
    await expect(drawer).to_contain_text(re.compile(r"69\.4 MB\s*needed of [\d.]+ [GT]B free"))
    await expect(drawer).to_contain_text("Fits")
    await page.keyboard.press("Escape")

    # Install it: the card, the toast and the queue say how it goes.
    await card.get_by_role("button", name=f"Install {NAME}").click()
    toast = page.locator(".toast").filter(has_text="Added to the download queue.")
    await toast.get_by_role("button", name="Show queue").click()
    queue = page.get_by_role("dialog", name="Active downloads")
    running = queue.get_by_role("progressbar", name=f"Progress of {NAME}")
    await expect(running).to_have_attribute("aria-valuenow", re.compile("[1-9]"), timeout=INSTALL_MS)
    await expect(queue.get_by_role("heading", name="Completed (1)")).to_be_visible(timeout=INSTALL_MS)
    await page.keyboard.press("Escape")
    await expect(queue).to_have_count(0)
    await expect(page.locator(".toast").filter(has_text=NAME).filter(has_text="checked")).to_be_visible()
    await expect(card).to_contain_text("Installed")

    # It is there: in the storage, in the files with what was checked, and in the log.
    await expect(visitor.section("Storage")).to_contain_text("in 1 file", timeout=15_000)
    await page.get_by_role("tab", name="Files").click()
    row = page.locator(f".file-row[data-file$='{FILE}']")
    await expect(row).to_contain_text("verified", timeout=15_000)
    await expect(row).to_contain_text("need it")  # its preset, and a workflow of the demo
    await row.get_by_role("button", name=f"Details of {FILE}").click()
    details = page.get_by_role("dialog", name=FILE)
    await expect(details.get_by_role("link", name=NAME)).to_be_visible()
    await expect(details).to_contain_text("Its SHA-256 is the one that its source stated.")
    await page.keyboard.press("Escape")
    assert (visitor.product.data_dir / "models" / "checkpoints" / FILE).stat().st_size == SIZE_BYTES
    await page.get_by_role("navigation").get_by_role("link", name="Activity").click()
    entry = page.get_by_role("listitem").filter(has_text=NAME).filter(has_text="Completed")
    await expect(entry.first).to_contain_text("69.4 MB on the disk, checked")
