"""The demo's catalog: the product's starter catalog with every size divided by a hundred."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from modeldeck_events.settings import parse_bytes

SCALE = 100
LEAST_BYTES = 256 * 1024
UNKNOWN_BYTES = 8_000_000
GRAIN_BYTES = 32
"""Sizes are multiples of this, GGUF's alignment."""
NOTICE = "DEMO: generated files, not the real model."
BEHAVIOURS = ("flaky", "slow")
WORTH_WATCHING_BYTES = 10_000_000
"""A smaller preset is over before its server's behaviour shows."""


class DemoError(Exception):
    """The demo cannot be prepared; the message says why."""


@dataclass(frozen=True)
class Shrunk:
    """A catalog for the catalog service, and what the origin has to serve for it."""

    catalog_yaml: str
    manifest_json: str
    hosts: tuple[str, ...]


def shrink_starter_catalog() -> Shrunk:
    """Return the demo's form of the catalog that ships with the product; raises DemoError."""
    starter = importlib.resources.files("catalog") / "data" / "starter.yaml"
    try:
        content = yaml.safe_load(starter.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DemoError(f"The starter catalog cannot be read: {error}") from error
    return shrink(content)


def shrink(content: Any) -> Shrunk:
    """Return the demo's form of a catalog (see `product.md` for its shape); raises DemoError for another shape."""
    try:
        presets = content["presets"]
        manifest: dict[str, dict[str, Any]] = {}
        hosts: dict[str, None] = {}
        for preset in presets.values():
            files = preset["files"]
            for file in files:
                _shrink_file(file, manifest, hosts)
            preset["download_size"] = f"{sum(file['size'] for file in files) / 1e6:.1f}MB"
            preset["description"] = f"{NOTICE} {preset.get('description', '')}".strip()
        for behaviour, preset in zip(BEHAVIOURS, _worth_watching_first(presets), strict=False):
            preset["name"] = f"{preset.get('name', 'Preset')} ({behaviour} server)"
            for file in preset["files"]:
                manifest[_path_of(file["url"])]["behaviour"] = behaviour
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DemoError(f"The starter catalog has an unexpected shape: {error!r}") from error
    return Shrunk(yaml.safe_dump(content, sort_keys=False), json.dumps(manifest, indent=1), tuple(hosts))


def with_files(shrunk: Shrunk, files: Mapping[str, str]) -> Shrunk:
    """Let the origin serve further files, URL to path below the models folder; one that it has stays as it is."""
    manifest, hosts = json.loads(shrunk.manifest_json), dict.fromkeys(shrunk.hosts)
    for url, path in files.items():
        manifest.setdefault(_path_of(url), {"size_bytes": UNKNOWN_BYTES, "name": path})
        hosts[urlsplit(url).hostname or ""] = None
    return Shrunk(shrunk.catalog_yaml, json.dumps(manifest, indent=1), tuple(hosts))


def _shrink_file(file: dict[str, Any], manifest: dict[str, dict[str, Any]], hosts: dict[str, None]) -> None:
    for stated in ("sha256", "size_bytes"):
        file.pop(stated, None)
    path = _path_of(file["url"])
    known = manifest.setdefault(path, {"size_bytes": shrunk_size(file.get("size")), "name": file["path"]})
    file["size"] = known["size_bytes"]
    hosts[urlsplit(file["url"]).hostname or ""] = None


def _path_of(url: str) -> str:
    return unquote(urlsplit(url).path)


def shrunk_size(stated: Any) -> int:
    """Return the demo's size of a file, in whole grains; of one whose size is not known, a middling one."""
    try:
        real = parse_bytes(stated)
    except (TypeError, ValueError):
        real = UNKNOWN_BYTES * SCALE
    return max(real // SCALE, LEAST_BYTES) // GRAIN_BYTES * GRAIN_BYTES


def _worth_watching_first(presets: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    def order(preset: dict[str, Any]) -> tuple[bool, int]:
        size_bytes = sum(int(file["size"]) for file in preset["files"])
        return size_bytes < WORTH_WATCHING_BYTES, size_bytes

    return sorted(presets.values(), key=order)
