"""Deleting model files: the name goes, that is put on the disk, and then the fact says what was and where to have it.

The log is asked before the disk is touched, so that nothing is deleted while it is away. After a crash between the two
the watch tells that the file is gone; it can be restored all the same, from what the log says of its past.
"""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from modeldeck_events import modelfiles
from modeldeck_events.deciding import execute
from modeldeck_events.modelfiles import ModelFileDeleted, NeededBy
from modeldeck_events.store import EventStore, Meta

from catalog.library import disk
from catalog.library.disk import NotThereError, OnDiskFile, ReadOnlyError
from catalog.library.places import Place, folders, place_of
from catalog.library.planning import Planner
from catalog.library.provenance import OriginsFold
from catalog.states import ModelFilesFold

HASH_FIRST_BYTES = 128 * 1024 * 1024
"""A file up to this size whose hash nobody knows is hashed before it goes. A larger one keeps nobody waiting: it can
then be restored by URL and size alone.
"""
HASH_FIRST_S = 1.5
"""No hashing begins later than this after the command came: who asked waits for at most some 4 s."""
TRIES = 5


class Deletion(NamedTuple):
    """What became of one file."""

    seq: int
    fact: ModelFileDeleted


class Deleter:
    """Deletes single files of one pool; whether it may is the caller's to decide, one at a time."""

    def __init__(
        self, store: EventStore, files: ModelFilesFold, origins: OriginsFold, planner: Planner, models_folder: str
    ) -> None:
        self._store = store
        self._files = files
        self._origins = origins
        self._planner = planner
        self._models_folder = models_folder

    async def delete(
        self, path: str, *, reason: str, needed_by: tuple[NeededBy, ...], meta: Meta, began: float
    ) -> Deletion:
        """Delete one file that the inventory knows; `began` is when the command came (monotonic, seconds).

        Raises NotThereError, ReadOnlyError, OSError with nothing deleted; UnavailableError when the log is away, then
        nothing is deleted either, unless it went away in between.
        """
        place = self._writable_place(path)
        there = await asyncio.to_thread(disk.look, place.file, self._roots)
        sha256 = await self._hash(path, place, there, began)
        provenance = self._planner.provenance(path, there.stamp.size_bytes, sha256)
        subject = modelfiles.subject(self._files.pool, path)
        await self._store.last_seq(subject)
        removed = await asyncio.to_thread(disk.remove, place.file, self._roots)
        fact = ModelFileDeleted(
            pool=self._files.pool,
            path=path,
            size_bytes=removed.stamp.size_bytes,
            freed_bytes=removed.freed_bytes,
            provenance=provenance if removed.stamp == there.stamp else None,  # replaced in between: other bytes
            needed_by=needed_by,
            reason=reason,
        )
        seq, _ = await execute(
            self._store,
            subject,
            load=lambda: (None, self._files.files.stands(path).seq),
            decide=lambda _command, _state: (fact,),
            command=None,
            meta=meta,
            tries=TRIES,
        )
        self._files.note(path, seq, fact)
        self._origins.note_file(path, seq, fact)
        return Deletion(seq, fact)

    async def names(self, path: str) -> list[str]:
        """Return the paths of the inventory that are gone together with `path`, itself first: what is reached through a
        link to its folder, and links to the file itself. A hard link is not: it has the content on its own.
        """
        place, file = self._place(path), self._files.get(path)
        if place is None or file is None:
            return [path]
        others = [
            other.path
            for other in self._files.files.live()
            if (other.size_bytes, other.modified_at) == (file.found.size_bytes, file.found.modified_at)
            and other.path != path
        ]
        return [path, *await asyncio.to_thread(self._led_to, place.file, others)] if others else [path]

    def _led_to(self, file: str, paths: list[str]) -> list[str]:
        """Return the paths that lead to the name `file` (in a thread: asks the disk)."""
        found = ((path, self._place(path)) for path in paths)
        return [path for path, place in found if place is not None and disk.leads_to(file, place.file)]

    @property
    def _roots(self) -> tuple[str, ...]:
        return folders(self._files.survey, self._models_folder)

    def _place(self, path: str) -> Place | None:
        return place_of(self._files.survey, self._models_folder, path)

    def _writable_place(self, path: str) -> Place:
        place = self._place(path)
        if place is None or self._files.get(path) is None:
            raise NotThereError(path)
        if not place.root.writable:
            raise ReadOnlyError(f"{path}: the folder {place.root.folder} is read-only")
        return place

    async def _hash(self, path: str, place: Place, there: OnDiskFile, began: float) -> str | None:
        known = self._planner.hash_of(path, there.stamp)
        is_late = time.monotonic() - began > HASH_FIRST_S
        if known is not None or there.is_link or is_late or there.stamp.size_bytes > HASH_FIRST_BYTES:
            return known
        return await asyncio.to_thread(disk.sha256_of, place.file, self._roots, there.stamp)
