"""Bytes of a presets.yaml to validated presets, pure; every oddity becomes a warning that a person sees.

The layout of one file: `metadata` (version, last_updated), `categories` (name to description and type) and `presets`
(id to name, category, type, description, download_size, files, use_case, tags). A file has path, url, size, and
optionally size_bytes, sha256, optional. The layout of one file per preset is told in `registry_layout`; each preset's
mapping goes through `preset.read_preset`, whatever file it stands in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from modeldeck_events.presets import Category, PresetDefinition, PresetWarning

from catalog import capped_yaml, documents, preset, registry_layout, sharing
from catalog.capped_yaml import Node
from catalog.fields import Fields, warning
from catalog.preset import Entry
from catalog.registry_layout import Entries

MAX_PRESET_BYTES = 512 * 1024
"""One preset travels in one message; NATS takes 1 MiB by default."""
MAX_CATEGORIES = 100
MAX_CATEGORY_CHARS = 500
MAX_CATALOG_WARNINGS = 100
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ROUTE_WORDS = frozenset(("categories", "queue", "refresh"))


class InvalidCatalogError(documents.InvalidDocumentError):
    """The bytes are no catalog: it must never replace one that is. Its code is `invalid_catalog`."""

    code = "invalid_catalog"


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a presets.yaml says. `version` is never empty: without one it is derived from the content."""

    version: str
    presets: tuple[PresetDefinition, ...]
    categories: tuple[Category, ...] = ()
    last_updated: datetime | None = None
    warnings: tuple[PresetWarning, ...] = ()


def parse_catalog(data: bytes) -> Catalog:
    """Return the catalog in `data`; raises InvalidCatalogError when there is not one usable preset in it."""
    try:
        found = registry_layout.entries(data)
    except documents.InvalidDocumentError as error:
        raise InvalidCatalogError(str(error)) from error
    entries = found or _one_file(data)
    warnings = entries.warnings
    presets, refused = _read_presets(entries.items, _category_types(entries.categories))
    warnings += refused
    if not presets:
        raise InvalidCatalogError(f"none of the {entries.count} presets can be used; the first: {refused[0].message}")
    presets = _within_message_size(sharing.warn(presets), warnings)
    categories = _categories(entries.categories, presets, warnings)
    version, last_updated = _metadata(entries, warnings)
    return Catalog(version, tuple(presets), categories, last_updated, _capped(warnings))


def _one_file(data: bytes) -> Entries:
    """Return what a catalog in one file holds."""
    try:
        document = documents.read(data)
    except capped_yaml.YamlRefusedError as error:
        raise InvalidCatalogError(f"not a usable YAML file: {error}") from error
    root = document.root
    if not isinstance(root, dict):
        raise InvalidCatalogError("the file is empty or no mapping; `presets:` is expected at its top")
    found = root.get("presets")
    if not isinstance(found, dict) or not found:
        raise InvalidCatalogError("`presets` is missing, empty or no mapping from preset id to preset")
    doubled, warnings = _split_duplicates(document.duplicates)
    return Entries(
        count=len(found),
        items=(Entry(preset_id, node, doubled.get(preset_id, ())) for preset_id, node in found.items()),
        categories=root.get("categories"),
        metadata=root.get("metadata"),
        digest=hashlib.sha256(data).hexdigest(),
        warnings=warnings,
    )


def _split_duplicates(paths: tuple[capped_yaml.Path, ...]) -> tuple[dict[str, list[str]], list[PresetWarning]]:
    """Return the doubled keys inside each preset, and warnings about those elsewhere."""
    inside: dict[str, list[str]] = {}
    warnings = []
    for path in paths:
        if len(path) > 2 and path[0] == "presets":
            inside.setdefault(path[1], []).append(".".join(path[2:])[:200])
        else:
            name = ascii(".".join(path)[:200])
            warnings.append(warning("duplicate_key", f"{name} is in the file more than once; the last one counts"))
    return inside, warnings


def _read_presets(
    entries: Iterable[Entry], types: dict[str, str]
) -> tuple[list[PresetDefinition], list[PresetWarning]]:
    presets, refused = [], []
    for entry in entries:
        try:
            _check_id(entry.preset_id)
            presets.append(preset.read_preset(entry, types=types))
        except preset.PresetRefusedError as error:
            name = ascii(entry.preset_id if len(entry.preset_id) <= 80 else entry.preset_id[:77] + "...")
            refused.append(warning("invalid_preset", f"the preset {name} is left out: {error}"))
    return presets, refused


def _check_id(preset_id: str) -> None:
    """Ids stand in URLs and subjects, so only plain ones are taken, and none that is a word of a route."""
    if not _ID.fullmatch(preset_id) or not preset_id.strip("."):
        raise preset.PresetRefusedError("an id has 1 to 128 letters, digits, dots, - or _")
    if preset_id in _ROUTE_WORDS:
        raise preset.PresetRefusedError("this id is a word of the HTTP interface; choose another")


def _within_message_size(presets: list[PresetDefinition], warnings: list[PresetWarning]) -> list[PresetDefinition]:
    kept = []
    for item in presets:
        size = len(msgspec.json.encode(item))
        if size <= MAX_PRESET_BYTES:
            kept.append(item)
        else:
            warnings.append(warning("invalid_preset", f"the preset {item.id} is left out: it is {size} bytes large"))
    return kept


def _category_types(categories: Node) -> dict[str, str]:
    if not isinstance(categories, dict):
        return {}
    types = {name: entry.get("type") for name, entry in categories.items() if isinstance(entry, dict)}
    return {name: value for name, value in types.items() if isinstance(value, str)}


def _categories(stated: Node, presets: list[PresetDefinition], warnings: list[PresetWarning]) -> tuple[Category, ...]:
    found: dict[str, Category] = {}
    if stated is not None and not isinstance(stated, dict):
        warnings.append(warning("invalid_field", "`categories` is no mapping from name to category; it is not used"))
    for name, entry in stated.items() if isinstance(stated, dict) else ():
        fields = Fields(f"the category {name[:80]!a}", entry if isinstance(entry, dict) else {})
        if entry is not None and not isinstance(entry, dict):
            fields.warn("invalid_field", "it is no mapping; only its name is used")
        short = name[: preset.MAX_NAME_CHARS]
        found[short] = Category(
            name=short,
            description=fields.text("description", max_chars=MAX_CATEGORY_CHARS),
            type=fields.text("type", max_chars=preset.MAX_NAME_CHARS),
        )
        warnings.extend(fields.warnings)
    for item in presets:
        found.setdefault(item.category, Category(name=item.category, type=item.type))
    if len(found) > MAX_CATEGORIES:
        warnings.append(
            warning("invalid_field", f"only the first {MAX_CATEGORIES} of {len(found)} categories are kept")
        )
    return tuple(found.values())[:MAX_CATEGORIES]


def _metadata(entries: Entries, warnings: list[PresetWarning]) -> tuple[str, datetime | None]:
    """Return version and date; warns of what does not fit."""
    node = entries.metadata
    fields = Fields("metadata", node if isinstance(node, dict) else {})
    if node is not None and not isinstance(node, dict):
        fields.warn("invalid_field", "it is no mapping and not used")
    version = fields.text("version", max_chars=preset.MAX_NAME_CHARS)
    last_updated = fields.time("last_updated")
    total = fields.text("total_presets", max_chars=20)
    if total and total != str(entries.count):
        fields.warn("count_mismatch", f"total_presets says {total!a}, the catalog holds {entries.count}")
    warnings.extend(fields.warnings)
    return version or f"sha256-{entries.digest[:12]}", last_updated


def _capped(warnings: list[PresetWarning]) -> tuple[PresetWarning, ...]:
    if len(warnings) <= MAX_CATALOG_WARNINGS:
        return tuple(warnings)
    rest = len(warnings) - MAX_CATALOG_WARNINGS
    more = warning("more_warnings", f"and {rest} more oddities of the catalog file itself")
    return (*warnings[:MAX_CATALOG_WARNINGS], more)
