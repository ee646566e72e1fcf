"""The catalog's newer layout, pure: a `registry.json` that names one YAML file per preset beside it.

A registry is JSON (or YAML): a list of presets, or a mapping that has them under `presets`, `registry`, `entries` or
`items`, as a list or as a mapping from id to preset. A preset there is the name of its file, or a mapping that states
the name as `path`, `file`, `filename` or `url`, and its id as `id`, `preset_id` or `slug` (else the key counts, else
the file's name, of a `preset.yaml` its folder's). What makes it a registry is that at least one preset names a `.yaml`,
`.yml` or `.json` file and none holds its `files` itself: the registry's own name does not matter.

Names are relative to the registry's folder and stay below it; another host or an absolute path is refused. A preset's
file is its mapping, or has it under `preset`; what it does not state of name, category, type, description, sizes, tags,
version and licence is taken from the registry. Version and date stand at the top of the registry or under `metadata`,
as `version` and `last_updated`, `updated_at`, `updated` or `generated_at`; the count as `total_presets` or
`stats.total`; `categories` are as in the other layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from modeldeck_events import paths
from modeldeck_events.presets import PresetWarning

from catalog import documents
from catalog.bundle import Bundle, Member, unpack
from catalog.capped_yaml import Node, YamlRefusedError
from catalog.fields import warning
from catalog.preset import Entry

MAX_FILES = 1000
_LISTS = ("presets", "registry", "entries", "items")
_REFERENCES = ("path", "file", "filename", "url")
_IDS = ("id", "preset_id", "slug")
_DATES = ("last_updated", "updated_at", "updated", "generated_at")
_INHERITED = ("name", "category", "type", "description", "download_size", "use_case", "tags", "version", "license")
_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(slots=True)
class Entries:
    """What a catalog holds, in either layout; `items` is read once. `digest` names the content."""

    count: int
    items: Iterator[Entry]
    categories: Node
    metadata: Node
    digest: str
    warnings: list[PresetWarning] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Listed:
    """One preset as the registry lists it."""

    preset_id: str
    fields: Mapping[str, Node]
    file: str = ""
    refused: str = ""


def members(data: bytes) -> tuple[str, ...] | None:
    """Return which files beside it a registry names, None when `data` is none; the caller fetches what is returned."""
    try:
        listed = _listed(documents.read(data).root)
    except YamlRefusedError:
        return None
    if listed is None or len(listed) > MAX_FILES:
        return None if listed is None else ()
    return tuple(dict.fromkeys(item.file for item in listed if item.file))


def entries(data: bytes) -> Entries | None:
    """Return what the registry in `data` and its files hold, None when it is none.

    `data` is a bundle; a registry alone is one whose files were not fetched. Raises InvalidDocumentError.
    """
    bundle = unpack(data)
    try:
        document = documents.read(bundle.root.encode() if bundle is not None else data)
    except YamlRefusedError as error:
        if bundle is None:
            return None  # the other layout says it better
        raise documents.InvalidDocumentError(f"not a usable registry: {error}") from error
    listed = _listed(document.root)
    if listed is None:
        return None
    if len(listed) > MAX_FILES:
        raise documents.InvalidDocumentError(f"it names {len(listed)} presets; at most {MAX_FILES} are taken")
    root = document.root if isinstance(document.root, dict) else {}
    warnings = [
        warning("duplicate_key", f"{'.'.join(path)[:200]!a} is in the registry more than once; the last one counts")
        for path in document.duplicates
    ]
    return Entries(
        count=len(listed),
        items=_entries(listed, bundle or Bundle("")),
        categories=root.get("categories"),
        metadata=_metadata(root),
        digest=hashlib.sha256(data).hexdigest(),
        warnings=warnings,
    )


def _listed(root: Node) -> list[_Listed] | None:
    """Return the presets that a registry lists, None when it is no registry."""
    named = next((root[name] for name in _LISTS if root.get(name)), None) if isinstance(root, dict) else root
    if isinstance(named, dict):
        pairs = list(named.items())
    elif isinstance(named, list):
        pairs = [("", item) for item in named]
    else:
        return None
    inline = any(isinstance(item, dict) and isinstance(item.get("files"), list) for _, item in pairs)
    if inline or not any(_reference(item).endswith(_ENDINGS) for _, item in pairs):
        return None
    return [_list(key, item) for key, item in pairs]


def _reference(item: Node) -> str:
    """Return the name of the file that an entry states, "" when it states none."""
    found = _first(item, _REFERENCES) if isinstance(item, dict) else item
    return found.strip().removeprefix("./") if isinstance(found, str) else ""


def _list(key: str, item: Node) -> _Listed:
    fields = item if isinstance(item, dict) else {}
    file = _reference(item)
    preset_id = key or _first(fields, _IDS) or _id_of(file)
    if not file:
        return _Listed(preset_id, fields, refused=f"the registry names no file for it ({', '.join(_REFERENCES)})")
    if not file.endswith(_ENDINGS):
        return _Listed(preset_id, fields, refused=f"its file {file[:80]!a} is neither YAML nor JSON")
    try:
        return _Listed(preset_id, fields, paths.check_model_path(file))
    except paths.ModelPathError as error:
        return _Listed(preset_id, fields, refused=f"its file must lie beside the registry: {error}")


def _first(node: Mapping[str, Node], names: Sequence[str]) -> str:
    values = (node.get(name) for name in names)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), "")


def _id_of(file: str) -> str:
    path = PurePosixPath(file)
    return path.parent.name if path.stem in ("preset", "index") and path.parent.name else path.stem


def _entries(listed: Sequence[_Listed], bundle: Bundle) -> Iterator[Entry]:
    """Yield one preset after the other, so that never more than one of the files is unfolded."""
    seen = set()
    for item in listed:
        if item.preset_id in seen:
            yield Entry(item.preset_id, refused="the registry lists it twice; the first one counts")
        elif item.refused:
            yield Entry(item.preset_id, refused=item.refused)
        else:
            yield _entry(item, bundle.files.get(item.file) or Member(problem="it was not fetched"))
        seen.add(item.preset_id)


def _entry(item: _Listed, member: Member) -> Entry:
    if member.problem:
        return Entry(item.preset_id, refused=f"its file {item.file!a} cannot be had: {member.problem}")
    try:
        document = documents.read(member.text.encode())
    except YamlRefusedError as error:
        return Entry(item.preset_id, refused=f"its file {item.file!a} is not usable: {error}")
    node, within = document.root, 0
    if isinstance(node, dict) and "files" not in node and isinstance(node.get("preset"), dict):
        node, within = node["preset"], 1
    if not isinstance(node, dict):
        return Entry(item.preset_id, refused=f"its file {item.file!a} is empty or no mapping")
    notes = []
    own = _first(node, _IDS)
    if own not in ("", item.preset_id):
        notes.append(warning("invalid_field", f"{item.file} calls it {own[:80]!a}; the registry's id counts"))
    stated = {name: item.fields[name] for name in _INHERITED if name in item.fields}
    doubled = [".".join(path[within:])[:200] for path in document.duplicates]
    return Entry(item.preset_id, stated | node, doubled, notes)


def _metadata(root: Mapping[str, Node]) -> Node:
    """Return version, date and count as the other layout states them."""
    stated = root.get("metadata")
    inner = stated if isinstance(stated, dict) else {}
    stats = root.get("stats")
    total = _first(inner, ("total_presets",)) or _first(root, ("total_presets",))
    if not total and isinstance(stats, dict):
        total = _first(stats, ("total",))
    found = {
        "version": _first(inner, ("version",)) or _first(root, ("version",)),
        "last_updated": _first(inner, _DATES) or _first(root, _DATES),
        "total_presets": total,
    }
    return {name: value for name, value in found.items() if value}
