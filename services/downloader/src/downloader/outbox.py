"""Facts on their way to the log: stored in order, each tried for as long as the log is away."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable

import structlog
from modeldeck_events.errors import CommandNotAllowedError, ConflictError, UnavailableError
from modeldeck_events.store import Meta

from downloader.domain import WorkerCommand
from downloader.pool_log import PoolLog

SOURCE = "downloader"
STORE_RETRY_S = 0.5
_log = structlog.get_logger(__name__)


class Outbox:
    """The reports of one attempt; bounded, as an attempt has a few per file.

    `refused` is called when the log says that the attempt is over; what was still to be reported is forgotten then.
    """

    def __init__(
        self, log: PoolLog, *, target_id: str, download_id: str, worker: str, refused: Callable[[], None]
    ) -> None:
        self._log = log
        self._target_id = target_id
        self._download_id = download_id
        self._worker = worker
        self._refused = refused
        self._waiting: deque[WorkerCommand] = deque()
        self._posted = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def post(self, command: WorkerCommand) -> None:
        """Report this after everything posted before."""
        self._waiting.append(command)
        self._empty.clear()
        self._posted.set()

    async def emptied(self) -> None:
        """Return when everything posted is in the log, or was refused."""
        await self._empty.wait()

    async def run(self) -> None:
        """Deliver for ever. Cancelled and run again, it goes on with what was not stored: reports may be repeated."""
        while True:
            while self._waiting:
                await self._deliver(self._waiting[0])
                if self._waiting:
                    self._waiting.popleft()
            self._empty.set()
            self._posted.clear()
            await self._posted.wait()

    async def _deliver(self, command: WorkerCommand) -> None:
        meta = worker_meta(self._worker, self._download_id)
        while True:
            try:
                await self._log.execute(self._target_id, command, meta)
            except (UnavailableError, ConflictError) as error:
                _log.debug("report waits for the log", download_id=self._download_id, reason=str(error))
                await asyncio.sleep(STORE_RETRY_S)
            except CommandNotAllowedError as error:
                _log.info("report refused", download_id=self._download_id, code=error.code, reason=str(error))
                self._waiting.clear()
                self._refused()
                return
            else:
                return


def worker_meta(worker: str, download_id: str) -> Meta:
    """Return what the log shall know about a fact that a worker appends; repeated with the same, it is stored once."""
    return Meta(source=SOURCE, actor=worker, command_id=str(uuid.uuid4()), correlation_id=download_id)
