"""The model files as the API shows them, live: each with who needs it, its duplicates and its source; and the storage.

Nothing is saved here: all of it follows from the library and the other boards. A file is looked at again only when
something was said of it, of who needs it, or of its duplicates, so a change costs little however many files there are.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from modeldeck_events.downloads import DownloadEvent, DownloadFileCompleted
from modeldeck_events.modelfiles import (
    InventorySurveyed,
    ModelFileDeleted,
    ModelFileFound,
    ModelFileGone,
    ModelFileHashed,
    ModelFileLinked,
)
from modeldeck_events.store import Record

from gateway.boards import words
from gateway.boards.board import Collection, Json, known
from gateway.boards.disk import FileOnDisk
from gateway.boards.duplicates import Content, Duplicates
from gateway.boards.library import Library
from gateway.boards.needs import Needs
from gateway.boards.presets import Presets
from gateway.boards.resources import Resources
from gateway.boards.storage import Copy, Share, Storage, longest
from gateway.boards.uses import Uses

_REPO_OF_URL = re.compile(r"https?://[^/]+/([^/]+/[^/]+)/(?:resolve|blob)/")


class _Place(NamedTuple):
    """Where the files of one folder lie: how the paths of its root begin, the volume, the model folder."""

    root: str
    volume: str | None
    folder: str


class Models:
    """The board of model files. `settle` takes over what changed in the boards that it looks at."""

    VERSION = 1
    FOLDS = (
        DownloadEvent,
        ModelFileFound,
        ModelFileGone,
        ModelFileDeleted,
        ModelFileHashed,
        ModelFileLinked,
        InventorySurveyed,
    )

    def __init__(  # noqa: PLR0913 - the boards that it looks at
        self, library: Library, needs: Needs, presets: Presets, resources: Resources, uses: Uses, *, pool: str
    ) -> None:
        self._library = library
        self._uses = uses
        self._needs = needs
        self._presets = presets
        self._resources = resources
        self._pool = pool
        self._views = Collection()
        self._duplicates = Duplicates()
        self._storage = Storage()
        self._places: dict[str, _Place] = {}
        self._dirty: set[str] | None = None
        self._deleted: Json = {}
        self._shown_storage: Json | None = None

    def apply(self, record: Record) -> bool:
        """Note which file a fact is about; the library and the other boards have seen it already."""
        event = record.event
        match event:
            case DownloadEvent():
                self._needs.note(event)
                if isinstance(event, DownloadFileCompleted):
                    self._note(event.path)
            case (
                ModelFileFound(pool=self._pool)
                | ModelFileGone(pool=self._pool)
                | ModelFileDeleted(pool=self._pool)
                | ModelFileHashed(pool=self._pool)
                | ModelFileLinked(pool=self._pool)
            ):
                self._note(event.path)
            case InventorySurveyed(pool=self._pool):
                self._dirty = None
            case _:
                return False
        return True

    def disks_changed(self) -> None:
        """Note that a volume was read again, or fell silent."""
        self._shown_storage = None

    def settle(self) -> bool:
        """Take over what changed since the last call; return whether something visible may have."""
        touched = self._needs.settle() | self._presets.take_named_paths() | self._used()
        noted, self._dirty = self._dirty, set()
        if not touched and noted is not None and not noted:
            return False
        files = self._library.files
        if noted is None:
            self._places.clear()
            touched |= self._views.keys() | files.keys()
        else:
            touched |= noted | self._namesakes(noted)
        for path in touched:
            self._count(path, files.get(path))
        touched |= self._duplicates.take_touched()
        changes = self._rendered(touched)
        if changes:
            self._views = Collection(self._views, changes)
        self._deleted = self._render_deleted()
        self._shown_storage = None
        return True

    def state(self) -> Json:
        """Return the stream's topic: the files and the deleted ones by path, and the storage."""
        self.settle()
        return {
            "models": self._views,
            "deleted": self._deleted,
            "storage": self.storage(),
            "total": len(self._views),
        }

    def storage(self) -> Json:
        """Return how much room the files take; the same object until something changes."""
        if self._shown_storage is None:
            disks, library = self._resources.disks(), self._library
            sums = self._storage.state(disks, library.roots, library.mounts)
            self._shown_storage = sums | {"duplicates": self._duplicates.state()}
        return self._shown_storage

    def reset(self) -> None:
        """Forget everything; it is taken anew from the other boards."""
        self._needs.reset()
        self._views = Collection()
        self._duplicates = Duplicates()
        self._storage = Storage()
        self._places.clear()
        self._dirty, self._deleted, self._shown_storage = None, {}, None

    def dump(self) -> bytes:
        """Return nothing: all of it follows from the other boards."""
        return b"{}"

    def load(self, data: bytes) -> None:  # noqa: ARG002 - a board; this one has nothing of its own
        """Take everything anew from the other boards."""
        self.reset()

    def _note(self, path: str) -> None:
        if self._dirty is not None:
            self._dirty.add(path)

    def _used(self) -> set[str]:
        """Return the files that a name may mean which was used since the last look."""
        names = self._uses.take_touched()
        return {path for name in names for path in self._library.index.named(name)}

    def _namesakes(self, noted: set[str]) -> set[str]:
        """Return the other files of the same names: which of them a use meant may have changed."""
        names = {path.rpartition("/")[2] for path in noted if self._uses.named(path)}
        return {path for name in names for path in self._library.index.named(name)}

    def _count(self, path: str, file: FileOnDisk | None) -> None:
        """Take over into the sums what lies at a path."""
        if file is None or file.size_bytes is None:
            self._storage.put(path, None)
            self._duplicates.put(path, None, None)
            return
        place, copy = self._place(path), self._copy(path, file)
        share = Share(
            volume=place.volume or "",
            folder=place.folder,
            family=_family(file) or "",
            size_bytes=file.size_bytes,
            copy=copy,
            is_unused=not self._needs.needed(path),
        )
        self._storage.put(path, share)
        self._duplicates.put(path, Content(file.sha256, file.size_bytes) if file.sha256 else None, copy)

    def _copy(self, path: str, file: FileOnDisk) -> Copy:
        """Return which bytes on the disk a name is of. A symbolic link has those of the path that it was made for."""
        size_bytes = file.size_bytes or 0
        volume = self._place(path).volume or ""
        if file.link is not None:
            from_path, method = file.link
            if method == "symlink":
                volume = self._place(from_path).volume or ""
            if not file.inode:
                return Copy(volume, 0, size_bytes, from_path)
        return Copy(volume, file.inode, size_bytes, "" if file.inode else path)

    def _place(self, path: str) -> _Place:
        """Return where the folder of a path lies; looked up once per folder."""
        folder = path.rpartition("/")[0]
        place = self._places.get(folder)
        if place is None:
            roots = {root.prefix: root.prefix for root in self._library.roots}
            place = self._places[folder] = _Place(
                root=longest(roots, folder) or "", volume=longest(self._library.mounts, folder), folder=folder_of(path)
            )
        return place

    def _rendered(self, paths: set[str]) -> dict[str, Json | None]:
        """Return the views that are others than before, None for a file that went."""
        changes: dict[str, Json | None] = {}
        for path in paths:
            file = self._library.files.get(path)
            view = self._view(path, file) if file is not None else None
            if view != self._views.get(path):
                changes[path] = view
        return changes

    def _view(self, path: str, file: FileOnDisk) -> Json:
        source, place, last_used_at = file.source, self._place(path), self._uses.last(path)
        view: Json = {
            "path": path,
            "folder": place.folder,
            "filename": path.rpartition("/")[2],
            "root": place.root,
            "size_bytes": file.size_bytes,
            "format": file.format,
            "needed_by": self._needs.of(path),
            "restorable": source is not None or any(map(file.satisfies, self._presets.naming(path))),
        }
        more = (
            ("modified_at", words.time(file.modified_at) if file.modified_at else None),
            ("last_used_at", words.time(last_used_at) if last_used_at else None),
            ("volume", place.volume),
            ("whole", file.whole),
            ("sha256", file.sha256),
            ("family", _family(file)),
            ("metadata", file.metadata),
            ("duplicates", self._duplicates.beside(path) or None),
            ("source", _source(source) if source else None),
            ("verified", file.verified),
        )
        for name, value in more:
            if value is not None:
                view[name] = value
        return view

    def _render_deleted(self) -> Json:
        before, after = self._deleted, {}
        for path, one in self._library.deleted.items():
            view = {
                "path": path,
                "size_bytes": one.size_bytes,
                "deleted_at": words.time(one.deleted_at),
                "restorable": one.restorable,
            }
            after[path] = before[path] if before.get(path) == view else view
        return before if before == after and list(before) == list(after) else after


def folder_of(path: str) -> str:
    """Return the model folder (checkpoints ...) of a path: its first part, or of `@section/folder/...` the second; ""
    for a file in no folder.
    """
    parts = path.split("/")
    at = 1 if path.startswith("@") else 0
    return parts[at] if len(parts) > at + 1 else ""


def _source(url: str) -> Json:
    repo = _REPO_OF_URL.match(url)
    return known(url=url, repo=repo[1] if repo else None)


def _family(file: FileOnDisk) -> str | None:
    metadata = file.metadata or {}
    return metadata.get("family") or metadata.get("architecture")
