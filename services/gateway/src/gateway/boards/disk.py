"""One path of a pool's models folder, as the inventory and the downloads tell of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from modeldeck_events.downloads import DownloadFileCompleted, FileSpec, Verified
from modeldeck_events.modelfiles import ModelFileFound, ModelFileHashed, ModelFileLinked, ModelMetadata
from modeldeck_events.needs import satisfies
from modeldeck_events.presets import PresetWarning

from gateway.boards import words
from gateway.boards.board import Json

MAX_SOURCES = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_S = 253402300799
_TOUCHED_US = 1000
"""A file whose time is later than when it was fetched by more than this was changed by somebody."""


class FileOnDisk(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is known about one path of the pool: found with this size, or not there. `seen_seq` is the inventory's last
    word about it, `fetched_seq` the downloader's.

    `sha256` and `inode` are of what lies there now. `fetched_*` are of the last download of the path, `sources` the
    URLs whose file it was found to be, the one that it came from first. `deleted`: it went on request.
    """

    size_bytes: int | None = None
    modified_at: datetime | None = None
    whole: bool | None = None
    format: str = ""
    metadata: Json | None = None
    sha256: str | None = None
    inode: int = 0
    seen_seq: int = 0
    fetched_seq: int = 0
    fetched_bytes: int | None = None
    fetched_sha256: str | None = None
    fetched_mtime_ns: int | None = None
    fetched_verified: Verified | None = None
    sources: tuple[str, ...] = ()
    link: tuple[str, str] | None = None
    """Which other path's bytes it was given, and how (ModelFileLinked)."""
    deleted: bool = False

    def fetched(self, event: DownloadFileCompleted, seq: int) -> None:
        """Note where the content came from, or that another source has the same."""
        if event.action == "present" and event.size_bytes == self.fetched_bytes:
            self.sources = tuple(dict.fromkeys((*self.sources, event.url)))[:MAX_SOURCES]
            if event.verified == "sha256":
                self.fetched_verified = "sha256"
        else:
            self.sources, self.fetched_sha256, self.fetched_verified = (event.url,), None, event.verified
        self.fetched_seq, self.fetched_bytes = seq, event.size_bytes
        self.fetched_sha256 = event.sha256 or self.fetched_sha256
        self.fetched_mtime_ns = event.mtime_ns
        if event.sha256 and self.size_bytes == event.size_bytes:
            self.sha256 = event.sha256

    def found(self, event: ModelFileFound, seq: int) -> None:
        """Note what lies there now; its hash has to be stated anew, unless it is what was fetched last."""
        if self.size_bytes is not None and (self.size_bytes, self.modified_at) != (event.size_bytes, event.modified_at):
            self.link = None
        self.seen_seq, self.deleted = seq, False
        self.size_bytes, self.modified_at, self.whole = event.size_bytes, event.modified_at, event.whole
        self.format, self.metadata, self.inode = event.format, _shown(event.metadata), 0
        self.sha256 = self.fetched_sha256 if self._is_as_fetched() else None

    def hashed(self, event: ModelFileHashed) -> bool:
        """Note the hash of what lies there; false when it is of something else."""
        if self.size_bytes != event.size_bytes or _microseconds(self.modified_at) != _of_ns(event.mtime_ns):
            return False
        self.sha256, self.inode = event.sha256, event.inode
        return True

    def linked(self, event: ModelFileLinked) -> None:
        """Note that it shares the bytes of another path."""
        self.link = (event.from_path, event.method)

    def gone(self, seq: int, *, deleted: bool = False) -> None:
        """Note that nothing lies there any more; what comes next may come from anywhere."""
        self.size_bytes = self.modified_at = self.whole = self.metadata = self.sha256 = self.link = None
        self.fetched_bytes = self.fetched_sha256 = self.fetched_mtime_ns = self.fetched_verified = None
        self.format, self.inode, self.sources = "", 0, ()
        self.seen_seq, self.deleted = seq, deleted or self.deleted

    @property
    def source(self) -> str | None:
        """The URL that has these bytes, None when nobody said so of the file as it is."""
        same = self.sha256 is not None and self.sha256 == self.fetched_sha256
        return self.sources[0] if self.sources and (same or self._is_as_fetched()) else None

    @property
    def verified(self) -> Verified | None:
        """What agreed when these bytes were fetched, None when nobody fetched them as they are."""
        return self.fetched_verified if self.source is not None else None

    def satisfies(self, spec: FileSpec) -> bool:
        """Tell whether this is the whole file that `spec` wants."""
        return satisfies(self, spec)

    def why_not(self, spec: FileSpec, *, was_complete: bool) -> PresetWarning | None:
        """Return in words why the file does not satisfy `spec`, None where nothing is odd: it was never there, or
        somebody deleted it on purpose.
        """
        there = words.size(self.size_bytes or 0)
        if self.size_bytes is None:
            text = f"{spec.path} was removed since it was installed"
            odd = was_complete and not self.deleted
            return PresetWarning(code="file_removed", message=text) if odd else None
        if self.whole is False:
            return PresetWarning(code="file_damaged", message=f"{spec.path} ({there}) is cut off or no model file")
        if self.fetched_bytes not in (None, self.size_bytes):
            text = f"{spec.path} has {there} and had {words.size(self.fetched_bytes or 0)} when it was fetched"
            return PresetWarning(code="file_changed", message=text)
        text = f"{spec.path} ({there}) is another file than this preset's; an installation by force replaces it"
        return PresetWarning(code="other_file", message=text)

    def _is_as_fetched(self) -> bool:
        """Tell whether what lies there is, by size and time, what the downloader put there."""
        if self.fetched_bytes is None or self.size_bytes != self.fetched_bytes:
            return False
        return self.fetched_mtime_ns is None or (
            _microseconds(self.modified_at) <= _of_ns(self.fetched_mtime_ns) + _TOUCHED_US
        )


def _shown(metadata: ModelMetadata | None) -> Json | None:
    if metadata is None:
        return None
    shown: dict[str, Any] = msgspec.to_builtins(metadata)
    return shown or None


def _microseconds(at: datetime | None) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) if at is not None else -1


def _of_ns(mtime_ns: int) -> int:
    """Return a file's time as its `modified_at` says it: to the microsecond, within what a calendar has."""
    seconds, nanoseconds = divmod(mtime_ns, 10**9)
    return min(max(seconds, 0), _LAST_S) * 10**6 + nanoseconds // 1000
