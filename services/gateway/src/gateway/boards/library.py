"""The model files of a pool: what lies where, what its bytes are, where they came from. Other boards look here.

`Library.index` tells which file a workflow's reference means (`matching.ModelIndex`), the only one in the gateway.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
from modeldeck_events.downloads import DownloadFileCompleted
from modeldeck_events.matching import ModelIndex, keys_of_file
from modeldeck_events.modelfiles import (
    InventorySurveyed,
    ModelFileDeleted,
    ModelFileFound,
    ModelFileGone,
    ModelFileHashed,
    ModelFileLinked,
    ModelRoot,
)
from modeldeck_events.store import Record

from gateway.boards.board import Json, object_slices
from gateway.boards.disk import FileOnDisk
from gateway.boards.downloads import Downloads

DELETED_KEPT = 200
"""Files deleted on request that are still told of; older ones are in the log only."""
MAX_ABSENT = 10_000
"""Files that are not there, yet or any more, of which it is still known that they were fetched or seen."""
MAX_CHANGED_KEYS = 5_000
"""More changes at once are told as "any file may have changed"."""


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was deleted on request and did not come back. `restorable`: its source is known."""

    size_bytes: int
    deleted_at: datetime
    restorable: bool


class _Saved(msgspec.Struct, kw_only=True, omit_defaults=True):
    files: dict[str, FileOnDisk] = {}
    absent: dict[str, FileOnDisk] = {}
    deleted: dict[str, Deleted] = {}
    roots: tuple[ModelRoot, ...] = ()
    places: dict[str, tuple[str, ...]] = {}
    mounts: dict[str, str] = {}


class Library:
    """The files of one pool. The index is brought up to date when it is asked for: a fact costs next to nothing."""

    VERSION = 2
    FOLDS = (
        ModelFileFound,
        ModelFileGone,
        ModelFileDeleted,
        ModelFileHashed,
        ModelFileLinked,
        InventorySurveyed,
        DownloadFileCompleted,
    )

    def __init__(self, downloads: Downloads, *, pool: str) -> None:
        self._index = ModelIndex()
        self._downloads = downloads
        self._pool = pool
        self._saved = _Saved()
        self._changed: set[str] | None = None
        self._unindexed: dict[str, str | None] = {}

    @property
    def index(self) -> ModelIndex:
        """The files that are there and not known to be broken, for matching; right until the next fact."""
        for path, sha256 in self._unindexed.items():
            self._reindex(path, sha256)
        self._unindexed.clear()
        return self._index

    @property
    def files(self) -> dict[str, FileOnDisk]:
        """The files that are there, by path."""
        return self._saved.files

    @property
    def deleted(self) -> dict[str, Deleted]:
        """The last files that were deleted on request and are not there again, the newest last."""
        return self._saved.deleted

    @property
    def roots(self) -> tuple[ModelRoot, ...]:
        """The folders that the inventory covers, () until that is known."""
        return self._saved.roots

    @property
    def mounts(self) -> dict[str, str]:
        """The mount point of the volume under a prefix of paths; "" is everything else."""
        return self._saved.mounts

    def get(self, path: str) -> FileOnDisk | None:
        """Return what is known about a path, be a file there or not."""
        return self._saved.files.get(path) or self._saved.absent.get(path)

    def take_changed_keys(self) -> set[str] | None:
        """Return the keys (`matching.keys_of_file`) of the files that came, went or were hashed since the last call;
        None: any may have.
        """
        _ = self.index
        changed, self._changed = self._changed, set()
        return changed

    def apply(self, record: Record) -> bool:
        """Fold one fact of a model file, of the inventory or of a finished file; its download's board comes first."""
        event = record.event
        match event:
            case ModelFileFound(pool=self._pool):
                self._found(event, record.seq)
            case ModelFileGone(pool=self._pool) | ModelFileDeleted(pool=self._pool):
                self._gone(event, record)
            case ModelFileHashed(pool=self._pool):
                return self._hashed(event)
            case ModelFileLinked(pool=self._pool):
                self._at(event.path).linked(event)
            case InventorySurveyed(pool=self._pool):
                self._surveyed(event)
            case DownloadFileCompleted():
                return self._fetched(event, record.seq)
            case _:
                return False
        return True

    def state(self) -> Json:
        """Return what is known, for tests and tools: no topic shows it like this."""
        saved: Json = msgspec.to_builtins(self._saved)
        return saved

    def reset(self) -> None:
        """Forget everything folded."""
        self._saved = _Saved()
        self._index.clear()
        self._unindexed.clear()
        self._changed = None

    def dump(self) -> bytes:
        """Return the files, those that went, and the survey."""
        return b"".join(self.dump_slices())

    def dump_slices(self) -> Iterator[bytes]:
        """Yield the dump in parts."""
        yield b'{"files":'
        yield from object_slices(self._saved.files)
        yield b',"absent":'
        yield from object_slices(self._saved.absent)
        rest = msgspec.json.encode(msgspec.structs.replace(self._saved, files={}, absent={}))
        yield b"}" if rest == b"{}" else b"," + rest[1:]

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        saved = msgspec.json.decode(data, type=_Saved)
        self.reset()
        self._saved = saved
        self._index.survey(saved.places)
        self._unindexed = dict.fromkeys(saved.files)

    def _found(self, event: ModelFileFound, seq: int) -> None:
        path, before = event.path, self._saved.files.get(event.path)
        file = before or self._saved.absent.pop(path, None) or FileOnDisk()
        self._unindexed.setdefault(path, file.sha256)
        file.found(event, seq)
        self._saved.files[path] = file
        self._saved.deleted.pop(path, None)

    def _gone(self, event: ModelFileGone | ModelFileDeleted, record: Record) -> None:
        path = event.path
        file = self._saved.files.pop(path, None) or self._saved.absent.pop(path, None)
        if file is not None:
            self._unindexed.setdefault(path, file.sha256)
            file.gone(record.seq, deleted=isinstance(event, ModelFileDeleted))
            self._keep_absent(path, file)
        if isinstance(event, ModelFileDeleted):
            deleted = self._saved.deleted
            deleted.pop(path, None)
            deleted[path] = Deleted(
                size_bytes=event.size_bytes, deleted_at=record.time, restorable=event.provenance is not None
            )
            if len(deleted) > DELETED_KEPT:
                del deleted[next(iter(deleted))]

    def _hashed(self, event: ModelFileHashed) -> bool:
        file = self._saved.files.get(event.path)
        if file is None:
            return False
        self._unindexed.setdefault(event.path, file.sha256)
        return file.hashed(event)

    def _fetched(self, event: DownloadFileCompleted, seq: int) -> bool:
        download = self._downloads.by_id.get(event.download_id)
        if download is None or download.pool != self._pool:
            return False
        file = self._at(event.path)
        self._unindexed.setdefault(event.path, file.sha256)
        file.fetched(event, seq)
        return True

    def _surveyed(self, event: InventorySurveyed) -> None:
        if event.places != self._saved.places:
            self._index.survey(event.places)
            self._changed = None
        self._saved.roots, self._saved.places, self._saved.mounts = event.roots, event.places, event.mounts

    def _at(self, path: str) -> FileOnDisk:
        """Return the entry of a path, a new one when nothing is known of it."""
        file = self.get(path)
        return file if file is not None else self._keep_absent(path, FileOnDisk())

    def _keep_absent(self, path: str, file: FileOnDisk) -> FileOnDisk:
        absent = self._saved.absent
        absent[path] = file
        if len(absent) > MAX_ABSENT:
            del absent[next(iter(absent))]
        return file

    def _reindex(self, path: str, sha256: str | None) -> None:
        """Take over into the index what lies at a path now; `sha256` is what it was known by before."""
        file = self._saved.files.get(path)
        if file is not None and file.whole is not False:
            self._index.put(path, file.sha256)
        else:
            self._index.remove(path)
        if self._changed is not None:
            self._changed |= keys_of_file(path, sha256) | keys_of_file(path, file.sha256 if file else None)
            if len(self._changed) > MAX_CHANGED_KEYS:
                self._changed = None
