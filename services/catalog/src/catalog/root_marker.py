"""Tells an emptied folder of models from one whose volume is not mounted: remembers which folder it was."""

from __future__ import annotations

from pathlib import Path

import msgspec
from modeldeck_events.message import UNREADABLE

from catalog.files import write_atomically
from catalog.inventory import FolderUnavailableError, Look
from catalog.roots import Root


class _Marker(msgspec.Struct):
    path: str
    inode: int


class _Markers(msgspec.Struct):
    """The models folder's at the top, those of the other roots by their prefixes."""

    path: str = ""
    inode: int = 0
    extra: dict[str, _Marker] = {}


class RootMarker:
    """Keeps the inode of each root's folder in `file`.

    An unmounted volume leaves its mount point: a folder with the same path, another inode, and nothing in it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, _Marker] | None = None

    def check(self, root: Root, look: Look, *, known_any: bool) -> None:
        """Raise FolderUnavailableError when the empty folder is not the one that held files; else remember it.

        Does blocking I/O, only when something changed. A marker that cannot be kept raises the same error.
        """
        marker = _Marker(path=str(root.folder), inode=look.inode)
        if self._known is None:
            self._known = self._read()
        known = self._known.get(root.prefix)
        if known == marker:
            return
        moved = known is not None and known.path != marker.path
        if look.empty and known_any and not moved:
            raise FolderUnavailableError(
                f"{root.folder} is empty and not the folder in which the models were; if its volume is mounted and the "
                "models are really gone, put any file or folder into it"
            )
        markers = self._known | {root.prefix: marker}
        try:
            write_atomically(self._file, _encode(markers))
        except OSError as error:
            raise FolderUnavailableError(f"{self._file} cannot be written: {error.strerror or error}") from error
        self._known = markers

    def _read(self) -> dict[str, _Marker]:
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=_Markers)
        except (OSError, *UNREADABLE):
            return {}
        main = {"": _Marker(kept.path, kept.inode)} if kept.path else {}
        return main | kept.extra


def _encode(markers: dict[str, _Marker]) -> bytes:
    main = markers.get("", _Marker("", 0))
    extra = {prefix: marker for prefix, marker in markers.items() if prefix}
    return msgspec.json.encode(_Markers(main.path, main.inode, extra))
