"""What a scan answers, and the bounded collector that it fills."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec
from modeldeck_events import paths

from catalog import links
from catalog.templates.table import Form, LoaderTable, Meant

MAX_REFERENCES = 5000
MAX_ENTRIES = 1000
"""Elements of one `models` list."""
MAX_WARNINGS = 50
MAX_SHOWN_CHARS = 80
MAX_KEPT = 2048
"""Names and URLs that were found good lately; templates share most of theirs."""
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)

_check_path = lru_cache(MAX_KEPT)(paths.check_model_path)
_check_url = lru_cache(MAX_KEPT)(links.check_url)
_PLAIN_URL = re.compile(r"https://[a-z0-9][a-z0-9.-]{1,100}/[A-Za-z0-9._~%-][A-Za-z0-9._~/%?=&+-]{0,1000}")
"""What nearly all URLs of workflows look like; the full check would find nothing in them."""

Format = Literal["editor", "prompt", "other", "unreadable"]


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """One model file that a node names.

    `directory` is the model folder under its present name, `filename` lies below it (it may have folders of its own),
    `path` is both. `form` "stem": the name lacks its extension, any of the folder's will do; "folder": it is a folder.
    `active` false: only nodes that do not run name it, or it is stated somewhere and chosen nowhere. `url` and
    `sha256` (lower case) are what the workflow states. `input_name` is empty where the workflow does not tell it,
    `node_type` where no node names the file.
    """

    path: str
    directory: str
    filename: str
    node_type: str
    input_name: str
    active: bool
    form: Form = "file"
    url: str | None = None
    sha256: str | None = None


class ScanWarning(msgspec.Struct, frozen=True, kw_only=True):
    """Something about the workflow that a person should see; `code` is stable."""

    code: str
    message: str


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one file.

    `format` "other": JSON, but no workflow; "unreadable": no JSON that is accepted, or more of it than is read.
    `complete` false: an active node may need more than `references` tell (a name was refused, a cap was reached, the
    file could not be read), so such a workflow must never be called compatible.
    """

    format: Format
    references: tuple[Reference, ...] = ()
    warnings: tuple[ScanWarning, ...] = ()
    complete: bool = True

    @property
    def needed(self) -> tuple[Reference, ...]:
        """The references that an active node needs."""
        return tuple(reference for reference in self.references if reference.active)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What a workflow states about a file: one element of a `models` list."""

    name: str
    directory: str
    url: str | None
    sha256: str | None

    def names(self, value: str) -> bool:
        """Tell whether a widget's value is this file, with or without the folders before it."""
        return value == self.name or last_part(value) == self.name


class Use(NamedTuple):
    """Who names a file: the input of a node of this type, empty where unknown; `active` when the node runs."""

    node_type: str
    input_name: str
    active: bool


class _Found:
    """A reference in the making; the same file named again by the same input of such a node is the same reference."""

    __slots__ = ("active", "key", "sha256", "url")

    def __init__(self, key: tuple[Meant, str, str]) -> None:
        self.key = key
        self.active = False
        self.url: str | None = None
        self.sha256: str | None = None

    @property
    def is_chosen(self) -> bool:
        """False when it is only stated, which says nothing new once an input names it."""
        return self.active or bool(self.key[2])


class Findings:
    """Collects references and warnings of one workflow, bounded."""

    def __init__(self, table: LoaderTable) -> None:
        self._table = table
        self._found: dict[tuple[Meant, str, str], _Found | None] = {}
        self._warnings: dict[ScanWarning, None] = {}
        self._left_out = 0
        self.complete = True

    def warn(self, code: str, message: str) -> None:
        """Keep a warning once; after the cap only their number."""
        warning = ScanWarning(code=code, message=message)
        if warning in self._warnings:
            return
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings[warning] = None
        else:
            self._left_out += 1

    def cut(self, code: str, message: str) -> None:
        """Say that the scan ends before everything was looked at."""
        self.complete = False
        self.warn(code, message)

    def add(self, meant: Meant, use: Use, entry: Entry | None = None) -> None:
        """Note that an input names a file; a name that may not be a model file's path is refused with a warning."""
        if "\\" in meant.filename:
            meant = meant._replace(filename=meant.filename.replace("\\", "/"))  # how Windows writes subfolders
        key = (meant, use.node_type, use.input_name)
        try:
            found = self._found[key]
        except KeyError:
            found = self._first(key, active=use.active)
        if found is None:
            self.complete = self.complete and not use.active
            return
        found.active = found.active or use.active
        if entry is not None:
            found.url = found.url or entry.url
            found.sha256 = found.sha256 or entry.sha256

    def _first(self, key: tuple[Meant, str, str], *, active: bool) -> _Found | None:
        if len(self._found) >= MAX_REFERENCES:
            self.complete = self.complete and not active
            self.warn("more_references", f"more than {MAX_REFERENCES} references; the rest is left out")
            return None
        meant, node_type, _ = key
        try:
            _check_path(f"{meant.folder}/{meant.filename}")
        except paths.ModelPathError as error:
            self.warn("invalid_name", f"{shown(node_type)} names a file that cannot be a model file: {error}")
            self._found[key] = None
            return None
        self._found[key] = found = _Found(key)
        return found

    def state(self, entries: Iterable[Entry]) -> list[Entry]:
        """Give what the whole workflow states to the references of these files; return the entries that have none."""
        by_name: dict[str, list[_Found]] = {}
        for found in self._found.values():
            if found is not None:
                by_name.setdefault(last_part(found.key[0].filename), []).append(found)
        return [entry for entry in entries if not self._state(entry, by_name.get(last_part(entry.name), ()))]

    def _state(self, entry: Entry, candidates: Iterable[_Found]) -> bool:
        folder = self._table.canonical(entry.directory)
        is_known = False
        for found in candidates:
            if entry.names(found.key[0].filename) and folder in ("", found.key[0].folder):
                is_known = True
                found.url = found.url or entry.url
                found.sha256 = found.sha256 or entry.sha256
        return is_known

    def scan(self, form: Format) -> Scan:
        """Return what was collected."""
        warnings = list(self._warnings)
        if self._left_out:
            warnings.append(ScanWarning(code="more_warnings", message=f"{self._left_out} more warnings"))
        found = [found for found in self._found.values() if found is not None]
        chosen = {one.key[0] for one in found if one.is_chosen}
        return Scan(
            format=form,
            references=tuple(_reference(one) for one in found if one.is_chosen or one.key[0] not in chosen),
            warnings=tuple(warnings),
            complete=self.complete,
        )

    def entries(self, models: object, where: str) -> list[Entry]:
        """Return the readable elements of a `models` list."""
        if not isinstance(models, list):
            self.warn("wrong_type", f"{shown(where)}: `models` is no list")
            return []
        if len(models) > MAX_ENTRIES:
            self.cut("more_entries", f"{shown(where)}: more than {MAX_ENTRIES} elements in `models`")
        return [entry for model in models[:MAX_ENTRIES] if (entry := self._entry(model, where)) is not None]

    def _entry(self, model: Any, where: str) -> Entry | None:
        name = model.get("name") if isinstance(model, dict) else None
        if not isinstance(name, str) or not name:
            self.warn("wrong_type", f"{shown(where)}: an element of `models` has no name")
            return None
        directory = model.get("directory")
        return Entry(
            name=name,
            directory=directory if isinstance(directory, str) else "",
            url=self._url(model.get("url"), where),
            sha256=self._sha256(model, where) if "hash" in model else None,
        )

    def _url(self, url: object, where: str) -> str | None:
        if not isinstance(url, str) or not url:
            return None
        if _PLAIN_URL.fullmatch(url):
            return url
        try:
            return _check_url(url)
        except links.UrlError as error:
            self.warn("invalid_url", f"{shown(where)}: {error}")
            return None

    def _sha256(self, model: dict[str, Any], where: str) -> str | None:
        digest, kind = model.get("hash"), model.get("hash_type", "SHA256")
        if digest is None:
            return None
        is_sha256 = isinstance(kind, str) and kind.upper().replace("-", "") == "SHA256"
        if is_sha256 and isinstance(digest, str) and _SHA256.fullmatch(digest):
            return digest.lower()
        self.warn("invalid_hash", f"{shown(where)}: the hash of {shown(model['name'])} is no SHA-256 and not used")
        return None


def last_part(name: str) -> str:
    """Return a file's name without the folders before it, however they are separated."""
    return name.replace("\\", "/").rpartition("/")[2]


def shown(text: object) -> str:
    """Return a text of the workflow as it may stand in a message: escaped, shortened."""
    full = text if isinstance(text, str) else f"({type(text).__name__})"
    return ascii(full if len(full) <= MAX_SHOWN_CHARS else full[: MAX_SHOWN_CHARS - 3] + "...")


def _reference(found: _Found) -> Reference:
    meant, node_type, input_name = found.key
    return Reference(
        path=f"{meant.folder}/{meant.filename}",
        directory=meant.folder,
        filename=meant.filename,
        node_type=node_type,
        input_name=input_name,
        active=found.active,
        form=meant.form,
        url=found.url,
        sha256=found.sha256,
    )
