"""What follows from a download's facts: a permit when it became runnable, deleted staging when it was cancelled so.

Both are durable: a process killed between the fact and its consequence leaves the rest to the next one.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog
from modeldeck_events import downloads as d
from modeldeck_events.errors import TransientError
from modeldeck_events.projector import Projector
from modeldeck_events.store import Record

from downloader.domain import Download
from downloader.permits import PermitBody, Permits
from downloader.queue import QueueFold
from downloader.transfer import LockedError

RUNNABLE = (d.DownloadQueued, d.DownloadResumed, d.DownloadRetried, d.DownloadInterrupted)
FOLD_TIMEOUT_S = 5.0
LOCKED_WAIT_S = 10.0
LOCKED_POLL_S = 0.1
LOCKED_DELAY_S = 15.0
_log = structlog.get_logger(__name__)


class Discards(Protocol):
    """The part of the transfer engine that deletes what was staged."""

    async def discard(self, path: str) -> None:
        """Delete the staging of a path; raises LockedError while somebody writes it."""
        ...


class Policies:
    """Handlers of the pool's facts; every one may be called again with the same fact."""

    def __init__(self, *, queue: QueueFold, projector: Projector, permits: Permits, transfer: Discards) -> None:
        self._queue = queue
        self._projector = projector
        self._permits = permits
        self._transfer = transfer

    async def permit(self, record: Record) -> None:
        """Publish one permit for a fact that made a download runnable, deduplicated by the fact's id."""
        event = record.event
        if not isinstance(event, RUNNABLE):
            return
        state = await self._present(record, event)
        if state.download_id != event.download_id or state.phase in ("completed", "failed", "cancelled"):
            return  # old history, read by a consumer that was made again
        if state.target is None:
            raise AssertionError("a queued download has a target")
        body = PermitBody(
            target_id=state.target.id,
            download_id=event.download_id,
            event_id=record.id,
            seq=record.seq,
            epoch=self._projector.epoch,
        )
        await self._permits.publish(body, dedupe_id=record.id)

    async def clean(self, record: Record) -> None:
        """Delete what a cancelled download left in staging, unless somebody wants the same file."""
        event = record.event
        if not isinstance(event, d.DownloadCancelled) or event.keep_partial:
            return
        state = await self._present(record, event)
        if state.download_id != event.download_id or state.phase != "cancelled":
            return  # retried meanwhile: its bytes are wanted again
        wanted = self._queue.pending_files()
        for spec in state.files:
            if spec.path in wanted:
                _log.info("staged bytes kept for another download", path=spec.path, download_id=event.download_id)
                continue
            await self._discard(spec.path)

    async def _discard(self, path: str) -> None:
        """Delete what is staged as soon as the transfer has let go of it: it syncs first what it has."""
        deadline = asyncio.get_running_loop().time() + LOCKED_WAIT_S
        while True:
            try:
                return await self._transfer.discard(path)
            except LockedError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise TransientError(f"{path} is still being written", delay_s=LOCKED_DELAY_S) from error
            await asyncio.sleep(LOCKED_POLL_S)

    async def _present(self, record: Record, event: d.DownloadEvent) -> Download:
        if not await self._projector.wait_for(record.seq, FOLD_TIMEOUT_S):
            raise TransientError(f"the queue has not reached {record.seq}, which tells of {event.download_id}")
        return self._queue.by_subject(record.subject)
