from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from modeldeck_events import deciding
from modeldeck_events import downloads as d
from modeldeck_events.deciding import execute
from modeldeck_events.errors import CommandNotAllowedError, ConflictError, UnavailableError
from modeldeck_events.memory import MemoryStore
from modeldeck_events.message import Event
from modeldeck_events.projector import Projector
from modeldeck_events.store import Meta, Record

SUBJECT = d.subject("default", "preset:x")
META = Meta(source="downloader")
PAUSE = d.PauseDownload(pool="default", target_id="preset:x")


class Paused:
    """A fold of one subject: how often it was paused, and up to where it knows."""

    def __init__(self) -> None:
        self.times = 0
        self.seq = 0

    def apply(self, record: Record) -> None:
        self.times += isinstance(record.event, d.DownloadPaused)
        self.seq = record.seq

    def reset(self) -> None:
        self.times = self.seq = 0

    def load(self) -> tuple[int, int]:
        return self.times, self.seq


def pause_once(_command: d.PauseDownload, times: int) -> Sequence[Event]:
    return () if times else (d.DownloadPaused(download_id="1"),)


def pause_again(_command: d.PauseDownload, times: int) -> Sequence[Event]:
    return (d.DownloadPaused(download_id=str(times)),)


async def test_facts_are_appended_and_told() -> None:
    store = MemoryStore()
    seq, events = await execute(store, SUBJECT, load=lambda: (0, 0), decide=pause_once, command=PAUSE, meta=META)
    assert (seq, events) == (1, (d.DownloadPaused(download_id="1"),))
    assert (await store.head()).seq == 1


async def test_already_so_appends_nothing() -> None:
    store = MemoryStore()
    assert await execute(store, SUBJECT, load=lambda: (1, 0), decide=pause_once, command=PAUSE, meta=META) == (0, ())
    assert (await store.head()).seq == 0


async def test_a_lost_race_is_decided_again_on_the_newer_state() -> None:
    store, fold = MemoryStore(), Paused()
    await store.append(SUBJECT, [d.DownloadPaused(download_id="other")], expected_seq=0, meta=META)
    projector = Projector(store, [fold])
    task: asyncio.Task[None] | None = None

    def load() -> tuple[int, int]:
        nonlocal task
        state = fold.load()
        if task is None:  # the fold learns of the other only after the first, stale decision
            task = asyncio.create_task(projector.run())
        return state

    assert await execute(store, SUBJECT, load=load, decide=pause_once, command=PAUSE, meta=META) == (0, ())
    assert (await store.head()).seq == 1
    assert task is not None
    task.cancel()


async def test_all_of_twenty_rivals_get_their_turn_or_are_told() -> None:
    store, fold = MemoryStore(), Paused()
    projector = Projector(store, [fold])
    task = asyncio.create_task(projector.run())

    async def rival() -> bool:
        async def load() -> tuple[int, int]:
            await asyncio.sleep(0)
            return fold.load()

        try:
            await execute(store, SUBJECT, load=load, decide=pause_again, command=PAUSE, meta=META)
        except ConflictError:
            return False
        return True

    won = sum(await asyncio.gather(*(rival() for _ in range(20))))
    assert won == (await store.head()).seq >= 3
    task.cancel()


async def test_a_state_that_never_arrives_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "FOLD_WAIT_S", 0.03)
    store = MemoryStore()
    await store.append(SUBJECT, [d.DownloadPaused(download_id="other")], expected_seq=0, meta=META)
    with pytest.raises(ConflictError, match="did not reach sequence 1"):
        await execute(store, SUBJECT, load=lambda: (0, 0), decide=pause_once, command=PAUSE, meta=META)


async def test_refusals_and_outages_reach_the_caller() -> None:
    def refuse(_command: d.PauseDownload, _state: int) -> Sequence[Event]:
        raise CommandNotAllowedError("it is completed", code="completed")

    store = MemoryStore()
    with pytest.raises(CommandNotAllowedError, match="completed"):
        await execute(store, SUBJECT, load=lambda: (0, 0), decide=refuse, command=PAUSE, meta=META)
    store.available = False
    with pytest.raises(UnavailableError):
        await execute(store, SUBJECT, load=lambda: (0, 0), decide=pause_once, command=PAUSE, meta=META)
