"""What keeps the pool going without anybody asking: lost permits are replaced, and room on the disk is noticed."""

from __future__ import annotations

import asyncio
import time

import structlog
from modeldeck_events.errors import CommandNotAllowedError, ConflictError, UnavailableError
from modeldeck_events.projector import Projector

from downloader.domain import RUNNING, ContinueWithSpace, Download
from downloader.outbox import worker_meta
from downloader.permits import PermitBody, Permits
from downloader.planning import Planner
from downloader.pool_log import PoolLog
from downloader.queue import QueueFold

RECONCILE_S = 5.0
SPACE_S = 3.0
SMALLEST_ROOM_BYTES = 16 * 1024 * 1024
"""Less room than this is not worth waking up for, even if fewer bytes are missing by what is known."""
_log = structlog.get_logger(__name__)


class PermitKeeper:
    """Every runnable or running download has a permit on JOBS; what was lost there is published again.

    Missing twice in a row: the policy that publishes them may just be on its way. Too many do no harm.
    """

    def __init__(self, *, queue: QueueFold, projector: Projector, permits: Permits) -> None:
        self._queue = queue
        self._projector = projector
        self._permits = permits
        self._missed_before = False

    async def run(self) -> None:
        """Look every 5 s, for ever."""
        while True:
            try:
                await self.look()
            except UnavailableError as error:
                _log.debug("permits could not be counted", reason=str(error))
            await asyncio.sleep(RECONCILE_S)

    async def look(self) -> int:
        """Compare once; return how many permits were published."""
        await self._permits.check()
        await self._permits.ensure(self._queue.settings.max_concurrent)
        wanted = self._queue.in_phase("queued", *RUNNING)
        missing = len(wanted) - await self._permits.count()
        missed_before, self._missed_before = self._missed_before, missing > 0
        if missing <= 0 or not missed_before:
            return 0
        _log.warning("permits were lost; publishing them again", missing=missing)
        bucket = int(time.time() // RECONCILE_S)  # two processes that see the same publish the same
        for number, state in enumerate(wanted[:missing]):
            body = PermitBody(
                target_id=state.target.id if state.target else "",
                download_id=state.download_id,
                event_id="",
                seq=self._queue.seq,
                epoch=self._projector.epoch,
            )
            await self._permits.publish(body, dedupe_id=f"lost-{self._queue.pool}-{bucket}-{number}")
        return missing


class SpaceWatcher:
    """Resumes what was paused for want of space as soon as there is room for what it still needs."""

    def __init__(self, *, queue: QueueFold, planner: Planner, log: PoolLog, worker: str) -> None:
        self._queue = queue
        self._planner = planner
        self._log = log
        self._worker = worker

    async def run(self) -> None:
        """Look every 3 s, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(SPACE_S)

    async def look(self) -> None:
        """Resume the first of the queue that fits; the next look sees what it left."""
        for state in self._queue.in_phase("paused"):
            if state.pause_reason == "no_space" and state.target is not None and self._has_room(state):
                command = ContinueWithSpace(state.download_id)
                try:
                    await self._log.execute(state.target.id, command, worker_meta(self._worker, state.download_id))
                except (CommandNotAllowedError, ConflictError, UnavailableError) as error:
                    _log.debug("not resumed", download_id=state.download_id, reason=str(error))
                return

    def _has_room(self, state: Download) -> bool:
        files = [spec for spec in state.files if spec.path not in state.completed]
        # What was missing when it stopped counts, too: else one whose size nobody states would start again and again.
        wanted = max(SMALLEST_ROOM_BYTES, state.needed_bytes)
        return bool(files) and self._planner.has_room(files, at_least_bytes=wanted)
