"""Tells an emptied models folder from one whose volume is not mounted: remembers which folder it was."""

from __future__ import annotations

from pathlib import Path

import msgspec
from modeldeck_events.message import UNREADABLE

from catalog.files import write_atomically
from catalog.inventory import FolderUnavailableError, Walk


class _Marker(msgspec.Struct):
    path: str
    inode: int


class RootMarker:
    """Keeps the inode of the models folder `root` in `file`.

    An unmounted volume leaves its mount point: a folder with the same path, another inode, and nothing in it.
    """

    def __init__(self, file: Path, root: Path) -> None:
        self._file = file
        self._root = root
        self._known: _Marker | None = None

    def check(self, found: Walk, *, known_any: bool) -> None:
        """Raise FolderUnavailableError when the empty folder is not the one that held files; else remember it.

        Does blocking I/O, only when something changed. A marker that cannot be kept raises the same error.
        """
        marker = _Marker(path=str(self._root), inode=found.root_inode)
        if self._known is None:
            self._known = self._read()
        if self._known == marker:
            return
        moved = self._known is not None and self._known.path != marker.path
        if found.empty and known_any and not moved:
            raise FolderUnavailableError(
                f"{self._root} is empty and not the folder in which the models were; if its volume is mounted and the "
                "models are really gone, put any file or folder into it"
            )
        try:
            write_atomically(self._file, msgspec.json.encode(marker))
        except OSError as error:
            raise FolderUnavailableError(f"{self._file} cannot be written: {error.strerror or error}") from error
        self._known = marker

    def _read(self) -> _Marker | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Marker)
        except (OSError, *UNREADABLE):
            return None
