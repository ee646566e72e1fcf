"""Every download by its id: what the log says about it, and how far the newest reading says it is.

The queue and the presets are views of this. What was folded from the log is saved; readings are not, they come again.
Progress shows itself at most four times a second per download (`settle`), facts at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events.readings import DownloadProgress
from modeldeck_events.store import Record

from gateway.boards import words
from gateway.boards.board import Json, array_slices, known

MAX_ENDED = 10_000
"""Ended downloads kept; older ones are found in the log only."""

SETTLE_S = 0.25
"""Least time between two changes of a download's progress (api.md: at most 4 a second)."""

ACTIVE = frozenset({"downloading", "retrying"})
WAITING = frozenset({"queued", "paused"})
ENDED = frozenset({"completed", "failed", "cancelled"})


class Download(msgspec.Struct, kw_only=True):
    """One download as the log has it; `seq` is the position of its `DownloadQueued`, `last_seq` of its last fact."""

    download_id: str
    pool: str
    target: d.Target
    files: tuple[d.FileSpec, ...]
    seq: int
    last_seq: int
    queued_at: datetime
    priority: int
    rank: Decimal
    actor: str = ""
    worker: str = ""
    phase: d.Phase = "queued"
    attempt: int = 0
    run_seq: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    error_code: str | None = None
    tries: int | None = None
    max_tries: int | None = None
    retry_at: datetime | None = None
    total_bytes: int | None = None
    done: dict[str, int] = {}
    failed: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[int, Decimal, int]:
        """Sort key of the waiting list."""
        return (-self.priority, self.rank, self.seq)

    @property
    def declared_bytes(self) -> int | None:
        """Sum of the files' sizes, claimed ones included; None when one is not known at all."""
        sizes = [self.done.get(f.path, f.size_bytes or f.approx_size_bytes) for f in self.files]
        return sum(size for size in sizes if size) if sizes and all(size is not None for size in sizes) else None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """How far a download is, as it is shown at present."""

    attempt: int
    downloaded_bytes: int
    total_bytes: int | None
    progress: float | None
    reading: DownloadProgress | None


class Downloads:
    """The board of all downloads."""

    VERSION = 3
    FOLDS = (d.DownloadEvent,)

    def __init__(self) -> None:
        self.by_id: dict[str, Download] = {}
        self._latest: dict[tuple[str, str], str] = {}
        self._open: dict[str, None] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._readings: dict[str, DownloadProgress] = {}
        self._shown: dict[str, Shown] = {}
        self._pending: set[str] = set()
        self._unsettled: set[str] = set()
        self._items: dict[str, tuple[int, Shown, Json]] = {}
        self._settled_at: dict[str, float] = {}

    def apply(self, record: Record) -> bool:
        """Fold one fact of a download."""
        event: Any = record.event
        step = _STEPS.get(type(event))
        if step is None:
            if isinstance(event, d.DownloadQueued):
                self._queued(event, record)
                return True
            return False
        download_id = event.download_id
        download = self.by_id.get(download_id)
        if download is None:
            return False
        before = download.phase
        step(download, event, record)
        download.last_seq = record.seq
        if type(event) is d.DownloadFileCompleted:
            self._pending.add(download_id)
        else:
            self._unsettled.add(download_id)
            if download.phase != before:
                self._file_under_phase(download)
        return True

    def read(self, reading: DownloadProgress) -> bool:
        """Take a reading; it is shown by the next `settle` that is due."""
        before = self._readings.get(reading.download_id)
        if before is not None and (before.attempt, before.at) > (reading.attempt, reading.at):
            return False
        download = self.by_id.get(reading.download_id)
        if download is not None and download.phase in ENDED:
            return False
        if download is None and len(self._readings) > MAX_ENDED:
            return False
        self._readings[reading.download_id] = reading
        self._pending.add(reading.download_id)
        return True

    def settle(self, now: float) -> float | None:
        """Show the progress that is due at `now` (seconds, monotonic); return when the next is due, None for never."""
        next_due: float | None = None
        for download_id in tuple(self._pending):
            due = self._settled_at.get(download_id, 0.0) + SETTLE_S
            if due > now:
                next_due = due if next_due is None else min(due, next_due)
                continue
            self._pending.discard(download_id)
            download = self.by_id.get(download_id)
            if download is not None and download.phase not in ENDED:
                self._settled_at[download_id] = now
                self._settle(download)
        return next_due

    @property
    def pending(self) -> frozenset[str]:
        """The downloads whose newest progress is not shown yet."""
        return frozenset(self._pending)

    def latest(self, pool: str, target_id: str) -> Download | None:
        """Return the newest download of a target in a pool."""
        return self.by_id.get(self._latest.get((pool, target_id), ""))

    def open(self) -> Iterator[Download]:
        """Return the downloads that have not ended, in no order."""
        return (self.by_id[download_id] for download_id in self._open)

    def ended(self, limit: int) -> Iterator[Download]:
        """Return the last ended ones, newest first."""
        return (self.by_id[download_id] for download_id, _ in zip(reversed(self._ended), range(limit), strict=False))

    def shown(self, download: Download) -> Shown:
        """Return how far a download is shown to be."""
        if download.download_id in self._unsettled:
            self._settle(download)
        found = self._shown.get(download.download_id)
        if found is None:
            found = self._shown[download.download_id] = _progress(download, None, None)
        return found

    def status(self, download: Download) -> str:
        """Return the state in the API's words: `verifying` is a stage of a running transfer."""
        if download.phase == "downloading":
            reading = self.shown(download).reading
            return "verifying" if reading is not None and reading.stage == "verifying" else "downloading"
        return download.phase

    def item(self, download: Download) -> Json:
        """Return one download with everything known about it: the same object for as long as nothing changes."""
        shown = self.shown(download)
        last = self._items.get(download.download_id)
        if last is not None and last[0] == download.last_seq and last[1] is shown:
            return last[2]
        item = self._item(download, shown)
        self._items[download.download_id] = (download.last_seq, shown, item)
        return item

    def _item(self, download: Download, shown: Shown) -> Json:
        item = known(
            preset_id=download.target.preset_id,
            download_id=download.download_id,
            name=download.target.name,
            status=self.status(download),
            progress=shown.progress,
            downloaded_bytes=shown.downloaded_bytes,
            total_bytes=shown.total_bytes,
            attempt=download.attempt or None,
            error=download.error,
            error_code=download.error_code,
            queued_at=words.time(download.queued_at),
            started_at=words.time(download.started_at) if download.started_at else None,
            finished_at=words.time(download.finished_at) if download.finished_at else None,
        )
        if download.phase == "retrying":
            item |= known(
                tries=download.tries,
                max_tries=download.max_tries,
                retry_at=words.time(download.retry_at) if download.retry_at else None,
            )
        if download.phase in ACTIVE and shown.reading is not None:
            item |= _movement(shown.reading, moving=download.phase == "downloading")
        return item

    def full(self, download: Download) -> Json:
        """Return the item with its pool, target, place and files."""
        files = [
            known(
                path=f.path,
                url=f.url,
                kind=f.kind or None,
                size_bytes=download.done.get(f.path, f.size_bytes),
                sha256=f.sha256,
                completed=f.path in download.done,
            )
            for f in download.files
        ]
        return self.item(download) | {
            "pool": download.pool,
            "target_id": download.target.id,
            "priority": download.priority,
            "files": files,
        }

    def state(self) -> Json:
        """Return every download by id."""
        return {download_id: self.full(download) for download_id, download in self.by_id.items()}

    def reset(self) -> None:
        """Forget everything, readings too: they belong to the log that is gone."""
        self.__init__()  # type: ignore[misc]

    def dump(self) -> bytes:
        """Return all downloads, ended ones in the order of their end."""
        return b"".join(self.dump_slices())

    def dump_slices(self) -> Iterator[bytes]:
        """Yield the dump in parts."""
        yield b"["
        yield from array_slices(self.by_id[download_id] for download_id in self._ended)
        yield b","
        yield from array_slices(self.by_id[download_id] for download_id in self._open)
        yield b"]"

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        saved = msgspec.json.decode(data, type=_Saved)
        self.reset()
        for download in sorted((*saved.ended, *saved.open), key=lambda download: download.seq):
            self.by_id[download.download_id] = download
            self._latest[(download.pool, download.target.id)] = download.download_id
        self._ended = OrderedDict.fromkeys(download.download_id for download in saved.ended)
        self._open = dict.fromkeys(download.download_id for download in saved.open)

    def _queued(self, event: d.DownloadQueued, record: Record) -> None:
        download = Download(
            download_id=event.download_id,
            pool=event.pool,
            target=event.target,
            files=event.files,
            seq=record.seq,
            last_seq=record.seq,
            queued_at=record.time,
            priority=event.priority,
            rank=Decimal(record.seq),
            actor=record.actor,
        )
        self._shown.pop(event.download_id, None)  # two installations of a target in one second share their id
        self.by_id[event.download_id] = download
        self._latest[(event.pool, event.target.id)] = event.download_id
        self._file_under_phase(download)

    def _file_under_phase(self, download: Download) -> None:
        download_id = download.download_id
        if download.phase not in ENDED:
            self._open[download_id] = None
            self._ended.pop(download_id, None)
            return
        self._open.pop(download_id, None)
        self._ended.pop(download_id, None)
        self._ended[download_id] = None
        self._settled_at.pop(download_id, None)
        self._pending.discard(download_id)
        self._unsettled.discard(download_id)
        self._readings.pop(download_id, None)
        self._shown.pop(download_id, None)
        if len(self._ended) > MAX_ENDED:
            self._forget(next(iter(self._ended)))

    def _forget(self, download_id: str) -> None:
        del self._ended[download_id]
        self._shown.pop(download_id, None)
        self._items.pop(download_id, None)
        old = self.by_id.pop(download_id)
        key = (old.pool, old.target.id)
        if self._latest.get(key) == download_id:
            del self._latest[key]

    def _settle(self, download: Download) -> None:
        download_id = download.download_id
        self._unsettled.discard(download_id)
        if download.phase not in ENDED:
            shown = _progress(download, self._readings.get(download_id), self._shown.get(download_id))
            self._shown[download_id] = shown


class _Saved(msgspec.Struct, array_like=True):
    ended: list[Download]
    open: list[Download]


def _progress(download: Download, reading: DownloadProgress | None, before: Shown | None) -> Shown:
    """Return what to show: never less within an attempt unless bytes were really discarded, never above 100.

    A reading of an earlier attempt tells how many bytes there are until the present one tells its own. What has ended
    is shown by the log alone, so that it looks the same after a restart.
    """
    if reading is not None and reading.attempt > download.attempt:  # its fact is still to come
        reading = None
    same_attempt = before is not None and before.attempt == download.attempt
    if reading is None and same_attempt and before is not None:
        reading = before.reading
    got = max(sum(download.done.values()), reading.downloaded_bytes if reading else 0)
    total = download.total_bytes or (reading.total_bytes if reading else None) or download.declared_bytes
    if reading is not None and reading.attempt != download.attempt:
        reading = None
    if download.phase == "completed":
        return Shown(
            attempt=download.attempt,
            downloaded_bytes=total or got,
            total_bytes=total or got,
            progress=100.0,
            reading=None,
        )
    if total is None:
        return Shown(attempt=download.attempt, downloaded_bytes=got, total_bytes=None, progress=None, reading=reading)
    total = max(total, got)
    progress = min(round(100 * got / total, 1), 99.9 if got < total else 100.0) if total else 0.0
    if same_attempt and before is not None and before.progress is not None and got >= before.downloaded_bytes:
        progress = max(progress, before.progress)
    return Shown(attempt=download.attempt, downloaded_bytes=got, total_bytes=total, progress=progress, reading=reading)


def _movement(reading: DownloadProgress, *, moving: bool) -> Json:
    speed_bps = max(0.0, round(reading.speed_bps)) if moving else None
    eta_s = round(reading.eta_s) if moving and reading.eta_s is not None and reading.eta_s >= 0 else None
    return known(
        speed=words.speed(speed_bps) if speed_bps is not None else None,
        speed_bps=speed_bps,
        eta=words.duration(eta_s) if eta_s is not None else None,
        eta_s=eta_s,
        file={
            "path": reading.file_path,
            "kind": reading.file_kind,
            "index": reading.file_index,
            "count": reading.file_count,
        },
    )


def _wait(download: Download, *, phase: Literal["queued", "paused"]) -> None:
    download.phase = phase
    download.finished_at = None
    download.error = download.error_code = None
    download.tries = download.max_tries = download.retry_at = None


def _started(download: Download, event: d.DownloadStarted, record: Record) -> None:
    if download.phase not in ACTIVE:
        download.started_at = record.time
    _wait(download, phase="queued")
    download.phase, download.attempt, download.run_seq = "downloading", event.attempt, record.seq
    download.worker = event.worker


def _interrupted(download: Download, _event: d.DownloadInterrupted, _record: Record) -> None:
    _wait(download, phase="queued")


def _file_completed(download: Download, event: d.DownloadFileCompleted, _record: Record) -> None:
    download.done[event.path] = event.size_bytes
    download.failed = tuple(path for path in download.failed if path != event.path)


def _file_failed(download: Download, event: d.DownloadFileFailed, _record: Record) -> None:
    download.phase = "downloading"
    download.failed = tuple(dict.fromkeys((*download.failed, event.path)))
    download.error, download.error_code = event.failure.message, event.failure.code


def _retry_scheduled(download: Download, event: d.DownloadRetryScheduled, _record: Record) -> None:
    download.phase = "retrying"
    download.error, download.error_code = event.failure.message, event.failure.code
    download.tries, download.max_tries, download.retry_at = event.tries, event.max_tries, event.retry_at


def _retry_began(download: Download, _event: d.DownloadRetryBegan, _record: Record) -> None:
    download.phase = "downloading"
    download.retry_at = None


def _paused(download: Download, event: d.DownloadPaused, _record: Record) -> None:
    _wait(download, phase="paused")
    if event.reason != "user":
        download.error, download.error_code = event.message or "There is not enough space.", event.reason


def _resumed(download: Download, _event: d.DownloadResumed, _record: Record) -> None:
    _wait(download, phase="queued")


def _moved(download: Download, event: d.DownloadMoved, _record: Record) -> None:
    download.priority, download.rank = event.priority, event.rank


def _retried(download: Download, event: d.DownloadRetried, _record: Record) -> None:
    _wait(download, phase="queued")
    download.started_at, download.failed = None, ()
    if event.force:
        download.done.clear()


def _completed(download: Download, event: d.DownloadCompleted, record: Record) -> None:
    _wait(download, phase="queued")
    download.phase, download.finished_at, download.total_bytes = "completed", record.time, event.total_bytes


def _failed(download: Download, event: d.DownloadFailed, record: Record) -> None:
    _wait(download, phase="queued")
    download.phase, download.finished_at = "failed", record.time
    download.error, download.error_code = event.failure.message, event.failure.code


def _cancelled(download: Download, _event: d.DownloadCancelled, record: Record) -> None:
    _wait(download, phase="queued")
    download.phase, download.finished_at = "cancelled", record.time


_STEPS: dict[type[Any], Callable[[Download, Any, Record], None]] = {
    d.DownloadStarted: _started,
    d.DownloadInterrupted: _interrupted,
    d.DownloadFileCompleted: _file_completed,
    d.DownloadFileFailed: _file_failed,
    d.DownloadRetryScheduled: _retry_scheduled,
    d.DownloadRetryBegan: _retry_began,
    d.DownloadPaused: _paused,
    d.DownloadResumed: _resumed,
    d.DownloadMoved: _moved,
    d.DownloadRetried: _retried,
    d.DownloadCompleted: _completed,
    d.DownloadFailed: _failed,
    d.DownloadCancelled: _cancelled,
}
