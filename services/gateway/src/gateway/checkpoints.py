"""Folds of the past: each goes on from the nearest earlier one that is kept, so a slider over the log stays quick.

What is kept is bounded: checkpoints (the boards as they are saved, compressed) at even distances of the log, and the
boards that were used last, which a step forward goes on with. Nobody asking for a while, all of it is let go.
"""

from __future__ import annotations

import asyncio
import zlib
from contextlib import aclosing
from datetime import UTC, datetime
from typing import NamedTuple

from modeldeck_events.store import EpochChangedError, EventStore, Position, Record

from gateway.boards.fold import Boards

MAX_BYTES = 64 * 1024 * 1024
CHECKPOINTS = 40
"""About so many over the whole log, however long it is."""
LEAST_STRIDE = 1000
IDLE_S = 120.0
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_FAST = 1

Until = int | datetime
"""A position of the log, or a time."""


class Fold:
    """Boards that hold the log up to `seq`. `time` is that of the last fact, `latest` the latest of all."""

    def __init__(self, boards: Boards, seq: int = 0, time: datetime = _EARLIEST, latest: datetime = _EARLIEST) -> None:
        self.boards = boards
        self.seq = seq
        self.time = time
        self.latest = latest

    def apply(self, record: Record) -> None:
        """Fold the next fact."""
        self.boards.apply(record)
        self.seq, self.time, self.latest = record.seq, record.time, max(self.latest, record.time)

    def is_before(self, until: Until) -> bool:
        """Tell whether this can be gone on with: nothing in it is later."""
        return self.seq <= until if isinstance(until, int) else self.latest <= until


class _Checkpoint(NamedTuple):
    seq: int
    time: datetime
    latest: datetime
    body: bytes

    def is_before(self, until: Until) -> bool:
        return self.seq <= until if isinstance(until, int) else self.latest <= until


class PastFolds:
    """Folds the log of one pool up to any moment, one fold at a time: a long one costs seconds of CPU."""

    def __init__(self, store: EventStore, *, pool: str, stride: int = LEAST_STRIDE, max_bytes: int = MAX_BYTES) -> None:
        self._store = store
        self._pool = pool
        self._least_stride = stride
        self._max_bytes = max_bytes
        self._turn = asyncio.Lock()
        self._epoch = ""
        self._checkpoints: dict[int, _Checkpoint] = {}
        self._spare: Fold | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._packing: asyncio.Task[None] | None = None

    @property
    def kept_bytes(self) -> int:
        """How much the checkpoints take."""
        return sum(len(checkpoint.body) for checkpoint in self._checkpoints.values())

    async def take(self, until: Until, head: Position) -> Fold:
        """Return boards that hold exactly the facts up to `until`; `give_back` them once they are not looked at.

        `head` is a position up to which the log is known to be there. Raises EpochChangedError, UnavailableError; what
        was folded until then is kept for the next try, also when this one is cancelled.
        """
        async with self._turn:
            if head.epoch != self._epoch:
                self.forget()
                self._epoch = head.epoch
            if self._packing is not None:
                await self._packing
            fold = await self._nearest(until)
            try:
                await self._advance(fold, until, head)
            except EpochChangedError:
                self.forget()
                raise
            except BaseException:
                self.give_back(fold)
                raise
            return fold

    def give_back(self, fold: Fold) -> None:
        """Keep boards to go on with; who took them does not look at them any more."""
        self._spare = fold
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self.forget)

    def forget(self) -> None:
        """Keep nothing."""
        self._checkpoints = {}
        self._spare = None
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    async def _nearest(self, until: Until) -> Fold:
        """Return the furthest fold that is not beyond `until`."""
        best = max((c for c in self._checkpoints.values() if c.is_before(until)), key=lambda c: c.seq, default=None)
        spare = self._spare
        if spare is not None and spare.is_before(until) and (best is None or spare.seq >= best.seq):
            self._spare = None
            return spare
        boards = Boards(pool=self._pool)
        if best is None:
            return Fold(boards)
        for _ in boards.load_steps(await asyncio.to_thread(zlib.decompress, best.body)):
            await asyncio.sleep(0)  # other work of the event loop goes on
        return Fold(boards, best.seq, best.time, best.latest)

    async def _advance(self, fold: Fold, until: Until, head: Position) -> None:
        if isinstance(until, int) and fold.seq >= until:
            return
        stride = self._stride(head.seq)
        after = Position(self._epoch, fold.seq)
        async with aclosing(self._store.follow(after=after)) as batches:  # type: ignore[type-var]  # a generator
            async for batch in batches:
                for record in batch.records:
                    if record.seq > until if isinstance(until, int) else record.time > until:
                        return
                    if record.seq // stride != fold.seq // stride:
                        await self._keep(fold)
                    fold.apply(record)
                if batch.caught_up:
                    return

    def _stride(self, head_seq: int) -> int:
        stride = self._least_stride
        while stride * CHECKPOINTS < head_seq:
            stride *= 2
        return stride

    async def _keep(self, fold: Fold) -> None:
        """Make a checkpoint; while there is not room for all of them, every second one goes."""
        if fold.seq == 0 or fold.seq in self._checkpoints:
            return
        parts = []
        for part in fold.boards.dump_slices():
            parts.append(part)
            await asyncio.sleep(0)  # other work of the event loop goes on
        if self._packing is not None:
            await self._packing
        self._packing = asyncio.create_task(self._pack(parts, fold.seq, fold.time, fold.latest, self._checkpoints))

    async def _pack(
        self, parts: list[bytes], seq: int, time: datetime, latest: datetime, into: dict[int, _Checkpoint]
    ) -> None:
        """Compress beside the fold, which goes on; what was let go meanwhile gets nothing more."""
        body = await asyncio.to_thread(lambda: zlib.compress(b"".join(parts), _FAST))
        into[seq] = _Checkpoint(seq, time, latest, body)
        while self.kept_bytes > self._max_bytes or len(self._checkpoints) > 2 * CHECKPOINTS:
            for each in sorted(self._checkpoints)[::2]:
                del self._checkpoints[each]
