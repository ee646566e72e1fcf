"""What this pool's downloads say of files on the disk, and whether one runs right now. Pure; rebuilt from the log."""

from __future__ import annotations

from modeldeck_events import downloads, subjects
from modeldeck_events import downloads as d
from modeldeck_events.store import Record

from catalog.stamps import Stamp

_RUNNING = (d.DownloadStarted, d.DownloadRetryBegan)
_AT_REST = (
    d.DownloadInterrupted,
    d.DownloadRetryScheduled,
    d.DownloadPaused,
    d.DownloadCompleted,
    d.DownloadFailed,
    d.DownloadCancelled,
)


class DownloadsFold:
    """The last completed download of each path, and which downloads run."""

    def __init__(self, pool: str) -> None:
        self.completed: dict[str, d.DownloadFileCompleted] = {}
        self._running: set[str] = set()
        self._prefix = f"{subjects.event(downloads.AGGREGATE, pool)}."

    @property
    def subjects(self) -> str:
        """What this fold has to see."""
        return f"{self._prefix}>"

    @property
    def running(self) -> bool:
        """Whether bytes are being fetched."""
        return bool(self._running)

    def sha256(self, path: str, stamp: Stamp) -> str | None:
        """Return the hash of the file at `path` if it is as a download left it."""
        done = self.completed.get(path)
        if done is None or (done.size_bytes, done.mtime_ns) != (stamp.size_bytes, stamp.mtime_ns):
            return None
        return done.sha256

    def apply(self, record: Record, /) -> None:
        """Apply one record; other pools' are passed over."""
        if not record.subject.startswith(self._prefix):
            return
        match record.event:
            case d.DownloadFileCompleted() as completed:
                self.completed[completed.path] = completed
            case event if isinstance(event, _RUNNING):
                self._running.add(record.subject)
            case event if isinstance(event, _AT_REST):
                self._running.discard(record.subject)

    def reset(self) -> None:
        """Start from zero."""
        self.completed.clear()
        self._running.clear()
