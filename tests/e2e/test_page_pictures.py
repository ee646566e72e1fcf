"""Pictures of every page at work and of what opens on them: for the README, and for whoever reviews how it looks.

`make screenshots` takes all of them, light and dark, wide and narrow. A plain run takes one of each and throws it away,
so that whoever changes a page learns here that its picture can no longer be taken.
"""

import asyncio
import json
import os
import random
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, NamedTuple

import httpx
import pytest
from playwright.async_api import Page, ViewportSize, expect

from tests.e2e.model_shelf import content
from tests.e2e.studio_day import publish_day
from tests.e2e.visitor import Visitor
from tests.support.product import Product
from tests.support.workflows import packaged

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

Scheme = Literal["light", "dark"]
Opening = Callable[[Page], Awaitable[None]]
WIDE, NARROW = (1280, 1000), (360, 800)
LOOKS: tuple[tuple[Scheme, tuple[int, int]], ...] = (
    ("light", WIDE),
    ("dark", WIDE),
    ("light", NARROW),
    ("dark", NARROW),
)
INSTALL_MS = 60_000
TEMPLATES = (
    "flux_kontext_dev_basic",
    "flux_schnell",
    "image_anima_base_v1",
    "image_chroma_text_to_image",
    "hunyuan_video_text_to_video",
    "audio_ace_step_1_t2a_song",
    "3d_hunyuan3d-v2.1",
    "basic_image_color_adjustment",
)
LORAS = {"film-grain": 1_700_000, "harbour-mood-v2": 2_400_000, "harbour-mood-v3": 2_400_000, "ink": 850_000}
TOURED = """localStorage.setItem('modeldeck.tour', '{"hasSeenTour":true,"currentStep":-1,"isDismissed":true}')"""


class Scene(NamedTuple):
    """A page, and what is opened on it; `is_kept`: its wide pictures belong into the repository."""

    name: str
    address: str
    open: Opening
    is_kept: bool = False


async def _home(page: Page) -> None:
    await expect(page.get_by_role("progressbar").first).to_be_visible()
    await expect(page.get_by_role("meter").first).to_be_visible()


async def _presets(page: Page) -> None:
    await expect(page.locator("[data-preset='SD15_BASE']")).to_contain_text("Installed")
    await expect(page.locator(".volume-list")).to_be_visible()


async def _repositories(page: Page) -> None:
    await expect(page.locator("[data-repo]").nth(3)).to_be_visible()


async def _files(page: Page) -> None:
    await expect(page.locator(".file-row").filter(has_text="Duplicate").first).to_be_visible(timeout=INSTALL_MS)


async def _workflows(page: Page) -> None:
    await expect(page.locator("[data-template]")).to_have_count(len(TEMPLATES) + 3)


async def _activity(page: Page) -> None:
    await expect(page.locator("#log li").nth(10)).to_be_visible()


async def _settings(page: Page) -> None:
    await expect(page.get_by_role("button", name="Revoke nightly backup")).to_be_visible()
    await expect(page.locator("#about")).to_contain_text("telemetry")


async def _sign_in(page: Page) -> None:
    await page.context.clear_cookies()
    await page.reload()
    await expect(page.get_by_label("Token")).to_be_visible()


async def _preset(page: Page) -> None:
    await expect(page.get_by_role("dialog")).to_contain_text("checkpoints/")


async def _queue(page: Page) -> None:
    await expect(page.get_by_role("dialog", name="Active downloads").get_by_role("progressbar").first).to_be_visible()


async def _download(page: Page) -> None:
    await expect(page.get_by_role("dialog", name="Download a model")).to_contain_text("Fits")


async def _delete(page: Page) -> None:
    await _files(page)
    await page.get_by_role("button", name="Delete v1-5-pruned-emaonly-fp16.safetensors").click()
    await expect(page.get_by_role("dialog")).to_contain_text("This stops working without it")


async def _template(page: Page) -> None:
    await _workflows(page)
    await page.locator("[data-template='workflows/portrait-sdxl.json']").click()
    drawer = page.get_by_role("dialog", name="portrait-sdxl")
    await expect(drawer.get_by_role("button", name=re.compile(r"Install \d files?"))).to_be_visible()


async def _story(page: Page) -> None:
    done = page.get_by_role("listitem").filter(has_text="Stable Diffusion 1.5").filter(has_text="completed")
    await done.get_by_role("button", name=re.compile("Details of")).first.click()
    await done.get_by_role("button", name="Story of this download").first.click()
    await expect(page.locator(".story li").last).to_contain_text("Completed")


async def _look_back(page: Page) -> None:
    await page.get_by_role("button", name="Look back…").click()
    await page.get_by_role("slider").press("PageDown")
    await expect(page.locator(".past .figure").first).to_be_visible()


SCENES = (
    Scene("models", "/models", _presets, is_kept=True),
    Scene("models-repositories", "/models?tab=repositories", _repositories),
    Scene("models-files", "/models?tab=files", _files),
    Scene("workflows", "/workflows", _workflows, is_kept=True),
    Scene("activity", "/activity", _activity, is_kept=True),
    Scene("settings", "/settings", _settings, is_kept=True),
    Scene("home", "/", _home, is_kept=True),
    Scene("preset", "/models?preset=SD15_BASE", _preset),
    Scene("queue", "/models?filter=queue", _queue),
    Scene("download", "/models?download=bartowski/Llama-3.2-3B-Instruct-GGUF", _download),
    Scene("delete", "/models?tab=files", _delete),
    Scene("template", "/workflows", _template),
    Scene("story", "/activity", _story),
    Scene("look-back", "/activity", _look_back),
    Scene("sign-in", "/", _sign_in, is_kept=True),
)


async def test_every_page_at_work_is_fit_to_be_shown(visitor: Visitor, tmp_path: Path) -> None:
    asked = os.environ.get("PICTURES_DIR")
    kept, others = (Path(asked), Path("screenshots")) if asked else (tmp_path, tmp_path)
    for folder in (kept, others):
        folder.mkdir(parents=True, exist_ok=True)
    await _fill(visitor.product)
    await visitor.sign_in()
    await visitor.page.evaluate(TOURED)
    for number, scene in enumerate(SCENES):
        looks = LOOKS if asked else (LOOKS[number % len(LOOKS)],)
        await visitor.page.set_viewport_size(_size(WIDE))
        await visitor.page.goto(visitor.product.url + scene.address)
        await scene.open(visitor.page)
        for scheme, size in looks:
            folder = kept if scene.is_kept and size == WIDE else others
            name = f"{scene.name}{'-dark' if scheme == 'dark' else ''}{'-360' if size == NARROW else ''}.png"
            picture = await _take(visitor.page, folder / name, scheme, size)
            assert len(picture) > 5_000, f"{name} is empty"
    visitor.complaints[:] = [said for said in visitor.complaints if "401" not in said]  # of the page to sign in


async def _installed(http: httpx.AsyncClient, preset: str) -> None:
    async with asyncio.timeout(60):
        while not (await http.get(f"/api/v1/presets/{preset}")).json()["installed"]:  # noqa: ASYNC110  # others do it
            await asyncio.sleep(0.2)


async def _take(page: Page, path: Path, scheme: Scheme, size: tuple[int, int]) -> bytes:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.set_viewport_size(_size(size))
    await expect(page.locator(".toast, .loading")).to_have_count(0, timeout=15_000)
    return await page.screenshot(path=path, scale="css")


def _size(size: tuple[int, int]) -> ViewportSize:
    return {"width": size[0], "height": size[1]}


async def _fill(product: Product) -> None:
    """A day's work, models and templates of all sorts, a preset installed, one on its way, some that wait."""
    models = product.data_dir / "models"
    _write(models / "vae" / "harbour_vae.safetensors", content("harbour_vae.safetensors", 4_000_000))
    _write(models / "vae" / "old" / "harbour_vae_copy.safetensors", content("harbour_vae.safetensors", 4_000_000))
    half = content("night_market.safetensors", 3_000_000)
    _write(models / "checkpoints" / "night_market.safetensors", half[: len(half) // 2])
    for name, size_bytes in LORAS.items():
        _write(models / "loras" / f"{name}.safetensors", _lora(name, size_bytes))
    for name in TEMPLATES:
        _write(product.data_dir / "workflows" / "library" / f"{name}.json", packaged()[f"{name}.json"])
    await publish_day(product)
    async with product.client() as http:
        await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": None, "paused": False})
        for name in ("nightly backup", "render farm"):
            await http.post("/api/v1/user/tokens", json={"name": name, "scopes": ["read"]})
        for preset in ("REAL_ESRGAN_X4", "SD15_BASE"):
            await http.post(f"/api/v1/presets/{preset}/install")
            await _installed(http, preset)
        await http.patch("/api/v1/downloads/settings", json={"bandwidth_limit": "3MB/s"})
        for preset in ("QWEN_IMAGE_FP8", "WAN22_TI2V_5B", "QWEN3_8B_Q4", "LTX_VIDEO_2B"):
            await http.post(f"/api/v1/presets/{preset}/install")


def _lora(name: str, size_bytes: int) -> bytes:
    header = {
        "lora.weight": {"dtype": "U8", "shape": [size_bytes], "data_offsets": [0, size_bytes]},
        "__metadata__": {"ss_base_model_version": "sdxl_base_v1-0"},
    }
    told = json.dumps(header).encode()
    return len(told).to_bytes(8, "little") + told + random.Random(name).randbytes(size_bytes)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
