from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from modeldeck_events import downloads as d
from modeldeck_events.memory import MemoryStore
from modeldeck_events.projector import Projector
from modeldeck_events.store import Batch, Meta, Record

SUBJECT = d.subject("default", "preset:x")
META = Meta(source="downloader")


class Seen:
    def __init__(self) -> None:
        self.seqs: list[int] = []

    def apply(self, record: Record) -> None:
        self.seqs.append(record.seq)

    def reset(self) -> None:
        self.seqs.clear()


class Choking(Seen):
    def apply(self, record: Record) -> None:
        if record.seq == 2:
            raise KeyError("a bug")
        super().apply(record)


async def fill(store: MemoryStore, count: int) -> None:
    for _ in range(count):
        seq = await store.last_seq(SUBJECT)
        await store.append(SUBJECT, [d.DownloadPaused(download_id="x")], expected_seq=seq, meta=META)


@asynccontextmanager
async def running(projector: Projector) -> AsyncIterator[None]:
    task = asyncio.create_task(projector.run())
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        task.cancel()


async def test_every_fold_gets_every_record_once() -> None:
    store, folds = MemoryStore(), [Seen(), Seen()]
    await fill(store, 700)
    projector = Projector(store, folds)
    async with running(projector):
        await projector.caught_up.wait()
        await fill(store, 1)
        assert await projector.wait_for(701)
    assert [fold.seqs for fold in folds] == [list(range(1, 702))] * 2
    assert projector.position == await store.head()


async def test_waiting_for_what_does_not_come_says_so() -> None:
    store = MemoryStore()
    projector = Projector(store, [Seen()])
    async with running(projector):
        assert not await projector.wait_for(1, timeout_s=0.02)
        waiting = asyncio.create_task(projector.wait_for(2))
        await fill(store, 2)
        assert await waiting


async def test_a_snapshot_is_continued() -> None:
    store, fold = MemoryStore(), Seen()
    await fill(store, 2)
    position = await store.head()
    await fill(store, 2)
    projector = Projector(store, [fold], after=position)
    async with running(projector):
        await projector.caught_up.wait()
    assert fold.seqs == [3, 4]


async def test_a_replaced_log_is_folded_from_zero() -> None:
    store, fold = MemoryStore(), Seen()
    await fill(store, 3)
    projector = Projector(store, [fold])
    async with running(projector):
        await projector.caught_up.wait()
        old = projector.epoch
        store.lose()
        await fill(store, 1)
        while projector.epoch == old or projector.seq < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert fold.seqs == [1]


async def test_a_snapshot_of_another_log_is_thrown_away() -> None:
    store, fold = MemoryStore(), Seen()
    await fill(store, 1)
    other = MemoryStore()
    await fill(other, 3)
    fold.seqs = [1, 2, 3]
    projector = Projector(store, [fold], after=await other.head())
    async with running(projector):
        await projector.caught_up.wait()
    assert fold.seqs == [1]


async def test_a_store_that_is_away_at_first_is_waited_for() -> None:
    store = MemoryStore()
    await fill(store, 1)
    store.available = False
    projector = Projector(store, [Seen()])
    async with running(projector):
        assert not await projector.wait_for(1, timeout_s=0.05)
        assert not projector.caught_up.is_set()
        store.available = True
        assert await projector.wait_for(1)


async def test_a_fold_with_a_bug_is_counted_and_does_not_stop_the_others() -> None:
    store, good, bad = MemoryStore(), Seen(), Choking()
    await fill(store, 3)
    projector = Projector(store, [bad, good])
    async with running(projector):
        await projector.caught_up.wait()
    assert (good.seqs, bad.seqs, projector.errors) == ([1, 2, 3], [1, 3], 1)


async def test_the_hook_comes_after_the_folds_and_before_the_waiting() -> None:
    store, fold = MemoryStore(), Seen()
    order: list[object] = []

    async def hook(batch: Batch) -> None:
        order.append((batch.seq, list(fold.seqs)))

    projector = Projector(store, [fold], on_batch=hook)
    async with running(projector):
        await fill(store, 1)
        assert await projector.wait_for(1)
        order.append("waited")
    assert order[-2:] == [(1, [1]), "waited"]
