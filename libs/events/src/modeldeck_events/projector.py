"""Keeps folds up to the log: one follower, every batch applied to all of them in one pass."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from modeldeck_events import metrics
from modeldeck_events.errors import UnavailableError
from modeldeck_events.store import Batch, EpochChangedError, EventStore, Position, Record

HEAD_RETRY_S = 0.5
_log = structlog.get_logger(__name__)


class Fold(Protocol):
    """State made from facts. `apply` never refuses a fact; `reset` forgets everything."""

    def apply(self, record: Record, /) -> object:
        """Apply one record, in order; the result is the fold's own affair."""
        ...

    def reset(self) -> None:
        """Start from zero: the log was replaced."""
        ...


OnBatch = Callable[[Batch], Awaitable[None] | None]


class Projector:
    """Applies the log to `folds`; `after` is the position of the snapshot that they were loaded from.

    A fold that raises has a bug: the error is logged and counted in `errors`, and the record is skipped, because a
    projector that stops would take the whole service down with it.
    """

    def __init__(
        self,
        store: EventStore,
        folds: Sequence[Fold],
        *,
        subjects: Sequence[str] = ("evt.>",),
        after: Position | None = None,
        on_batch: OnBatch | None = None,
    ) -> None:
        self.caught_up = asyncio.Event()
        self.seq = after.seq if after else 0
        self.epoch = after.epoch if after else ""
        self.errors = 0
        self.on_batch = on_batch
        self.folding = asyncio.Lock()
        """Held while a batch is applied: who holds it reads the folds in several steps, all as of one position."""
        self._store = store
        self._folds = tuple(folds)
        self._subjects = tuple(subjects)
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def position(self) -> Position:
        """What the folds stand for, to be kept beside a snapshot."""
        return Position(self.epoch, self.seq)

    async def run(self) -> None:
        """Follow for ever; on a replaced log start from zero."""
        while True:
            try:
                if not self.epoch:
                    self.epoch = (await self._store.head()).epoch
                async for batch in self._store.follow(after=self.position, subjects=self._subjects):
                    async with self.folding:
                        await self._apply(batch)
            except EpochChangedError as error:
                _log.warning("the log was replaced; folding from zero", reason=str(error))
                async with self.folding:
                    self._reset()
            except UnavailableError as error:
                _log.debug("the log is away", reason=str(error))
                await asyncio.sleep(HEAD_RETRY_S)

    async def wait_for(self, seq: int, timeout_s: float = 2.0) -> bool:
        """Return true once everything up to `seq` is applied, false after `timeout_s`."""
        if self.seq >= seq:
            return True
        reached = asyncio.get_running_loop().create_future()
        entry = (seq, reached)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout_s):
                await reached
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiting.remove(entry)

    async def _apply(self, batch: Batch) -> None:
        for fold in self._folds:
            apply = fold.apply
            for record in batch.records:
                try:
                    apply(record)
                except Exception:  # noqa: BLE001 - the outermost loop of the folds: logged, counted, survived
                    self.errors += 1
                    metrics.FOLD_ERRORS.inc()
                    _log.exception("a fold failed on a record", fold=type(fold).__name__, seq=record.seq)
        self.seq = batch.seq
        if self.on_batch is not None:
            outcome = self.on_batch(batch)
            if inspect.isawaitable(outcome):
                await outcome
        for seq, reached in self._waiting:
            if seq <= self.seq and not reached.done():
                reached.set_result(None)
        if batch.caught_up:
            self.caught_up.set()

    def _reset(self) -> None:
        self.caught_up.clear()
        self.seq, self.epoch = 0, ""
        for fold in self._folds:
            fold.reset()
