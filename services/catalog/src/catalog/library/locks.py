"""Lock files: which files a workflow needs, byte for byte, and where they can be had. Pure.

A lock file is JSON in UTF-8, at most 2 MiB:

    {
      "modeldeck_lock": 1,
      "workflow": {"id": "workflows/portrait.json", "name": "portrait", "sha256": "<of the workflow file>"},
      "created_at": "2026-05-01T10:00:00Z",
      "files": [
        {
          "path": "vae/ae.safetensors",
          "size_bytes": 335304388,
          "sha256": "<64 hexadecimal digits>",
          "url": "https://huggingface.co/org/repo/resolve/<commit>/ae.safetensors",
          "repo": "org/repo",
          "revision": "<commit>",
          "etag": "<of the server>"
        }
      ]
    }

`path` is relative to the models folder, each path once, in the order of their code points. `sha256` and `size_bytes`
say which bytes are meant and are always there. `url` says where these can be had; it is left out when nobody knows, and
pinned to a commit (`repo`, `revision`) when the hub said which one has this hash. `etag` is what the server called the
bytes. `workflow.complete` is there when it is false: the scan could not tell of everything that the workflow needs.

The number after `modeldeck_lock` is the version of the format. Within a version nothing is added: a field that is not
named above is refused, so that a misspelt one is never taken for absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePosixPath

import msgspec
from modeldeck_events.message import UNREADABLE
from modeldeck_events.paths import ModelPathError

from catalog.library.places import check_name
from catalog.links import UrlError, check_url

VERSION = 1
MAX_LOCK_BYTES = 2 * 1024 * 1024
MAX_FILES = 5_000
MAX_TEXT = 1_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


class LockError(ValueError):
    """Bytes that are no lock file; the text says what is wrong, and where."""


class LockedWorkflow(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The workflow that was locked; `sha256` is of its file."""

    id: str
    name: str = ""
    sha256: str = ""
    complete: bool = True


class LockedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One file that it needs."""

    path: str
    size_bytes: int
    sha256: str
    url: str | None = None
    repo: str | None = None
    revision: str | None = None
    etag: str | None = None


class Lock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A lock file."""

    modeldeck_lock: int
    workflow: LockedWorkflow
    created_at: datetime
    files: tuple[LockedFile, ...]


class _Versioned(msgspec.Struct):
    modeldeck_lock: int


_version = msgspec.json.Decoder(_Versioned)
_lock = msgspec.json.Decoder(Lock)


def make(workflow: LockedWorkflow, files: Iterable[LockedFile], *, now: datetime) -> Lock:
    """Return the lock of these files, in the order of their paths; the same files always give the same lock."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return Lock(modeldeck_lock=VERSION, workflow=workflow, created_at=now.replace(microsecond=0), files=ordered)


def read(data: bytes) -> Lock:
    """Return the lock file that `data` holds; raises LockError."""
    if len(data) > MAX_LOCK_BYTES:
        raise LockError(f"the lock file has {len(data)} bytes; at most {MAX_LOCK_BYTES} are read")
    try:
        version = _version.decode(data).modeldeck_lock
        if version != VERSION:
            raise LockError(f"this lock file has version {version}; this Modeldeck reads version {VERSION}")
        lock = _lock.decode(data)
    except UNREADABLE as error:
        raise LockError(f"this is no lock file: {error}") from error
    if lock.created_at.tzinfo is None:
        raise LockError("`created_at` has no offset; write it like 2026-05-01T10:00:00Z")
    _check_texts("workflow", lock.workflow.id, lock.workflow.name, lock.workflow.sha256)
    _check_files(lock.files)
    return lock


def _check_files(files: Sequence[LockedFile]) -> None:
    if len(files) > MAX_FILES:
        raise LockError(f"`files` has {len(files)} elements; at most {MAX_FILES} are read")
    seen: set[str] = set()
    for number, file in enumerate(files):
        _check_file(file, f"files[{number}]")
        if file.path in seen:
            raise LockError(f"files[{number}]: the path {file.path!a} stands there twice")
        seen.add(file.path)
    for path in seen:
        for folder in PurePosixPath(path).parents:
            if str(folder) in seen:
                raise LockError(f"files: {str(folder)!a} is a file, and a folder in {path!a}")


def _check_file(file: LockedFile, where: str) -> None:
    try:
        check_name(file.path)
        if file.url is not None:
            check_url(file.url)
    except (ModelPathError, UrlError) as error:
        raise LockError(f"{where}: {error}") from error
    if file.path.startswith("@"):
        raise LockError(f"{where}: the path {file.path!a} begins with @; it must be below the models folder")
    if not _SHA256.fullmatch(file.sha256):
        raise LockError(f"{where}.sha256: 64 hexadecimal digits in small letters are wanted")
    if not 0 <= file.size_bytes < 2**63:
        raise LockError(f"{where}.size_bytes: {file.size_bytes} is no size")
    _check_texts(where, file.repo, file.revision, file.etag)


def _check_texts(where: str, *texts: str | None) -> None:
    if any(len(text) > MAX_TEXT for text in texts if text is not None):
        raise LockError(f"{where}: a text in it is longer than {MAX_TEXT} characters")
