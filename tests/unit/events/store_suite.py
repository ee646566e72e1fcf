"""What every event store must do; run against the one in memory and the one on JetStream."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from modeldeck_events import downloads as d
from modeldeck_events import pools
from modeldeck_events.errors import ConflictError, UnavailableError
from modeldeck_events.message import Event
from modeldeck_events.store import (
    MAX_TOGETHER,
    Batch,
    Entry,
    EpochChangedError,
    EventStore,
    Meta,
    Position,
    Record,
    Stamp,
)

NOW = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)
SUBJECT = d.subject("default", "preset:LTX 2")
OTHER = pools.subject("default")
META = Meta(source="downloader", actor="Zoë %")
LIMIT_S = 15.0


class FromTheFuture(Event, frozen=True, kw_only=True):
    """A type that no registry knows."""

    TYPE: ClassVar[str] = "modeldeck.test.invented.v9"
    answer: int


class World(ABC):
    """A store and what can happen to it."""

    store: EventStore

    @abstractmethod
    async def outage(self) -> None: ...

    @abstractmethod
    async def recovery(self) -> None: ...

    @abstractmethod
    async def lose(self) -> None:
        """Replace the log by an empty one."""

    @abstractmethod
    async def disturb_followers(self) -> None:
        """Take away what followers lean on in the server."""


def fact(number: int) -> d.DownloadPaused:
    return d.DownloadPaused(download_id=f"dl-{number}", message="ünï\r\n")


def subject_of(number: int) -> str:
    return d.subject("default", f"file:{number}")


def entries(*numbers: int) -> list[Entry]:
    return [Entry(subject_of(n), fact(n), 0, Meta(source="catalog", command_id=f"c-{n}")) for n in numbers]


async def fill(store: EventStore, count: int, subject: str = SUBJECT) -> int:
    seq = await store.last_seq(subject)
    for number in range(count):
        seq = await store.append(subject, [fact(number)], expected_seq=seq, meta=META)
    return seq


async def until(following: AsyncIterator[Batch], *, seq: int, caught_up: bool = True) -> list[Batch]:
    """Return the batches up to the one that has reached `seq`."""
    batches: list[Batch] = []
    async with asyncio.timeout(LIMIT_S):
        async for batch in following:
            batches.append(batch)
            if batch.seq >= seq and (batch.caught_up or not caught_up):
                break
    return batches


def seqs(batches: Sequence[Batch]) -> list[int]:
    return [record.seq for batch in batches for record in batch.records]


class StoreSuite:
    """Subclasses give the fixture `world`."""

    async def test_a_fact_comes_back_as_it_was_appended(self, world: World) -> None:
        meta = Meta(source="gateway", actor="Zoë %\n", command_id="c-1", correlation_id="corr", causation_id="cause")
        seq = await world.store.append(SUBJECT, [fact(1)], expected_seq=0, meta=meta)
        [record] = await world.store.read(after=0, limit=10)
        assert isinstance(record, Record)
        assert (record.seq, record.subject, record.type) == (seq, SUBJECT, "modeldeck.download.paused.v1")
        assert (record.source, record.actor) == ("gateway", "Zoë %\n")
        assert (record.correlation_id, record.causation_id) == ("corr", "cause")
        assert record.event == fact(1)
        assert record.time == NOW

    async def test_the_first_append_expects_nothing(self, world: World) -> None:
        with pytest.raises(ConflictError):
            await world.store.append(SUBJECT, [fact(1)], expected_seq=1, meta=META)
        assert await world.store.last_seq(SUBJECT) == 0

    async def test_a_stale_append_is_refused(self, world: World) -> None:
        await fill(world.store, 2)
        with pytest.raises(ConflictError):
            await world.store.append(SUBJECT, [fact(3)], expected_seq=1, meta=META)
        assert (await world.store.head()).seq == 2

    async def test_subjects_do_not_guard_each_other(self, world: World) -> None:
        await fill(world.store, 3)
        configured = pools.PoolConfigured(pool="default", max_concurrent=2)
        assert await world.store.append(OTHER, [configured], expected_seq=0, meta=META) == 4
        assert await world.store.last_seq(OTHER) == 4
        assert await world.store.last_seq(SUBJECT) == 3

    async def test_facts_appended_together_stand_side_by_side(self, world: World) -> None:
        last = await world.store.append_together(entries(1, 2, 3))
        records = await world.store.read(after=0, limit=10)
        assert [(record.seq, record.event) for record in records] == [(n, fact(n)) for n in (1, 2, 3)]
        assert (last, await world.store.last_seq(subject_of(2))) == (3, 2)
        meta = Meta(source="catalog", command_id="again")
        entry = Entry(subject_of(2), fact(4), 2, meta)
        assert await world.store.append_together([entry, *entries(5)]) == 5
        assert await world.store.append(subject_of(2), [fact(4)], expected_seq=2, meta=meta) == 4  # known by its id

    async def test_when_one_of_many_is_refused_none_is_appended(self, world: World) -> None:
        await world.store.append_together(entries(1))
        with pytest.raises(ConflictError):
            await world.store.append_together([*entries(2, 3), entries(1)[0]._replace(meta=META)])
        with pytest.raises(ConflictError):  # the very same again
            await world.store.append_together([*entries(2), *entries(1)])
        assert (await world.store.head()).seq == 1
        assert await world.store.append_together(entries(2, 3)) == 3

    async def test_what_cannot_be_appended_together_is_said(self, world: World) -> None:
        with pytest.raises(ValueError, match="0 facts"):
            await world.store.append_together([])
        with pytest.raises(ValueError, match="1001 facts"):
            await world.store.append_together(entries(*range(MAX_TOGETHER + 1)))
        with pytest.raises(ValueError, match="a subject each"):
            await world.store.append_together([*entries(1), *entries(1)])

    async def test_many_are_appended_together(self, world: World) -> None:
        assert await world.store.append_together(entries(*range(MAX_TOGETHER))) == MAX_TOGETHER

    async def test_appending_together_during_an_outage_is_refused_and_can_be_repeated(self, world: World) -> None:
        await world.outage()
        with pytest.raises(UnavailableError):
            await world.store.append_together(entries(1, 2))
        await world.recovery()
        assert await world.store.append_together(entries(1, 2)) == 2

    async def test_a_repeated_command_is_one_command(self, world: World) -> None:
        meta = Meta(source="downloader", command_id="c-1")
        first = await world.store.append(SUBJECT, [fact(1), fact(2)], expected_seq=0, meta=meta)
        await fill(world.store, 1)
        assert await world.store.append(SUBJECT, [fact(1), fact(2)], expected_seq=0, meta=meta) == first
        assert (await world.store.head()).seq == 3

    async def test_a_crash_between_two_facts_is_made_good_by_the_repetition(self, world: World) -> None:
        meta = Meta(source="downloader", command_id="c-1")
        both: list[Event] = [fact(1), d.DownloadResumed(download_id="dl-1")]
        await world.store.append(SUBJECT, both[:1], expected_seq=0, meta=meta)
        assert await world.store.append(SUBJECT, both[1:], expected_seq=1, meta=meta) == 2
        assert await world.store.append(SUBJECT, both, expected_seq=0, meta=meta) == 2
        assert [record.event for record in await world.store.read(after=0, limit=9)] == both

    async def test_one_command_may_touch_two_subjects(self, world: World) -> None:
        meta = Meta(source="downloader", command_id="c-1")
        await world.store.append(SUBJECT, [fact(1)], expected_seq=0, meta=meta)
        await world.store.append(d.subject("default", "other"), [fact(1)], expected_seq=0, meta=meta)
        assert (await world.store.head()).seq == 2

    async def test_a_foreign_fact_keeps_its_id_time_and_source(self, world: World) -> None:
        stamp = Stamp(source="trainer é", id="a b%", time=NOW - timedelta(days=2), actor="ana")
        seq = await world.store.publish(SUBJECT, fact(1), stamp)
        [record] = await world.store.read(after=0, limit=9)
        assert (record.seq, record.source, record.id, record.time) == (seq, stamp.source, stamp.id, stamp.time)
        assert (record.actor, record.event) == ("ana", fact(1))

    async def test_a_foreign_fact_that_is_repeated_stands_once(self, world: World) -> None:
        stamp = Stamp(source="one", id="1", time=NOW)
        first = await world.store.publish(SUBJECT, fact(1), stamp)
        assert await world.store.publish(OTHER, fact(2), replace(stamp, source="two")) == first + 1
        assert await world.store.publish(SUBJECT, fact(1), stamp) == first
        assert len(await world.store.read(after=0, limit=9)) == 2

    async def test_nothing_to_append_is_an_error(self, world: World) -> None:
        with pytest.raises(ValueError, match="nothing to append"):
            await world.store.append(SUBJECT, [], expected_seq=0, meta=META)

    async def test_of_twenty_racers_one_wins(self, world: World) -> None:
        async def race(number: int) -> bool:
            try:
                await world.store.append(SUBJECT, [fact(number)], expected_seq=0, meta=META)
            except ConflictError:
                return False
            return True

        assert sum(await asyncio.gather(*(race(number) for number in range(20)))) == 1

    async def test_reading_in_pages_and_by_subject(self, world: World) -> None:
        await fill(world.store, 3)
        await fill(world.store, 2, d.subject("nas", "x"))
        read = world.store.read
        assert [record.seq for record in await read(after=1, limit=2)] == [2, 3]
        assert [record.seq for record in await read(after=0, limit=9, subjects=["evt.download.nas.>"])] == [4, 5]
        assert [record.seq for record in await read(after=0, limit=9, subjects=["evt.pool.>", SUBJECT])] == [1, 2, 3]
        assert await read(after=5, limit=9) == []
        assert await read(after=0, limit=9, subjects=["evt.pool.>"]) == []

    async def test_following_an_empty_log_says_caught_up(self, world: World) -> None:
        [batch] = await until(world.store.follow(), seq=0)
        assert batch == Batch(records=batch.records, seq=0, caught_up=True)
        assert list(batch.records) == []

    async def test_following_goes_on_live(self, world: World) -> None:
        await fill(world.store, 3)
        following = world.store.follow()
        assert seqs(await until(following, seq=3)) == [1, 2, 3]
        task = asyncio.create_task(until(following, seq=5))
        await fill(world.store, 2)
        assert seqs(await task) == [4, 5]

    async def test_following_starts_after_a_position(self, world: World) -> None:
        await fill(world.store, 4)
        head = await world.store.head()
        following = world.store.follow(after=Position(head.epoch, 2))
        assert seqs(await until(following, seq=4)) == [3, 4]
        [batch] = await until(world.store.follow(after=head), seq=4)
        assert (list(batch.records), batch.seq, batch.caught_up) == ([], 4, True)

    async def test_skipped_subjects_advance_the_position(self, world: World) -> None:
        await fill(world.store, 2)
        following = world.store.follow(subjects=["evt.pool.>"])
        [batch] = await until(following, seq=2)
        assert batch.caught_up
        await fill(world.store, 2)
        assert seqs(await until(following, seq=4)) == []
        await world.store.append(
            OTHER, [pools.PoolConfigured(pool="default", max_concurrent=2)], expected_seq=0, meta=META
        )
        assert seqs(await until(following, seq=5)) == [5]

    async def test_a_long_log_comes_in_batches_without_gaps(self, world: World) -> None:
        store = world.store
        subjects = [d.subject("default", f"t{number}") for number in range(30)]
        await asyncio.gather(*(fill(store, 50, subject) for subject in subjects))
        batches = await until(store.follow(), seq=1500)
        assert seqs(batches) == list(range(1, 1501))
        assert len(batches) > 1
        assert not batches[0].caught_up

    async def test_unknown_types_come_without_a_fact(self, world: World) -> None:
        await world.store.append(SUBJECT, [FromTheFuture(answer=42)], expected_seq=0, meta=META)
        [record] = seqs_records(await until(world.store.follow(), seq=1))
        assert record.event is None
        assert (record.type, record.data) == (FromTheFuture.TYPE, b'{"answer":42}')

    async def test_an_outage_is_told_to_appenders_and_bridged_for_followers(self, world: World) -> None:
        await fill(world.store, 2)
        following = world.store.follow()
        assert seqs(await until(following, seq=2)) == [1, 2]
        task = asyncio.create_task(until(following, seq=4))
        await world.outage()
        with pytest.raises(UnavailableError):
            await world.store.append(SUBJECT, [fact(3)], expected_seq=2, meta=META)
        with pytest.raises(UnavailableError):
            await world.store.head()
        with pytest.raises(UnavailableError):
            await world.store.read(after=0, limit=1)
        await world.recovery()
        await fill(world.store, 2)
        assert seqs(await task) == [3, 4]

    async def test_following_outlives_a_lost_consumer(self, world: World) -> None:
        await fill(world.store, 2)
        following = world.store.follow()
        await until(following, seq=2)
        task = asyncio.create_task(until(following, seq=4))
        await world.disturb_followers()
        await fill(world.store, 2)
        assert seqs(await task) == [3, 4]

    async def test_a_replaced_log_is_noticed_by_a_follower(self, world: World) -> None:
        await fill(world.store, 2)
        before = await world.store.head()
        following = world.store.follow(after=before)
        await until(following, seq=2)
        task = asyncio.create_task(until(following, seq=99))
        await world.lose()
        with pytest.raises(EpochChangedError):
            await task
        assert (await world.store.head()).epoch != before.epoch

    async def test_a_position_of_another_log_is_refused(self, world: World) -> None:
        await fill(world.store, 2)
        with pytest.raises(EpochChangedError):
            await until(world.store.follow(after=Position("another", 1)), seq=1)

    async def test_a_position_beyond_the_end_is_refused(self, world: World) -> None:
        await fill(world.store, 2)
        epoch = (await world.store.head()).epoch
        with pytest.raises(EpochChangedError):
            await until(world.store.follow(after=Position(epoch, 7)), seq=7)

    async def test_a_follower_can_be_left(self, world: World) -> None:
        await fill(world.store, 1)
        following = world.store.follow()
        await until(following, seq=1)
        task = asyncio.create_task(until(following, seq=2))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert seqs(await until(world.store.follow(), seq=1)) == [1]


def seqs_records(batches: Sequence[Batch]) -> list[Record]:
    return [record for batch in batches for record in batch.records]
