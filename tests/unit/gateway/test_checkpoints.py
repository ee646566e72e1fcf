"""Folds of the past: from wherever they go on, they hold what a fold from zero holds."""

import asyncio
import random
from datetime import timedelta

import pytest
from gateway.boards.fold import Boards
from gateway.checkpoints import Fold, PastFolds
from modeldeck_events.memory import MemoryStore
from modeldeck_events.store import Meta, Position, Record

from tests.support.big_log import START, Size, facts, records

SMALL = Size(files=30, templates=8, presets=4, downloads=15, studio=80)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> object:
        self.now += timedelta(seconds=1)
        return self.now


async def log() -> tuple[MemoryStore, list[Record]]:
    store = MemoryStore(clock=Clock())  # type: ignore[arg-type]
    last: dict[str, int] = {}
    for fact in facts(SMALL):
        subject = fact.subject
        last[subject] = await store.append(
            subject, [fact.event], expected_seq=last.get(subject, 0), meta=Meta(source="test")
        )
    return store, await store.read(after=0, limit=10_000)


def from_zero(history: list[Record], seq: int) -> bytes:
    boards = Boards()
    for record in history[:seq]:
        boards.apply(record)
    return boards.dump()


def dumped(fold: Fold) -> bytes:
    fold.boards.take_changes(float("inf"))
    fold.boards.models.state()
    return fold.boards.dump()


async def test_every_moment_in_any_order_is_what_a_fold_from_zero_makes() -> None:
    store, history = await log()
    head = await store.head()
    past = PastFolds(store, pool="default", stride=16)
    moments = [random.Random(5).randrange(head.seq + 1) for _ in range(40)] + [0, head.seq]
    for seq in moments:
        fold = await past.take(seq, head)
        assert fold.seq == seq
        assert dumped(fold) == from_zero(history, seq)
        past.give_back(fold)
    for seq in moments[:20]:
        time = history[seq - 1].time if seq else START
        fold = await past.take(time, head)
        assert fold.seq == seq
        assert dumped(fold) == from_zero(history, seq)
        past.give_back(fold)
    assert past.kept_bytes > 0


async def test_a_fact_that_is_dated_later_ends_the_past_before_it_wherever_the_fold_goes_on() -> None:
    store, history = await log()
    head = await store.head()
    past = PastFolds(store, pool="default", stride=16)
    fold = await past.take(head.seq, head)
    past.give_back(fold)
    fold = await past.take(history[99].time, head)
    assert fold.seq == 100
    assert fold.latest == fold.time == history[99].time


async def test_a_step_goes_on_and_does_not_start_again() -> None:
    store, _ = await log()
    head = await store.head()
    past = PastFolds(store, pool="default", stride=16)
    past.give_back(await past.take(head.seq, head))
    first = await past.take(100, head)
    past.give_back(first)
    applied = first.boards.applied
    on = await past.take(105, head)
    assert on is first
    assert on.boards.applied == applied + 5
    back = await past.take(104, head)  # while the other one is looked at
    assert back is not on
    assert back.boards.applied <= 16


async def test_what_is_kept_is_bounded_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = await log()
    head = await store.head()
    past = PastFolds(store, pool="default", stride=4, max_bytes=60_000)
    past.give_back(await past.take(head.seq, head))
    assert 0 < past.kept_bytes <= 60_000
    monkeypatch.setattr("gateway.checkpoints.IDLE_S", 0.0)
    past.give_back(await past.take(3, head))
    async with asyncio.timeout(5):
        while past.kept_bytes:  # noqa: ASYNC110 - a timer lets it go
            await asyncio.sleep(0)


async def test_another_log_has_another_past() -> None:
    store, _ = await log()
    head = await store.head()
    past = PastFolds(store, pool="default", stride=16)
    past.give_back(await past.take(head.seq, head))
    store.lose(epoch="another")
    fold = await past.take(0, await store.head())
    assert dumped(fold) == Boards().dump()
    assert past.kept_bytes == 0


async def test_a_fold_that_was_broken_off_is_gone_on_with() -> None:
    store, history = await log()
    head = Position((await store.head()).epoch, len(history))
    past = PastFolds(store, pool="default", stride=16)
    asking = asyncio.create_task(past.take(head.seq, head))
    while not past.kept_bytes:  # noqa: ASYNC110 - it works in between
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    fold = await past.take(head.seq, head)
    assert dumped(fold) == from_zero(history, head.seq)


def test_the_log_for_measurements_is_read_back_as_it_was_made() -> None:
    made = list(records(facts(SMALL)))
    assert [record.seq for record in made] == list(range(1, len(made) + 1))
    assert all(record.event is not None for record in made)
    assert len({record.type for record in made}) >= 12
