"""The pictures of the README and of a designer's review: the real page at work, light and dark, wide and narrow.

`make screenshots` keeps them in docs/images; a plain run throws them away, but makes them all the same.
"""

import os
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.studio_day import publish_day
from tests.e2e.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZES = {"": (1280, 1100), "-360": (360, 800)}


async def busy(visitor: Visitor) -> None:
    """One preset installed, one on its way, one waiting, beside a day's work of a studio."""
    await publish_day(visitor.product)
    async with visitor.product.client() as http:
        await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": None, "paused": False})
        await http.post("/api/v1/presets/SD15_BASE/install")
    await visitor.sign_in()
    installed = visitor.page.locator("[data-preset='SD15_BASE']").get_by_text("Installed")
    await expect(installed).to_be_visible(timeout=60_000)
    async with visitor.product.client() as http:
        await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": "4MB/s"})
        for preset in ("SDXL_BASE", "QWEN3_8B_Q4", "LTX_VIDEO_2B"):
            await http.post(f"/api/v1/presets/{preset}/install")
    await expect(visitor.section("Download queue").get_by_role("progressbar").first).to_be_visible(timeout=20_000)
    await expect(visitor.section("Download queue").get_by_text("4.").first).to_be_visible(timeout=20_000)


async def test_the_page_at_work_is_fit_to_be_shown(visitor: Visitor, tmp_path: Path) -> None:
    folder = Path(os.environ.get("PICTURES_DIR") or tmp_path)
    await busy(visitor)
    for scheme in ("light", "dark"):
        await visitor.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for suffix, (width, height) in SIZES.items():
            await visitor.page.set_viewport_size({"width": width, "height": height})
            name = f"page{'' if scheme == 'light' else '-dark'}{suffix}.png"
            picture = await visitor.page.screenshot(path=folder / name, scale="css")
            assert len(picture) > 20_000, "an empty page"
    async with visitor.product.client() as http:
        await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": None})
