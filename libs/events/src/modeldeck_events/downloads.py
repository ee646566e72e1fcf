"""Commands and facts of the download of a target (a preset or a single file) into a pool.

The aggregate is the target in its pool, subject `evt.download.<pool>.<target id>`: each installation of the target is
one `download_id` inside it, so the guard on the subject makes a second simultaneous installation impossible.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from modeldeck_events import subjects
from modeldeck_events.message import Command, Event, Message

AGGREGATE = "download"

Phase = Literal["available", "queued", "downloading", "retrying", "paused", "completed", "failed", "cancelled"]
"""`verifying` of the HTTP states is a stage of a running transfer and comes with its progress readings."""

PauseReason = Literal["user", "no_space"]
Verified = Literal["sha256", "header", "size"]
"""How a file was checked: by a hash known beforehand, by its container's header, or by its size alone."""


class FileSpec(Message, frozen=True, kw_only=True):
    """One file of a target.

    `path` is relative to the pool's models folder, POSIX style, already validated (`paths.check_model_path`).
    `size_bytes` is exact; `approx_size_bytes` is what a catalog claims in words such as "4.8GB". `replaces_url` marks
    an update: the file that has the path may be replaced when it is, unchanged, the one that came from that URL.
    """

    path: str
    url: str
    kind: str = ""
    size_bytes: int | None = None
    approx_size_bytes: int | None = None
    sha256: str | None = None
    optional: bool = False
    replaces_url: str | None = None


class Target(Message, frozen=True, kw_only=True):
    """What is downloaded: `id` is `preset:<preset id>` or `file:<path>`; `preset_id` is set for presets."""

    id: str
    kind: Literal["preset", "file"]
    name: str
    preset_id: str | None = None


class FailureInfo(Message, frozen=True, kw_only=True):
    """Why a transfer failed: `code` is stable snake_case, `message` says it in plain words."""

    code: str
    message: str
    host: str | None = None
    status: int | None = None


class DownloadEvent(Event, frozen=True, kw_only=True):
    """Base of a download's facts."""

    download_id: str


class DownloadQueued(DownloadEvent, frozen=True, kw_only=True):
    """A target was accepted. `rank` None means: the sequence of this event (see `DownloadMoved`)."""

    TYPE: ClassVar[str] = "modeldeck.download.queued.v1"
    pool: str
    target: Target
    files: tuple[FileSpec, ...]
    priority: int = 0
    force: bool = False


class DownloadStarted(DownloadEvent, frozen=True, kw_only=True):
    """A worker claimed the download; attempt counts claims and retries from 1, a higher one fences the lower.

    `permit_seq` is the sequence of the permit on JOBS under which it runs.
    """

    TYPE: ClassVar[str] = "modeldeck.download.started.v1"
    attempt: int
    worker: str
    permit_seq: int = 0


class DownloadInterrupted(DownloadEvent, frozen=True, kw_only=True):
    """The worker gave its claim back in good order (shutdown); the download is queued again at its old place."""

    TYPE: ClassVar[str] = "modeldeck.download.interrupted.v1"
    attempt: int
    reason: str = "shutdown"


class DownloadFileCompleted(DownloadEvent, frozen=True, kw_only=True):
    """One file stands whole under its final name.

    `action`: downloaded, present (already there and right) or linked (same content elsewhere, hard link or copy).
    `fetched_bytes` came over the network in this attempt, `resumed_from_bytes` were already in staging. `mtime_ns` is
    the file's modification time on the disk: a later one tells that somebody changed it.
    """

    TYPE: ClassVar[str] = "modeldeck.download.file-completed.v1"
    attempt: int
    path: str
    url: str
    size_bytes: int
    sha256: str | None = None
    verified: Verified
    action: Literal["downloaded", "present", "linked"] = "downloaded"
    host: str | None = None
    etag: str | None = None
    fetched_bytes: int = 0
    resumed_from_bytes: int = 0
    mtime_ns: int | None = None


class DownloadFileFailed(DownloadEvent, frozen=True, kw_only=True):
    """One file was given up after `tries` tries; the download goes on with its other files (R-047)."""

    TYPE: ClassVar[str] = "modeldeck.download.file-failed.v1"
    attempt: int
    path: str
    failure: FailureInfo
    tries: int


class DownloadRetryScheduled(DownloadEvent, frozen=True, kw_only=True):
    """Try number `tries` of a file failed; the next one comes at `retry_at`."""

    TYPE: ClassVar[str] = "modeldeck.download.retry-scheduled.v1"
    attempt: int
    path: str
    failure: FailureInfo
    tries: int
    max_tries: int
    retry_at: datetime


class DownloadRetryBegan(DownloadEvent, frozen=True, kw_only=True):
    """The wait is over: the transfer runs again."""

    TYPE: ClassVar[str] = "modeldeck.download.retry-began.v1"
    attempt: int
    path: str


class DownloadPaused(DownloadEvent, frozen=True, kw_only=True):
    """Paused by a person, or for want of space; partial bytes stay.

    `needed_bytes` is how much more room the file wants, as far as that was known when there was too little.
    """

    TYPE: ClassVar[str] = "modeldeck.download.paused.v1"
    reason: PauseReason = "user"
    message: str = ""
    needed_bytes: int = 0


class DownloadResumed(DownloadEvent, frozen=True, kw_only=True):
    """Runnable again, at its old place in the queue."""

    TYPE: ClassVar[str] = "modeldeck.download.resumed.v1"
    reason: Literal["user", "space_available"] = "user"


class DownloadMoved(DownloadEvent, frozen=True, kw_only=True):
    """New place in the queue, which is ordered by (-priority, rank, seq of DownloadQueued)."""

    TYPE: ClassVar[str] = "modeldeck.download.moved.v1"
    priority: int
    rank: Decimal


class DownloadRetried(DownloadEvent, frozen=True, kw_only=True):
    """A failed or cancelled download was queued again by a person; bytes still valid are kept unless `force`."""

    TYPE: ClassVar[str] = "modeldeck.download.retried.v1"
    force: bool = False


class DownloadCompleted(DownloadEvent, frozen=True, kw_only=True):
    """Every file stands whole and verified under its final name."""

    TYPE: ClassVar[str] = "modeldeck.download.completed.v1"
    attempt: int
    total_bytes: int


class DownloadFailed(DownloadEvent, frozen=True, kw_only=True):
    """Ended without all files; `failed_paths` could not be had, `failure` is the first one's."""

    TYPE: ClassVar[str] = "modeldeck.download.failed.v1"
    attempt: int
    failure: FailureInfo
    failed_paths: tuple[str, ...] = ()


class DownloadCancelled(DownloadEvent, frozen=True, kw_only=True):
    """Cancelled by a person; staging is deleted unless `keep_partial`."""

    TYPE: ClassVar[str] = "modeldeck.download.cancelled.v1"
    keep_partial: bool = True


EVENTS: tuple[type[DownloadEvent], ...] = (
    DownloadQueued,
    DownloadStarted,
    DownloadInterrupted,
    DownloadFileCompleted,
    DownloadFileFailed,
    DownloadRetryScheduled,
    DownloadRetryBegan,
    DownloadPaused,
    DownloadResumed,
    DownloadMoved,
    DownloadRetried,
    DownloadCompleted,
    DownloadFailed,
    DownloadCancelled,
)


def subject(pool: str, target_id: str) -> str:
    """Subject of one target's facts in a pool."""
    return subjects.event(AGGREGATE, pool, target_id)


class DownloadCommand(Command, frozen=True, kw_only=True):
    """Base of what can be asked of the downloader about one target.

    `download_id`, when given, must be the target's present one (else 404), so that a stale page cannot hit a newer run.
    """

    SERVICE: ClassVar[str] = "downloader"
    KEY: ClassVar[str] = "pool"
    pool: str
    target_id: str
    download_id: str | None = None


class QueueDownload(DownloadCommand, frozen=True, kw_only=True):
    """Queue a target; already queued, running or paused: the present download answers; all present: `installed`.

    With `again` it is queued also when all is present: what was uninstalled, and whose files stayed for others, is
    wanted again, and the log has to say so. Reply data: `{status, download_id}`.
    """

    VERB: ClassVar[str] = "queue"
    target: Target
    files: tuple[FileSpec, ...]
    priority: int = 0
    force: bool = False
    again: bool = False


class PauseDownload(DownloadCommand, frozen=True, kw_only=True):
    """Pause a queued, running or retrying download."""

    VERB: ClassVar[str] = "pause"


class ResumeDownload(DownloadCommand, frozen=True, kw_only=True):
    """Resume a paused download."""

    VERB: ClassVar[str] = "resume"


class CancelDownload(DownloadCommand, frozen=True, kw_only=True):
    """Cancel a queued, running, retrying or paused download."""

    VERB: ClassVar[str] = "cancel"
    keep_partial: bool = True


class RetryDownload(DownloadCommand, frozen=True, kw_only=True):
    """Queue a failed or cancelled download again under the same download id."""

    VERB: ClassVar[str] = "retry"
    force: bool = False


class MoveDownload(DownloadCommand, frozen=True, kw_only=True):
    """Move a waiting download to `position` (1 is the top) of the waiting list; beyond the end means the end."""

    VERB: ClassVar[str] = "move"
    position: int


class PlanFiles(Command, frozen=True, kw_only=True):
    """Dry run: what queueing these files would need. Reply data: `{volumes: [{path, needed_bytes, present_bytes,
    shared_bytes, reserved_bytes, free_bytes, fits}], files: [{path, url, size_bytes, action, conflict?}]}`.
    """

    SERVICE: ClassVar[str] = "downloader"
    VERB: ClassVar[str] = "plan"
    KEY: ClassVar[str] = "pool"
    pool: str
    files: tuple[FileSpec, ...]


COMMANDS: tuple[type[Command], ...] = (
    QueueDownload,
    PauseDownload,
    ResumeDownload,
    CancelDownload,
    RetryDownload,
    MoveDownload,
    PlanFiles,
)
