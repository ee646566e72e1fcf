"""A small catalog of our own with every trap that real ones hold, and ways to write others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from modeldeck_events.presets import PresetDefinition

SHA = "ab" * 32

TRAPS = f"""
metadata:
  version: 2.1.0
  last_updated: '2026-05-01T10:00:00'
  total_presets: 99
categories:
  Video Generation: {{description: Moving pictures, type: video}}
presets:
  SHARES_A:
    name: Shares with B
    category: Video Generation
    type: video
    description: first
    download_size: 5.0GB
    files:
    - {{path: vae/shared.safetensors,
       url: 'https://h.example/o/n/resolve/main/shared.safetensors', sha256: {SHA}, size: 1GB}}
    - {{path: checkpoints/a.safetensors,
       url: 'https://h.example/o/a/resolve/main/a.safetensors', size: 4.0GB, sha256: {SHA}}}
    tags: [one, two]
  SHARES_B:
    name: Shares with A
    category: Video Generation
    files:
    - {{path: vae/shared.safetensors, url: 'https://h.example/o/n/blob/main/shared.safetensors', size: 1GB}}
  CLAIMS_X:
    name: Claims a path
    category: Still pictures
    type: image
    files:
    - {{path: text_encoders/clip.safetensors,
       url: 'https://h.example/o/x/resolve/main/clip.safetensors', size: 246MB}}
  CLAIMS_Y:
    name: Claims it too
    category: Still pictures
    files:
    - {{path: text_encoders/clip.safetensors,
       url: 'https://h.example/o/y/resolve/main/clip.safetensors?x=1', size: 246MB}}
  ODD_SIZES:
    name: Odd sizes
    category: Still pictures
    download_size: ~15GB
    files:
    - {{path: checkpoints/odd.gguf, url: 'https://h.example/o/odd.gguf', size: 9.31GB (9536MB), optional: true}}
    - {{path: checkpoints/exact.gguf, url: 'https://h.example/o/exact.gguf', size_bytes: 1234567}}
    - {{path: checkpoints/unclear.gguf, url: 'https://h.example/o/unclear.gguf', size: some}}
  WRONG_TOTAL:
    name: Wrong total
    category: Still pictures
    download_size: 10GB
    files:
    - {{path: loras/l.safetensors, url: 'https://h.example/o/l.safetensors', size: 12GB}}
  HALF_BAD:
    name: Half bad
    category: Still pictures
    files:
    - {{path: ../../etc/passwd, url: 'https://h.example/o/p', size: 1GB}}
    - {{path: loras/ok.safetensors, url: 'https://h.example/o/ok.safetensors', size: 1GB}}
    - {{path: loras/ftp.safetensors, url: 'ftp://hub.example/o/ftp.safetensors', size: 1GB}}
    - {{path: loras/hash.safetensors, url: 'https://h.example/o/h.safetensors', sha256: xyz}}
    - not a mapping
    - {{path: loras/ok.safetensors, url: 'https://h.example/other.safetensors'}}
    - {{path: loras/ok.safetensors/inner.bin, url: 'https://h.example/inner.bin'}}
  ALL_BAD:
    name: All bad
    files:
    - {{path: /abs/olute, url: 'https://h.example/o/p'}}
  'odd/id': {{name: x, files: [{{path: a.bin, url: 'https://h.example/a.bin'}}]}}
  categories: {{name: x, files: [{{path: a.bin, url: 'https://h.example/a.bin'}}]}}
  NO_FILES: {{name: x, files: []}}
  NO_MAPPING: 42
  HALF_BAD_FIELDS:
    name: [not, text]
    name: {{doubled: true}}
    category: Still pictures
    tags: nope
    files:
    - {{path: a.bin, url: 'https://h.example/a.bin', optional: perhaps}}
"""


def one_preset(preset_id: str = "ONE", **fields: str) -> bytes:
    """Return a catalog of a single preset with one file; `fields` are those of the preset or of its file."""
    url = fields.get("url", "https://h.example/o/n/resolve/main/f.safetensors")
    return (
        f"metadata: {{version: '{fields.get('version', '1.0')}'}}\n"
        f"presets:\n  {preset_id}:\n    name: {fields.get('name', 'One')}\n"
        f"    category: {fields.get('category', 'Images')}\n"
        f"    files:\n    - {{path: {fields.get('path', 'checkpoints/f.safetensors')}, url: '{url}', size: 1GB}}\n"
    ).encode()


def codes(preset: PresetDefinition) -> list[str]:
    """Return the codes of a preset's warnings."""
    return [warning.code for warning in preset.warnings]


async def until(true: Callable[[], bool], timeout_s: float = 10) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110 - it is about state that announces nothing
            await asyncio.sleep(0.005)
