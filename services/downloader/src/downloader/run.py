"""One claimed download: its files one after another, retries and waits as facts, progress as readings.

Nothing here waits for NATS before moving bytes: facts go through an outbox that stores them in order, however long the
bus is away; readings are dropped then. What others decide (pause, cancel, another claim) ends the run at once.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from modeldeck_events import downloads as d
from modeldeck_events.readings import DownloadProgress

from downloader import metrics
from downloader.domain import Download, Report, ReportFinished, ReportNoSpace
from downloader.outbox import Outbox
from downloader.pool_log import PoolLog
from downloader.progress import INTERVAL_S, ProgressMeter
from downloader.retry import Budget, RetryRules
from downloader.transfer import (
    FileRequest,
    FileResult,
    KnownFiles,
    LockedError,
    NoSpaceError,
    OnProgress,
    Stated,
    TransferError,
)

LOCKED_POLL_S = 0.5
SIGN_OF_LIFE_S = 1.0
LONGEST_WAIT_S = 3600.0
"""Whom a server asks to wait longer than this gives the file up: a waiting download holds up the ones behind it."""

StopReason = Literal["fact", "queue_paused", "shutdown"]


class Fetches(Protocol):
    """The part of the transfer engine that a run uses."""

    async def fetch(self, request: FileRequest, *, on_progress: OnProgress, known: KnownFiles) -> FileResult:
        """Return when the file is whole; see `downloader.transfer`."""
        ...

    async def ask(self, url: str) -> Stated:
        """Return what the source states about a file."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What every run of a process shares."""

    pool: str
    worker: str
    log: PoolLog
    transfer: Fetches
    known: KnownFiles
    rules: RetryRules
    publish: Callable[[DownloadProgress], Awaitable[None]]
    """Drops what it cannot deliver: the next reading is newer."""


class Run:
    """The work on one claim; `stopped` tells why it ended early."""

    def __init__(self, claimed: Download, target_id: str, tools: Tools) -> None:
        self.target_id = target_id
        self.download_id = claimed.download_id
        self.attempt = claimed.attempt
        self.stopped: StopReason | None = None
        self._claimed = claimed
        self._tools = tools
        self._meter = ProgressMeter(
            pool=tools.pool,
            target_id=target_id,
            download_id=claimed.download_id,
            attempt=claimed.attempt,
            files=claimed.files,
        )
        self._work: asyncio.Task[None] | None = None
        self._outbox = Outbox(
            tools.log,
            target_id=target_id,
            download_id=claimed.download_id,
            worker=tools.worker,
            refused=lambda: self.stop("fact"),
        )
        self._moved = asyncio.Event()
        self._transferring = False

    def stop(self, reason: StopReason) -> None:
        """End the transfer now; staged bytes stay. The first reason counts."""
        if self.stopped is None:
            self.stopped = reason
            if self._work is not None:
                self._work.cancel()

    async def execute(self) -> None:
        """Work until every file is had or given up, or the run is stopped; returns with all its facts in the log.

        Cancelling this gives up on storing what is left in the outbox.
        """
        background = [
            asyncio.create_task(part) for part in (self._outbox.run(), self._tell_progress(), self._measure())
        ]
        self._work = asyncio.create_task(self._work_through(), name=f"download {self.download_id}")
        try:
            if self.stopped is not None:
                self._work.cancel()
            await asyncio.wait({self._work})
            if self.stopped in ("queue_paused", "shutdown"):
                reason = self.stopped
                self._outbox.post(
                    Report(d.DownloadInterrupted(download_id=self.download_id, attempt=self.attempt, reason=reason))
                )
            elif not self._work.cancelled():
                self._work.result()
            await self._outbox.emptied()
        finally:
            for task in (self._work, *background):
                task.cancel()
            await asyncio.gather(self._work, *background, return_exceptions=True)

    async def fail(self, code: str, message: str) -> None:
        """Give every open file up: something that no retry cures happened in this program."""
        failure = d.FailureInfo(code=code, message=message)
        for spec in self._claimed.files:
            if spec.path not in self._claimed.completed:
                self._outbox.post(
                    Report(
                        d.DownloadFileFailed(
                            download_id=self.download_id, attempt=self.attempt, path=spec.path, failure=failure, tries=1
                        )
                    )
                )
        self._outbox.post(ReportFinished(self.download_id, self.attempt))
        delivering = asyncio.create_task(self._outbox.run())
        try:
            await self._outbox.emptied()
        finally:
            delivering.cancel()

    async def _work_through(self) -> None:
        waiting = deque(self._claimed.files)
        locked = 0
        while waiting:
            spec = waiting.popleft()
            try:
                await self._get(spec)
                locked = 0
            except LockedError:  # another download, or the claim's former holder, writes it just now
                waiting.append(spec)
                locked += 1
                if locked >= len(waiting):
                    await asyncio.sleep(LOCKED_POLL_S)
                    locked = 0
            except NoSpaceError as error:
                self._outbox.post(ReportNoSpace(self.download_id, self.attempt, error.message, error.needed_bytes))
                return
        await self._publish()
        self._outbox.post(ReportFinished(self.download_id, self.attempt))

    async def _get(self, spec: d.FileSpec) -> None:
        """Bring one file, or report that it was given up. Raises LockedError and NoSpaceError."""
        self._meter.begin(spec.path)
        budget = Budget(self._tools.rules)
        request = FileRequest(
            path=spec.path,
            url=spec.url,
            size_bytes=spec.size_bytes,
            approx_size_bytes=spec.approx_size_bytes,
            sha256=spec.sha256,
            replaces_url=spec.replaces_url,
            # Once it replaced the file in this download, a second claim finds the right one there.
            force=self._claimed.force and spec.path not in self._claimed.completed,
        )
        while True:
            try:
                result = await self._fetch(request, budget)
            except (LockedError, NoSpaceError):
                raise
            except TransferError as error:
                failure = d.FailureInfo(code=error.code, message=error.message, host=error.host, status=error.status)
                may_retry = budget.failed(fetched_bytes=error.fetched_bytes, discarded=error.code == "source_changed")
                too_long = (error.retry_after_s or 0) > LONGEST_WAIT_S
                if too_long or not (error.retryable and may_retry):
                    self._give_up(spec, failure, budget.tries)
                    return
                await self._wait_for_retry(spec, failure, budget, error.retry_after_s)
            else:
                self._completed(spec, result)
                return

    async def _fetch(self, request: FileRequest, budget: Budget) -> FileResult:
        def on_progress(done_bytes: int, total_bytes: int | None, stage: Literal["downloading", "verifying"]) -> None:
            budget.progressed(done_bytes)
            self._meter.moved(done_bytes, total_bytes, stage, asyncio.get_running_loop().time())
            self._moved.set()

        self._transferring = True
        try:
            return await self._tools.transfer.fetch(request, on_progress=on_progress, known=self._tools.known)
        except TransferError as error:
            if self.stopped is not None:  # both at once: a task group tells its errors and forgets the cancellation
                raise asyncio.CancelledError from error
            raise
        finally:
            self._transferring = False

    def _completed(self, spec: d.FileSpec, result: FileResult) -> None:
        metrics.FILES.labels(result.action).inc()
        metrics.FETCHED_BYTES.inc(result.fetched_bytes)
        self._meter.ended(spec.path, result.size_bytes)
        self._moved.set()
        self._outbox.post(
            Report(
                d.DownloadFileCompleted(
                    download_id=self.download_id,
                    attempt=self.attempt,
                    path=spec.path,
                    url=spec.url,
                    size_bytes=result.size_bytes,
                    sha256=result.sha256,
                    verified=result.verified,
                    action=result.action,
                    host=result.final_host,
                    etag=result.etag,
                    fetched_bytes=result.fetched_bytes,
                    resumed_from_bytes=result.resumed_from_bytes,
                    mtime_ns=result.mtime_ns,
                )
            )
        )

    def _give_up(self, spec: d.FileSpec, failure: d.FailureInfo, tries: int) -> None:
        metrics.FILES.labels("failed").inc()
        self._meter.ended(spec.path, None)
        self._outbox.post(
            Report(
                d.DownloadFileFailed(
                    download_id=self.download_id, attempt=self.attempt, path=spec.path, failure=failure, tries=tries
                )
            )
        )

    async def _wait_for_retry(
        self, spec: d.FileSpec, failure: d.FailureInfo, budget: Budget, retry_after_s: float | None
    ) -> None:
        metrics.RETRIES.labels(failure.code).inc()
        rules = self._tools.rules
        delay_s = rules.delay_s(budget.tries, retry_after_s=retry_after_s, chance=random.random())  # noqa: S311 - jitter
        self._outbox.post(
            Report(
                d.DownloadRetryScheduled(
                    download_id=self.download_id,
                    attempt=self.attempt,
                    path=spec.path,
                    failure=failure,
                    tries=budget.tries,
                    max_tries=rules.attempts,
                    retry_at=datetime.now(UTC) + timedelta(seconds=delay_s),
                )
            )
        )
        await asyncio.sleep(delay_s)
        self._outbox.post(
            Report(d.DownloadRetryBegan(download_id=self.download_id, attempt=self.attempt, path=spec.path))
        )

    async def _tell_progress(self) -> None:
        """Publish at most 4 readings a second while bytes move, and one a second while they do not."""
        while True:
            try:
                async with asyncio.timeout(SIGN_OF_LIFE_S):
                    await self._moved.wait()
            except TimeoutError:
                self._meter.idle(asyncio.get_running_loop().time())
            self._moved.clear()
            if self._transferring:
                await self._publish()
                await asyncio.sleep(INTERVAL_S)

    async def _measure(self) -> None:
        """Ask for the sizes that the catalog does not state exactly, so that the total is right from the start."""
        for spec in self._claimed.files:
            if spec.size_bytes is None and spec.path not in self._claimed.completed:
                try:
                    stated = await self._tools.transfer.ask(spec.url)
                except TransferError:
                    continue  # its own transfer will say what is wrong
                if stated.size is not None:
                    self._meter.measured(spec.path, stated.size)

    async def _publish(self) -> None:
        await self._tools.publish(self._meter.reading(datetime.now(UTC)))
