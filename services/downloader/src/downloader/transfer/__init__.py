"""Turns "fetch this file" into verified bytes under their final name.

    async with Transfer(models_dir=..., sources=Sources(...), limiter=BandwidthLimiter(), connections=8) as transfer:
        result = await transfer.fetch(request, on_progress=..., known=...)

`Transfer.fetch(request, *, on_progress, known) -> FileResult`
    Many calls may run at the same time. Returns only when the file is verified, synced and renamed, and its folder
    synced. Raises `TransferError` (the tree is in `downloader.errors`). Cancelling the task is how a download is
    paused: staged bytes are journaled, the lock released, the sockets closed before `CancelledError` leaves. A second
    call for a path that is being fetched, in this process or another, raises `LockedError`.
`await Transfer.discard(path)`
    Deletes what was staged for a path.
`Transfer.check_path(path)`
    Raises `RefusedError("path_refused")` for a path that could never be written; for handlers, before queuing.
`await Transfer.room()`
    `Room(free_bytes, reserve_bytes)` of the models volume: how a worker learns that space came back.
`BandwidthLimiter.set_limit(bytes_per_s | None)`
    Changes the one limit of all transfers, at once.

What a kill -9 costs: the journal claims a range only after its `write` returned, and the page cache outlives the
process, so only bytes in memory are fetched again (bounded below 8 MiB). A power cut may lose the page cache: claims
made under another boot id count only as far as a journal line that followed an `fdatasync` says so.
"""

from downloader.errors import (
    DiskError,
    LinkError,
    LockedError,
    NoSpaceError,
    PathConflictError,
    RefusedError,
    SourceError,
    TransferError,
    VerificationError,
)
from downloader.limits import BandwidthLimiter
from downloader.transfer.engine import Room, Transfer
from downloader.transfer.locator import Stated
from downloader.transfer.model import FileRequest, FileResult, KnownFile, KnownFiles, NothingKnown, OnProgress

__all__ = [
    "BandwidthLimiter",
    "DiskError",
    "FileRequest",
    "FileResult",
    "KnownFile",
    "KnownFiles",
    "LinkError",
    "LockedError",
    "NoSpaceError",
    "NothingKnown",
    "OnProgress",
    "PathConflictError",
    "RefusedError",
    "Room",
    "SourceError",
    "Stated",
    "Transfer",
    "TransferError",
    "VerificationError",
]
