"""A studio with thousands of model files, presets of its own, and a stand-in for the hub."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

from modeldeck_local.demo.content import GeneratedFile, header_for

from tests.support.hub import Hub
from tests.support.product import Product, running_product

REPO = "studio/Llama-Small-GGUF"
GATED = "studio/Secret"
SIZES = {"Q4_K_M": 1_500_000, "Q6_K": 2_400_000, "Q8_0": 3_200_000, "F16": 6_000_000}
MANY = 2_000
"""LoRAs that nothing needs."""
FEATURED = f"""\
last_updated: '2026-11-20T00:00:00Z'
models:
- id: llama-small
  name: Llama Small
  repo: {REPO}
  filename: llama-small-Q4_K_M.gguf
  description: A chat model for tests of a page.
  tags: [chat, small, gguf]
  metadata: {{model_type: llm, family: llama}}
  links: {{huggingface: 'https://huggingface.co/{REPO}'}}
- id: portrait
  name: Portrait
  repo: studio/Portrait
  filename: portrait.safetensors
  description: Pictures of people who do not exist.
  tags: [text-to-image]
  metadata: {{model_type: image, family: sdxl}}
  links: {{huggingface: 'https://huggingface.co/studio/Portrait'}}
"""


def variant(method: str) -> str:
    """Return a variant's file name."""
    return f"llama-small-{method}.gguf"


def content(name: str, size_bytes: int) -> bytes:
    """Return a file whose header is true."""
    return GeneratedFile(name, size_bytes).read(0, size_bytes)


def tiny(number: int) -> bytes:
    """Return a whole safetensors file of less than a kilobyte, another for each number."""
    data = struct.pack("<Q", number) * 16
    tensor = {"dtype": "F16", "shape": [len(data) // 2], "data_offsets": [0, len(data)]}
    header = json.dumps({"lora.weight": tensor, "__metadata__": {"ss_base_model_version": "sdxl_base_v1-0"}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def sparse(path: Path, size_bytes: int, *, modified_at: float | None = None) -> None:
    """Write a file with a true header of which nothing else is stored: its size is all that is large."""
    _write(path, header_for(path.name, size_bytes))
    os.truncate(path, size_bytes)
    if modified_at is not None:
        os.utime(path, (modified_at, modified_at))


def stock(models: Path, *, many: int = 0) -> None:
    """Put model files into a folder: one twice, one that is cut off, and so many that nothing needs."""
    for number in range(many):
        _write(models / "loras" / f"style-{number:04d}.safetensors", tiny(number))
    for name in ("vae/studio_vae.safetensors", "vae/old/studio_vae_again.safetensors"):
        _write(models / name, content("studio_vae.safetensors", 400_000))
    whole = content("half.safetensors", 300_000)
    _write(models / "checkpoints" / "half.safetensors", whole[: len(whole) // 2])


@contextlib.asynccontextmanager
async def furnished(folder: Path, *, many: int = 0, bare: bool = False) -> AsyncIterator[tuple[Product, Hub]]:
    """Run the product for the length of a block, with files that are there already unless `bare`, and a hub."""
    async with Hub() as hub:
        _fill(hub)
        if not bare:
            stock(folder / "data" / "models", many=many)
        featured = folder / "featured.yaml"
        featured.write_text(FEATURED)
        presets = folder / "presets.yaml"
        presets.write_text(_presets(hub))
        settings = {
            "HF_ENDPOINT": hub.url,
            "MODELDECK_ALLOWED_HOSTS": f"{hub.host},{hub.cdn}",
            "MODELDECK_PRESETS_URL": str(presets),
            "MODELDECK_FEATURED_URL": str(featured),
            "MODELDECK_RETRY_BASE_S": "1",
        }
        async with running_product(folder / "data", settings=settings) as product:
            yield product, hub


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _fill(hub: Hub) -> None:
    card = {"license": "mit", "tags": ["gguf"], "base_model": "studio/Llama-Small"}
    files = {variant(method): content(variant(method), size) for method, size in SIZES.items()}
    hub.add(REPO, files, likes=1234, downloads=56_789, cardData=card, tags=["gguf", "chat", "license:mit"])
    hub.add("studio/Portrait", {"portrait.safetensors": content("portrait.safetensors", 900_000)}, likes=5)
    hub.add("studio/Video", {"video.safetensors": content("video.safetensors", 9_000_000)})
    hub.add(GATED, {"x.safetensors": content("x.safetensors", 500_000)}, gated="manual", closed=True)


def _presets(hub: Hub) -> str:
    def preset(name: str, category: str, files: dict[str, tuple[str, int]]) -> dict[str, object]:
        listed = [
            {"path": path, "url": f"{hub.url}/{where}", "size": f"{size / 1e6:g}MB"}
            for path, (where, size) in files.items()
        ]
        total = sum(size for _, size in files.values())
        return {
            "name": name,
            "category": category,
            "type": "image",
            "description": f"{name}, for a test.",
            "download_size": f"{total / 1e6:g}MB",
            "files": listed,
            "tags": ["test"],
            "license": "MIT",
        }

    portrait = {"checkpoints/portrait.safetensors": ("studio/Portrait/resolve/main/portrait.safetensors", 900_000)}
    video = {"diffusion_models/video.safetensors": ("studio/Video/resolve/main/video.safetensors", 9_000_000)}
    gone = {"vae/gone.safetensors": ("studio/Gone/resolve/main/gone.safetensors", 1_000_000)}
    return json.dumps(
        {
            "metadata": {"version": "1.0.0", "schema_version": "1.0", "total_presets": 3},
            "categories": {"Image": {"type": "image"}, "Video": {"type": "video"}},
            "presets": {
                "PORTRAIT": preset("Portrait", "Image", portrait),
                "VIDEO": preset("Video", "Video", video),
                "GONE": preset("Gone", "Image", gone),
            },
        }
    )
