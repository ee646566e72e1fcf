"""One mapping of a catalog to one validated preset, pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from modeldeck_events import paths
from modeldeck_events.downloads import FileSpec
from modeldeck_events.presets import PresetDefinition, PresetWarning

from catalog import links, sizes
from catalog.capped_yaml import Node
from catalog.fields import Fields

MAX_NAME_CHARS = 200
MAX_FILES = 1000
MAX_REQUIREMENTS = 30
MISMATCH_SHARE = 0.0125
"""A stated total may be this far from the sum of the files (rounding of one-decimal sizes) before it is remarked."""
MISMATCH_FLOOR_BYTES = 50_000_000
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)


class PresetRefusedError(ValueError):
    """The preset cannot be used at all; the text says why."""


class _FileRefusedError(ValueError):
    """One file cannot be used; the rest of its preset stays."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One preset of a catalog, not looked at yet; `refused` says why there is nothing to look at.

    `doubled` names the keys that its file holds twice, `notes` is what else is odd about its place in the catalog.
    """

    preset_id: str
    node: Node = None
    doubled: Sequence[str] = ()
    notes: Sequence[PresetWarning] = ()
    refused: str = ""


def read_preset(entry: Entry, *, types: Mapping[str, str]) -> PresetDefinition:
    """Return the preset; raises PresetRefusedError when it has no usable file. `types` tells the type of a category."""
    if entry.refused or not isinstance(entry.node, dict):
        raise PresetRefusedError(entry.refused or "it is no mapping")
    fields = Fields("", entry.node)
    fields.warnings.extend(entry.notes)
    for name in entry.doubled:
        fields.warn("duplicate_key", f"{name!a} is there more than once; the last one counts")
    files = _read_files(fields)
    name = fields.text("name", max_chars=MAX_NAME_CHARS)
    if not name:
        fields.warn("invalid_field", "the preset has no name; its id is shown")
    category = fields.text("category", max_chars=MAX_NAME_CHARS) or "Other"
    download_size = fields.text("download_size", max_chars=MAX_NAME_CHARS)
    known = [size for size in map(_size_of, files) if size is not None]
    _compare_total(fields, download_size, sum(known) if len(known) == len(files) else None)
    _say_unverified(fields, files)
    return PresetDefinition(
        id=entry.preset_id,
        name=name or entry.preset_id,
        category=category,
        type=fields.text("type", max_chars=MAX_NAME_CHARS) or types.get(category, "")[:MAX_NAME_CHARS],
        files=tuple(files),
        description=fields.text("description"),
        download_size=download_size,
        size_bytes=sum(known) if known else None,
        use_case=fields.text("use_case"),
        tags=fields.texts("tags", max_items=100, max_chars=100),
        version=fields.text("version", max_chars=MAX_NAME_CHARS) or None,
        license=fields.text("license", max_chars=MAX_NAME_CHARS) or None,
        created_at=fields.time("created_at", "created"),
        updated_at=fields.time("updated_at", "updated", "last_updated"),
        requirements=fields.words("requirements", max_items=MAX_REQUIREMENTS, max_chars=MAX_NAME_CHARS),
        source=_source(fields),
        warnings=tuple(fields.warnings),  # last: what the others had to remark is in it
    )


def _source(fields: Fields) -> str | None:
    """Return who published the preset, in its own words; else the repositories that its files state."""
    stated = fields.get("source")
    if isinstance(stated, str):
        return fields.text("source", max_chars=MAX_NAME_CHARS) or None
    files = fields.get("files")
    origins = [file.get("source") for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    names = [name for origin in (stated, *origins) if isinstance(origin, dict) for name in _names(origin)]
    return ", ".join(dict.fromkeys(names))[:MAX_NAME_CHARS] or None


def _names(origin: Mapping[str, Node]) -> Iterator[str]:
    """Yield the first of the names by which a source can be called."""
    names = (origin.get(key) for key in ("name", "repo", "url"))
    yield from [name.strip() for name in names if isinstance(name, str) and name.strip()][:1]


def _read_files(fields: Fields) -> list[FileSpec]:
    entries = fields.get("files")
    if not isinstance(entries, list) or not entries:
        raise PresetRefusedError("`files` is missing, empty or no list")
    if len(entries) > MAX_FILES:
        raise PresetRefusedError(f"it has {len(entries)} files; at most {MAX_FILES} are taken")
    files: dict[str, FileSpec] = {}
    folders: set[str] = set()
    reason = ""
    for number, entry in enumerate(entries, start=1):
        try:
            spec = _read_file(fields, entry)
            _check_beside(spec, files, folders)
        except (_FileRefusedError, paths.ModelPathError, links.UrlError) as error:
            reason = reason or str(error)
            fields.warn("invalid_file", f"file {number} is left out: {error}")
            continue
        if spec.path in files:
            fields.warn("duplicate_file", f"{spec.path} is listed twice with the same URL")
        files.setdefault(spec.path, spec)
        folders.update(_folders(spec.path))
    if not files:
        raise PresetRefusedError(f"none of its files can be used; the first: {reason}")
    return list(files.values())


def _read_file(preset: Fields, entry: Node) -> FileSpec:
    if not isinstance(entry, dict):
        raise _FileRefusedError("it is no mapping with path and url")
    path = paths.check_model_path(_required(entry, "path"))
    url = links.check_url(_required(entry, "url").strip())
    fields = Fields(path, entry)
    link = links.file_link(url)
    if link is not None:
        fields.warn("page_link", f"the catalog links to a page ({url}); the file itself is fetched from {link}")
    exact, approx = _sizes(fields)
    spec = FileSpec(
        path=path,
        url=link or url,
        kind=path.split("/")[0] if "/" in path else "",
        size_bytes=exact,
        approx_size_bytes=approx,
        sha256=_sha256(fields),
        optional=fields.flag("optional"),
    )
    preset.warnings.extend(fields.warnings)
    return spec


def _required(entry: dict[str, Node], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value.strip():
        raise _FileRefusedError(f"its `{name}` is missing or not text")
    return value


def _check_beside(spec: FileSpec, others: Mapping[str, FileSpec], folders: AbstractSet[str]) -> None:
    """Refuse a file that cannot lie beside the preset's other ones."""
    other = others.get(spec.path)
    if other is not None and other.url != spec.url:
        raise _FileRefusedError(
            f"{spec.path} is named twice, from {other.url} and from {spec.url}; the first one counts"
        )
    both = spec.path if spec.path in folders else next((path for path in _folders(spec.path) if path in others), None)
    if both is not None:
        raise _FileRefusedError(f"{spec.path}: {both} would be a file and a folder at once")


def _folders(path: str) -> Iterator[str]:
    """Yield the folders above `path`, the inner ones first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _sizes(fields: Fields) -> tuple[int | None, int | None]:
    """Return the exact and the approximate size."""
    stated = fields.text("size_bytes", max_chars=40)
    text = fields.text("size", max_chars=sizes.MAX_TEXT_CHARS)
    size = sizes.parse(text) if text else None
    if text and size is None:
        fields.warn("size_format", f"the size {text[:80]!a} is not understood; the size is unknown")
    elif size is not None and size.odd:
        fields.warn("size_format", f"the size {text!r} is read as {sizes.show(size.size_bytes)}")
    exact = sizes.parse(stated) if stated else None
    if stated and (exact is None or not exact.exact):
        fields.warn("size_format", f"size_bytes {stated!a} is no number of bytes and not used")
        exact = None
    if exact is None and size is not None and size.exact:
        exact = size
    if exact is not None:
        return exact.size_bytes, None
    return None, size.size_bytes if size is not None else None


def _sha256(fields: Fields) -> str | None:
    """Return the SHA-256 that is stated as `sha256`, or as `checksum` with `algorithm` and `value`."""
    value = fields.get("sha256")
    checksum = fields.get("checksum")
    if value is None and isinstance(checksum, dict):
        kind = checksum.get("algorithm")
        if isinstance(kind, str) and kind.lower().replace("-", "") == "sha256":
            value = checksum.get("value")
        else:
            fields.warn("invalid_field", "its `checksum` is no sha256 and not used")
    if value is None:
        return None
    match = _SHA256.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise _FileRefusedError(f"{fields.what}: its sha256 is not 64 hexadecimal digits")
    return match[1].lower()


def _size_of(spec: FileSpec) -> int | None:
    return spec.size_bytes if spec.size_bytes is not None else spec.approx_size_bytes


def _compare_total(fields: Fields, stated: str, total: int | None) -> None:
    size = sizes.parse(stated) if stated else None
    if stated and size is None:
        fields.warn("size_format", f"the download size {stated[:80]!a} is not understood")
    elif size is not None and size.odd:
        fields.warn("size_format", f"the download size {stated!r} is read as {sizes.show(size.size_bytes)}")
    if size is None or total is None:
        return
    allowed = max(MISMATCH_FLOOR_BYTES, int(size.size_bytes * MISMATCH_SHARE))
    if abs(size.size_bytes - total) > allowed:
        fields.warn("size_mismatch", f"the stated download size is {stated}, its files add up to {sizes.show(total)}")


def _say_unverified(fields: Fields, files: Sequence[FileSpec]) -> None:
    bare = sum(spec.sha256 is None for spec in files)
    if bare:
        share = f"{bare} of {len(files)} files" if len(files) > 1 else "the file"
        fields.warn(
            "unverified",
            f"no checksum is stated for {share}: what arrives is checked by the host's own checksum if it states one, "
            "else only by size and header",
        )
