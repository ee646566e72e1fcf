"""Turns permits into downloads: takes a permit, claims the best runnable download, runs it, uses the permit up.

The log decides what a permit is for. A claim is a guarded append, so of any number of workers one wins; a permit that
comes back (its worker was killed, or the server lost count) takes over the download that was claimed under it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from modeldeck_events import downloads as d
from modeldeck_events.errors import CommandNotAllowedError, ConflictError, UnavailableError
from modeldeck_events.pools import PoolLimits
from modeldeck_events.projector import Projector
from modeldeck_events.store import Batch

from downloader import metrics
from downloader.domain import RUNNING, Claim, Download, Report
from downloader.limits import BandwidthLimiter
from downloader.outbox import worker_meta
from downloader.permits import Permit, Permits
from downloader.pool import Declare
from downloader.queue import QueueFold
from downloader.run import Run, Tools

FETCH_S = 2.0
AWAY_S = 0.5
FOLD_TIMEOUT_S = 5.0
BUSY_DELAY_S = 1.0
NOT_MINE_DELAY_S = 3.0
"""Longer than a heartbeat: whoever still works under that permit has spoken up by then."""

_log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Slot:
    permit: Permit
    run: Run
    task: asyncio.Task[None]


class Worker:
    """The downloads of this process, which `declares` what its settings ask for."""

    def __init__(  # noqa: PLR0913  (keywords: what it works with)
        self,
        *,
        tools: Tools,
        queue: QueueFold,
        projector: Projector,
        permits: Permits,
        limiter: BandwidthLimiter,
        declares: PoolLimits,
    ) -> None:
        self._declares = declares
        self._tools = tools
        self._queue = queue
        self._projector = projector
        self._permits = permits
        self._limiter = limiter
        self._slots: dict[int, _Slot] = {}
        self._stopping = False

    @property
    def active(self) -> int:
        """How many downloads this process runs."""
        return len(self._slots)

    async def run(self) -> None:
        """Work for ever; ends when `stop` was called."""
        await self._projector.caught_up.wait()
        declared = False
        while not self._stopping:
            try:
                if not declared:
                    await self._declare()
                    declared = True
                await self._permits.ensure(self._queue.settings.max_concurrent)
                permit = await self._permits.fetch(FETCH_S) if self._wants_permits() else None
                if permit is not None:
                    await self._take(permit)
                elif not self._wants_permits():
                    await asyncio.sleep(AWAY_S)
            except UnavailableError as error:
                _log.debug("no permits for now", reason=str(error))
                await asyncio.sleep(AWAY_S)

    async def _declare(self) -> None:
        """Say in the log what this process's settings ask for, so that every reader of the pool knows it."""
        declare = Declare(self._tools.pool, self._declares)
        try:
            await self._tools.log.configure(declare, worker_meta(self._tools.worker, ""))
        except ConflictError as error:  # others configure it right now, again and again: theirs is newer
            _log.debug("settings not declared", reason=str(error))

    async def stop(self, timeout_s: float) -> None:
        """Give every claim back in good order; what could not be stored by then comes back by its permit."""
        self._stopping = True
        try:
            async with asyncio.timeout(timeout_s):
                while self._slots:
                    for slot in self._slots.values():
                        slot.run.stop("shutdown")
                    await asyncio.wait([slot.task for slot in self._slots.values()])
        except TimeoutError:
            late = [slot.task for slot in self._slots.values()]
            _log.warning("claims could not be given back in time", count=len(late))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._permits.close()

    def on_batch(self, batch: Batch) -> None:
        """Stop what the log says is no longer ours to do, and follow changed settings; called after every batch."""
        if not batch.caught_up:
            return
        for slot in self._slots.values():
            run, state = slot.run, self._queue.get(slot.run.target_id)
            ours = (state.download_id, state.attempt) == (run.download_id, run.attempt)
            if not ours or state.phase in ("queued", "paused", "cancelled"):
                run.stop("fact")
            elif self._queue.settings.paused and state.phase in RUNNING:
                run.stop("queue_paused")
        self._share_bandwidth()

    def _share_bandwidth(self) -> None:
        """Give this process its part of the pool's limit: by how many of the running downloads are its own."""
        limit = self._queue.settings.bandwidth_limit_bps
        if limit is not None:
            running = len(self._queue.in_phase(*RUNNING))
            mine = len(self._slots)
            if mine and running > mine:
                limit = max(1, limit * mine // running)
        metrics.RUNNING.set(len(self._slots))
        if limit != self._limiter.limit_bps:
            self._limiter.set_limit(limit)

    def _wants_permits(self) -> bool:
        return not self._queue.settings.paused or any(self._strangers())

    def _strangers(self) -> list[Download]:
        """Return what runs by the log, but not here."""
        mine = {slot.run.download_id for slot in self._slots.values()}
        return [state for state in self._queue.in_phase(*RUNNING) if state.download_id not in mine]

    async def _take(self, permit: Permit) -> None:
        """Find out what the permit is for, and do it."""
        if self._stopping:
            await permit.give_back(0)
            return
        if permit.seq in self._slots:
            self._slots[permit.seq].permit.adopt(permit)
            return
        body = permit.body
        try:
            same_log = body.epoch == self._projector.epoch
            if same_log and not await self._projector.wait_for(body.seq, FOLD_TIMEOUT_S):
                await permit.give_back(BUSY_DELAY_S)
                return
            await self._use(permit)
        except UnavailableError:
            await permit.give_back(BUSY_DELAY_S)
            raise
        except BaseException:
            if permit.seq not in self._slots:
                permit.drop()  # kept alive by nobody's hands, it would hold up the pool for ever
            raise

    async def _use(self, permit: Permit) -> None:
        orphan = next((state for state in self._strangers() if state.permit_seq == permit.seq), None)
        if orphan is not None and permit.deliveries == 1 and orphan.worker != self._tools.worker:
            # The server lost count in a crash; the worker probably lives and will say so by its next heartbeat.
            await permit.give_back(NOT_MINE_DELAY_S)
        elif self._queue.settings.paused:
            await self._use_while_paused(permit, orphan)
        else:
            await self._start(permit, orphan)

    async def _use_while_paused(self, permit: Permit, orphan: Download | None) -> None:
        if orphan is None or orphan.target is None:
            await permit.give_back(NOT_MINE_DELAY_S)
            return
        fact = d.DownloadInterrupted(download_id=orphan.download_id, attempt=orphan.attempt, reason="queue_paused")
        try:
            await self._tools.log.execute(
                orphan.target.id, Report(fact), worker_meta(self._tools.worker, orphan.download_id)
            )
        except (CommandNotAllowedError, ConflictError) as error:
            _log.debug("somebody else decided about it", download_id=orphan.download_id, reason=str(error))
        await permit.done()

    async def _start(self, permit: Permit, orphan: Download | None) -> None:
        refused: set[str] = set()
        while (candidate := await self._pick(orphan, refused)) is not None:
            if candidate.target is None:
                raise AssertionError("a queued download has a target")
            orphan = None
            try:
                claim = Claim(candidate.download_id, self._tools.worker, permit.seq, candidate.phase in RUNNING)
                await self._tools.log.execute(
                    candidate.target.id, claim, worker_meta(self._tools.worker, candidate.download_id)
                )
            except (CommandNotAllowedError, ConflictError) as error:
                _log.debug("claim lost", download_id=candidate.download_id, reason=str(error))
                refused.add(candidate.download_id)
                continue
            claimed = self._queue.get(candidate.target.id)
            if (claimed.worker, claimed.permit_seq) == (self._tools.worker, permit.seq) and claimed.phase in RUNNING:
                await self._begin(permit, candidate.target.id, claimed)
                return
            refused.add(candidate.download_id)
        if self._is_full():
            await permit.give_back(BUSY_DELAY_S)
        else:
            await permit.done()  # more permits than downloads: something was paused or cancelled meanwhile

    def _is_full(self) -> bool:
        """By the log: the consumer's own count is lost when the server is killed."""
        return len(self._queue.in_phase(*RUNNING)) >= self._queue.settings.max_concurrent

    async def _pick(self, orphan: Download | None, refused: set[str]) -> Download | None:
        """Return what to claim: the download that this permit was used for, else the best runnable one, else one
        whose permit is gone, which nobody would ever pick up.
        """
        if orphan is not None:
            return orphan
        if not self._is_full():
            runnable = (state for state in self._queue.in_phase("queued") if state.download_id not in refused)
            best = next(runnable, None)
            if best is not None:
                return best
        for state in self._strangers():
            if state.download_id not in refused and not await self._permits.exists(state.permit_seq):
                return state
        return None

    async def _begin(self, permit: Permit, target_id: str, claimed: Download) -> None:
        former = [slot.task for slot in self._slots.values() if slot.run.target_id == target_id]
        for slot in self._slots.values():
            if slot.run.target_id == target_id:
                slot.run.stop("fact")
        if former:
            await asyncio.wait(former)
        run = Run(claimed, target_id, self._tools)
        _log.info(
            "download started",
            download_id=run.download_id,
            attempt=run.attempt,
            permit_seq=permit.seq,
            target=target_id,
        )
        task = asyncio.create_task(self._work(permit, run), name=f"run {run.download_id}")
        self._slots[permit.seq] = _Slot(permit, run, task)
        self._share_bandwidth()
        if self._stopping:
            run.stop("shutdown")

    async def _work(self, permit: Permit, run: Run) -> None:
        try:
            await run.execute()
        except Exception:  # noqa: BLE001 - outermost loop of a run: logged, counted, and told to the person
            metrics.CRASHES.inc()
            _log.exception("a download crashed", download_id=run.download_id)
            await run.fail("internal_error", "Modeldeck failed on this file; its log has the details.")
        finally:
            self._slots.pop(permit.seq, None)
            permit.drop()
        state = self._queue.get(run.target_id)
        taken_over = state.permit_seq == permit.seq and state.attempt > run.attempt and state.phase in RUNNING
        if not taken_over:  # else the new holder of this very permit uses it up
            await permit.done()
        _log.info("download left", download_id=run.download_id, attempt=run.attempt, phase=state.phase)
        self._share_bandwidth()
