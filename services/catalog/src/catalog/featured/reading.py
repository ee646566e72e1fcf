"""Bytes of a featured list to its models, pure; every oddity becomes a warning that a person sees.

The list is YAML or JSON: a list of models, or a mapping with one under `models`, `featured_models` or `featured` (a
list, or a mapping from id to model), and its date as `last_updated`, `updated_at` or `updated`, there or under
`metadata`.

A model has `repo` (org/name), and as far as known: `id` (else the repo), `name` or `title`, `description`, `tags`,
`size_category`, `filename` or `recommended_variant` (a name, or `filename` with `size` or `size_bytes`),
`published_at`, `links` (name to URL), and `metadata` with `downloads`, `downloads_24h`, `likes`, `stars`, `model_type`,
`family`, `tags`. What stands in `metadata` may stand beside it as well. Both shapes of R-165 and R-166 are read, and
nothing is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from modeldeck_events.paths import ModelPathError, check_model_path
from modeldeck_events.repositories import FeaturedModel

from catalog import documents, links, sizes
from catalog.capped_yaml import Node, YamlRefusedError
from catalog.fields import Fields

MAX_MODELS = 500
MAX_LIST_BYTES = 512 * 1024
"""The list travels in one message; NATS takes 1 MiB by default."""
MAX_WARNINGS = 100
MAX_DESCRIPTION_CHARS = 2000
_NAME_CHARS = 200
_MAX_LINKS = 10
_MAX_COUNT = 10**12
_LISTS = ("models", "featured_models", "featured")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w][\w.-]{0,95}", re.ASCII)


class InvalidFeaturedError(documents.InvalidDocumentError):
    """The bytes are no featured list: they must never replace one that is."""

    code = "invalid_featured"


class _ModelRefusedError(ValueError):
    """One model cannot be shown; the rest of the list stays."""


@dataclass(frozen=True, slots=True)
class FeaturedList:
    """What a featured list says."""

    models: tuple[FeaturedModel, ...]
    last_updated: datetime | None = None
    warnings: tuple[str, ...] = ()


def parse_featured(data: bytes) -> FeaturedList:
    """Return the list in `data`; raises InvalidFeaturedError when there is not one usable model in it."""
    try:
        document = documents.read(data)
    except YamlRefusedError as error:
        raise InvalidFeaturedError(f"neither usable YAML nor JSON: {error}") from error
    entries = _entries(document.root)
    doubled = (ascii(".".join(path)[:200]) for path in document.duplicates)
    warnings = [f"{name} is there more than once; the last one counts" for name in doubled]
    models: dict[str, FeaturedModel] = {}
    refused: list[str] = []
    for number, (key, entry) in enumerate(entries[:MAX_MODELS], start=1):
        try:
            model, remarks = _read_model(key, entry)
        except _ModelRefusedError as error:
            refused.append(f"the model {number} is left out: {error}")
            continue
        if model.id in models:
            refused.append(f"the model {number} is left out: its id {model.id!a} is there twice; the first one counts")
            continue
        models[model.id] = model
        warnings += remarks
    if not models:
        raise InvalidFeaturedError(f"none of the {len(entries)} models can be used; the first: {refused[0]}")
    if len(entries) > MAX_MODELS:
        refused.append(f"only the first {MAX_MODELS} of {len(entries)} models are taken")
    kept = _within_message_size(list(models.values()), refused)
    return FeaturedList(tuple(kept), _last_updated(document.root, warnings), _capped([*refused, *warnings]))


def _entries(root: Node) -> list[tuple[str, Node]]:
    """Return the models with the ids that they have as keys."""
    found = next((root[name] for name in _LISTS if name in root), None) if isinstance(root, dict) else root
    entries = list(found.items()) if isinstance(found, dict) else [("", item) for item in found or ()]
    if not isinstance(found, list | dict) or not entries:
        raise InvalidFeaturedError("it holds no models; a list is expected under `models`")
    return entries


def _read_model(key: str, entry: Node) -> tuple[FeaturedModel, list[str]]:
    if not isinstance(entry, dict):
        raise _ModelRefusedError("it is no mapping")
    metadata = entry.get("metadata")
    fields = Fields("", (metadata if isinstance(metadata, dict) else {}) | entry)
    repo = fields.text("repo", max_chars=_NAME_CHARS)
    if not _REPO.fullmatch(repo):
        raise _ModelRefusedError(f"its repo {repo!a} is not ORG/NAME")
    filename, size_bytes = _variant(fields)
    model = FeaturedModel(
        id=fields.text("id", max_chars=_NAME_CHARS) or key[:_NAME_CHARS] or repo,
        name=_first_text(fields, "name", "title") or repo.partition("/")[2],
        repo=repo,
        filename=filename,
        size_bytes=size_bytes,
        description=fields.text("description", max_chars=MAX_DESCRIPTION_CHARS),
        tags=fields.texts("tags", max_items=30, max_chars=60),
        downloads=_count(fields, "downloads"),
        downloads_24h=_count(fields, "downloads_24h"),
        likes=_count(fields, "likes"),
        stars=_count(fields, "stars"),
        size_category=fields.text("size_category", max_chars=40) or None,
        model_type=fields.text("model_type", max_chars=60) or None,
        family=fields.text("family", max_chars=60) or None,
        links=dict(_links(fields)),
        published_at=fields.time("published_at"),
    )
    return model, [f"{model.id[:80]}: {warning.message}" for warning in fields.warnings]


def _first_text(fields: Fields, *names: str) -> str:
    return next((text for name in names if (text := fields.text(name, max_chars=_NAME_CHARS))), "")


def _variant(fields: Fields) -> tuple[str, int | None]:
    """Return the recommended file's name and size."""
    stated = fields.get("recommended_variant")
    if isinstance(stated, str):
        stated = {"filename": stated}
    variant = Fields("recommended_variant", stated if isinstance(stated, dict) else {})
    name = fields.text("filename", max_chars=1000) or variant.text("filename", max_chars=1000)
    size = next((size for each in (variant, fields) if (size := _size(each)) is not None), None)
    fields.warnings.extend(variant.warnings)
    if stated is not None and not isinstance(stated, dict):
        fields.warn("invalid_field", "`recommended_variant` is neither text nor a mapping and not used")
    try:
        return check_model_path(name) if name else "", size
    except ModelPathError as error:
        fields.warn("invalid_field", f"its file is not used: {error}")
        return "", None


def _size(fields: Fields) -> int | None:
    text = fields.text("size_bytes", max_chars=40) or fields.text("size", max_chars=sizes.MAX_TEXT_CHARS)
    size = sizes.parse(text) if text else None
    if text and size is None:
        fields.warn("size_format", f"the size {text[:80]!a} is not understood")
    return size.size_bytes if size is not None else None


def _count(fields: Fields, name: str) -> int | None:
    text = fields.text(name, max_chars=20)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_COUNT:
        fields.warn("invalid_field", f"`{name}` {text!a} is no count and not used")
        return None
    return int(text)


def _links(fields: Fields) -> Iterator[tuple[str, str]]:
    stated = fields.get("links")
    if stated is not None and not isinstance(stated, dict):
        fields.warn("invalid_field", "`links` is no mapping from name to URL and not used")
    pairs: Mapping[str, Node] = stated if isinstance(stated, dict) else {}
    for name, url in list(pairs.items())[:_MAX_LINKS]:
        if url is None:
            continue
        try:
            yield name[:40], links.check_url(url if isinstance(url, str) else "")
        except links.UrlError as error:
            fields.warn("invalid_field", f"the link {name[:40]!a} is not used: {error}")
    if len(pairs) > _MAX_LINKS:
        fields.warn("invalid_field", f"only the first {_MAX_LINKS} links are taken")


def _within_message_size(models: list[FeaturedModel], refused: list[str]) -> list[FeaturedModel]:
    room = MAX_LIST_BYTES
    kept: list[FeaturedModel] = []
    for model in models:
        room -= len(msgspec.json.encode(model))
        if room < 0:
            refused.append(
                f"{len(models) - len(kept)} models are left out: the list is larger than {MAX_LIST_BYTES} bytes"
            )
            break
        kept.append(model)
    return kept


def _last_updated(root: Node, warnings: list[str]) -> datetime | None:
    top = root if isinstance(root, dict) else {}
    metadata = top.get("metadata")
    fields = Fields("", (metadata if isinstance(metadata, dict) else {}) | top)
    found = fields.time("last_updated", "updated_at", "updated")
    warnings += [warning.message for warning in fields.warnings]
    return found


def _capped(warnings: list[str]) -> tuple[str, ...]:
    if len(warnings) <= MAX_WARNINGS:
        return tuple(warnings)
    return (*warnings[:MAX_WARNINGS], f"and {len(warnings) - MAX_WARNINGS} more oddities of the featured list")
