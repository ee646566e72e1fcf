"""Where the bytes of each path came from, and which downloads are under way. Pure; rebuilt from the log."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from modeldeck_events import downloads, modelfiles, subjects
from modeldeck_events import downloads as d
from modeldeck_events.installs import Installs
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileDeleted, ModelFileGone, ModelFileHashed, Provenance
from modeldeck_events.needs import GivenUp, download_paths
from modeldeck_events.store import Record

MAX_PATHS = 500_000
"""So many paths are remembered; what was not heard of for longest is forgotten first."""
MAX_ENDED = 10_000
"""So many failed and cancelled downloads are remembered, because they can be retried."""

_PHASES: dict[type[Event], d.Phase] = {
    d.DownloadQueued: "queued",
    d.DownloadStarted: "downloading",
    d.DownloadInterrupted: "queued",
    d.DownloadRetryScheduled: "retrying",
    d.DownloadRetryBegan: "downloading",
    d.DownloadPaused: "paused",
    d.DownloadResumed: "queued",
    d.DownloadRetried: "queued",
}


class OpenDownload(msgspec.Struct):
    """The present download of one target, until it is complete."""

    download_id: str
    target: d.Target
    files: tuple[d.FileSpec, ...]
    phase: d.Phase = "queued"
    completed: set[str] = set()
    failed: set[str] = set()
    is_open: bool = True

    def paths(self) -> frozenset[str]:
        """Return what it needs at present."""
        return download_paths(self.files, self.phase, completed=self.completed, failed=self.failed)


class Fetched(msgspec.Struct, frozen=True):
    """The last download of a path. `seq` is its place in the log."""

    seq: int
    url: str
    size_bytes: int
    sha256: str | None
    etag: str | None
    mtime_ns: int | None


class Origin(msgspec.Struct):
    """What the log tells of one path's bytes, newest of each kind.

    `sources` are the URLs whose file the present content was found to be, as long as nobody else changed it; it is
    empty, and `fetched_bytes` None, when the content did not come from a download.
    """

    fetched: Fetched | None = None
    hashed_seq: int = 0
    hashed: ModelFileHashed | None = None
    deleted_seq: int = 0
    deleted: Provenance | None = None
    fetched_bytes: int | None = None
    sources: frozenset[str] = frozenset()


class OriginsFold:
    """Downloads and model files of one pool: origins by path, open downloads, presets that were given up."""

    def __init__(self, pool: str, *, max_paths: int = MAX_PATHS) -> None:
        self.pool = pool
        self.given_up = GivenUp(pool)
        self.installs = Installs(pool)
        self._downloads: dict[str, OpenDownload] = {}
        self._origins: dict[str, Origin] = {}
        self._by_sha256: dict[str, str] = {}
        self._max_paths = max_paths
        self._download_prefix = f"{subjects.event(downloads.AGGREGATE, pool)}."
        self._file_prefix = f"{subjects.event(modelfiles.AGGREGATE, pool)}."

    @property
    def subjects(self) -> tuple[str, ...]:
        """What this fold has to see, besides `evt.preset.>`."""
        return (f"{self._download_prefix}>", f"{self._file_prefix}>")

    def reset(self) -> None:
        """Start from zero."""
        self.given_up = GivenUp(self.pool)
        self.installs = Installs(self.pool)
        self._downloads.clear()
        self._origins.clear()
        self._by_sha256.clear()

    def apply(self, record: Record, /) -> None:
        """Apply one record; other pools' are passed over."""
        event = record.event
        self.given_up.apply(event)
        self.installs.apply(event)
        if record.subject.startswith(self._download_prefix):
            self._download(subjects.untoken(record.subject.removeprefix(self._download_prefix)), record.seq, event)
        elif record.subject.startswith(self._file_prefix):
            self.note_file(subjects.untoken(record.subject.removeprefix(self._file_prefix)), record.seq, event)

    def origin(self, path: str) -> Origin:
        """Return what is known about the path's bytes, an empty origin when nothing is."""
        return self._origins.get(path) or Origin()

    def heard_of(self, path: str) -> bool:
        """Tell whether a download brought the path or it was deleted."""
        origin = self._origins.get(path)
        return origin is not None and (origin.fetched is not None or origin.deleted_seq > 0)

    def fetched_with(self, sha256: str) -> Fetched | None:
        """Return the last download of this content, whatever its path."""
        return self.origin(self._by_sha256.get(sha256, "")).fetched

    def open_downloads(self) -> Iterator[OpenDownload]:
        """Yield the downloads that are queued, running, waiting to retry, or paused."""
        return (download for download in self._downloads.values() if download.is_open)

    def open_download(self, target_id: str) -> OpenDownload | None:
        """Return the open download of a target."""
        download = self._downloads.get(target_id)
        return download if download is not None and download.is_open else None

    def note_file(self, path: str, seq: int, event: Event | None) -> None:
        """Take over one fact about a model file; a second time it changes nothing."""
        match event:
            case ModelFileHashed():
                origin = self._touch(path)
                if seq > origin.hashed_seq:
                    origin.hashed_seq, origin.hashed = seq, event
            case ModelFileGone() | ModelFileDeleted() if path in self._origins or isinstance(event, ModelFileDeleted):
                origin = self._touch(path)
                origin.fetched_bytes, origin.sources = None, frozenset()
                if isinstance(event, ModelFileDeleted) and seq > origin.deleted_seq:
                    origin.deleted_seq, origin.deleted = seq, event.provenance
            case _:
                pass

    def _download(self, target_id: str, seq: int, event: Event | None) -> None:
        if isinstance(event, d.DownloadQueued):
            self._downloads[target_id] = OpenDownload(event.download_id, event.target, event.files)
            return
        if isinstance(event, d.DownloadFileCompleted):
            self._completed(event, seq)
        download = self._downloads.get(target_id)
        if download is None or not isinstance(event, d.DownloadEvent) or event.download_id != download.download_id:
            return
        match event:
            case d.DownloadFileCompleted(path=path):
                download.completed.add(path)
                download.failed.discard(path)
            case d.DownloadFileFailed(path=path):
                download.failed.add(path)
            case d.DownloadRetried():
                download.failed.clear()
                download.is_open = True
            case d.DownloadFailed() | d.DownloadCancelled():
                download.is_open = False
                self._forget_ended()
            case d.DownloadCompleted():
                del self._downloads[target_id]
            case _:
                pass
        download.phase = _PHASES.get(type(event), download.phase)

    def _forget_ended(self) -> None:
        ended = [target_id for target_id, download in self._downloads.items() if not download.is_open]
        for target_id in ended[: max(0, len(ended) - MAX_ENDED)]:
            del self._downloads[target_id]

    def _completed(self, event: d.DownloadFileCompleted, seq: int) -> None:
        origin = self._touch(event.path)
        if event.action == "present" and event.size_bytes == origin.fetched_bytes:
            origin.sources |= {event.url}
        else:
            origin.sources = frozenset((event.url,))
        origin.fetched_bytes = event.size_bytes
        before = origin.fetched
        known = before is not None and before.url == event.url and before.size_bytes == event.size_bytes
        origin.fetched = Fetched(
            seq=seq,
            url=event.url,
            size_bytes=event.size_bytes,
            sha256=event.sha256 or (before.sha256 if known and before and event.action == "present" else None),
            etag=event.etag or (before.etag if known and before else None),
            mtime_ns=event.mtime_ns,
        )
        if before is not None and before.sha256 and self._by_sha256.get(before.sha256) == event.path:
            del self._by_sha256[before.sha256]
        if origin.fetched.sha256:
            self._by_sha256[origin.fetched.sha256] = event.path

    def _touch(self, path: str) -> Origin:
        origin = self._origins.pop(path, None) or Origin()
        self._origins[path] = origin
        if len(self._origins) > self._max_paths:
            oldest = next(iter(self._origins))
            fetched = self._origins.pop(oldest).fetched
            if fetched is not None and fetched.sha256 and self._by_sha256.get(fetched.sha256) == oldest:
                del self._by_sha256[fetched.sha256]
        return origin
