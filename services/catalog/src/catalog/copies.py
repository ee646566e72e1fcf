"""The last good document of a source on this machine's disk: loaded at start, replaced atomically, the former one kept
as `.bak`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
from modeldeck_events.message import UNREADABLE

from catalog.files import sync_folder, write_atomically

MAX_BYTES = 64 * 1024 * 1024
"""More than any document that is taken over; a bundle escapes the texts of its files."""


class _Origin(msgspec.Struct):
    source: str
    etag: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Copy:
    """The kept bytes; `etag` is "" when it is not certain that it belongs to them."""

    data: bytes
    source: str
    etag: str


class Copies:
    """`presets.yaml`, its origin beside it, and `presets.yaml.bak`, in `folder`; or by another name than presets.

    A document of several files lies there as one bundle, which is JSON and so YAML too. Methods do blocking I/O.
    """

    def __init__(self, folder: Path, name: str = "presets") -> None:
        self._file = folder / f"{name}.yaml"
        self._backup = folder / f"{name}.yaml.bak"
        self._origin = folder / f"{name}.json"

    def load(self) -> Copy | None:
        """Return the last good copy, None when there is none that can be read."""
        try:
            with self._file.open("rb") as file:
                data = file.read(MAX_BYTES)
            origin = msgspec.json.decode(self._origin.read_bytes(), type=_Origin)
        except (OSError, *UNREADABLE):
            return None
        if hashlib.sha256(data).hexdigest() != origin.sha256:  # a crash came between the two files, or an editor
            return None
        return Copy(data, origin.source, origin.etag)

    def save(self, copy: Copy) -> None:
        """Keep `copy`; other content is moved to `.bak` first. Raises OSError, and then the old copy still stands."""
        try:
            old = self._file.read_bytes()
        except FileNotFoundError:
            old = None
        if old != copy.data:
            if old is not None:
                self._back_up()
            write_atomically(self._file, copy.data)
        origin = _Origin(source=copy.source, etag=copy.etag, sha256=hashlib.sha256(copy.data).hexdigest())
        write_atomically(self._origin, msgspec.json.encode(origin))

    def _back_up(self) -> None:
        """Give the present file a second name: at every moment both names stand for whole files."""
        link = self._backup.with_name(f".{self._backup.name}.new")
        link.unlink(missing_ok=True)
        os.link(self._file, link)
        link.replace(self._backup)
        sync_folder(self._file.parent)
