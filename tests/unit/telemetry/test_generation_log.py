"""A generation is told once, whoever watches it and however often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from modeldeck_events import generations as g
from modeldeck_events.memory import MemoryStore
from modeldeck_events.message import Event
from modeldeck_events.projector import Projector
from modeldeck_events.store import Meta
from telemetry.comfyui import backoff_s
from telemetry.comfyui_client import shown, source_of
from telemetry.generation_log import GenerationLog, Generations, decide

SOURCE = "box:8188"


def started(job_id: str = "one") -> g.GenerationStarted:
    return g.GenerationStarted(source=SOURCE, generation_id=job_id)


def completed(job_id: str = "one") -> g.GenerationCompleted:
    return g.GenerationCompleted(source=SOURCE, generation_id=job_id)


def failed(job_id: str = "one") -> g.GenerationFailed:
    return g.GenerationFailed(source=SOURCE, generation_id=job_id, error="x")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def logs(store: MemoryStore) -> AsyncIterator[list[GenerationLog]]:
    """Two watchers of one ComfyUI."""
    tasks, found = [], []
    for _ in range(2):
        known = Generations(SOURCE)
        projector = Projector(store, [known], subjects=[g.source_subjects(SOURCE)])
        tasks.append(asyncio.create_task(projector.run()))
        await projector.caught_up.wait()
        found.append(GenerationLog(store, projector, known))
    yield found
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def facts(store: MemoryStore) -> list[Event | None]:
    return [record.event for record in await store.read(after=0, limit=1000)]


def test_a_run_starts_once_and_ends_once() -> None:
    assert decide(started(), "new") == (started(),)
    assert decide(completed(), "new") == (completed(),)
    assert decide(completed(), "open") == (completed(),)
    for seen in (started(), completed(), failed()):
        assert decide(seen, "ended") == ()
    assert decide(started(), "open") == ()


async def test_two_watchers_tell_everything_once(store: MemoryStore, logs: list[GenerationLog]) -> None:
    seen = [fact for n in range(20) for fact in (started(str(n)), completed(str(n)))]

    async def tell(log: GenerationLog) -> int:
        return sum([await log.add(fact) for fact in seen])

    assert sum(await asyncio.gather(*map(tell, logs))) >= 40  # a repetition under the same id counts as said, too
    assert await facts(store) == seen


async def test_two_watchers_with_different_ends_agree_on_the_first(
    store: MemoryStore, logs: list[GenerationLog]
) -> None:
    assert await logs[0].add(started())
    assert await logs[0].add(failed())
    assert not await logs[1].add(completed())
    await logs[1].settle()
    assert await facts(store) == [started(), failed()]


async def test_a_replaced_log_is_told_all_again(store: MemoryStore, logs: list[GenerationLog]) -> None:
    log = logs[0]
    await log.add(completed())
    await log.settle()
    store.lose()
    async with asyncio.timeout(5):
        while log.generations.phase("one") != "new":  # noqa: ASYNC110 - the projector tells nobody
            await asyncio.sleep(0.01)
    assert await log.add(completed())
    assert await facts(store) == [completed()]


async def test_the_fold_keeps_what_is_open_and_the_newest_ends(store: MemoryStore) -> None:
    known = Generations(SOURCE, kept=2)
    for job_id in ("a", "b", "c"):
        await store.append(g.subject(SOURCE, job_id), [completed(job_id)], expected_seq=0, meta=Meta(source="t"))
    await store.append(g.subject(SOURCE, "d"), [started("d")], expected_seq=0, meta=Meta(source="t"))
    other = g.GenerationStarted(source="other", generation_id="e")
    await store.append(g.subject("other", "e"), [other], expected_seq=0, meta=Meta(source="t"))
    for record in await store.read(after=0, limit=10):
        known.apply(record)
    assert [known.phase(job_id) for job_id in "abcde"] == ["new", "ended", "ended", "open", "new"]
    assert (known.seq("b"), known.seq("d"), list(known.open)) == (2, 4, ["d"])


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("http://127.0.0.1:8188", "box:8188"),
        ("http://localhost:8188/", "box:8188"),
        ("http://[::1]:8188", "box:8188"),
        ("https://me:secret@GPU-1.example/comfy/", "gpu-1.example:443/comfy"),
    ],
)
def test_every_watcher_names_a_comfyui_alike(url: str, source: str) -> None:
    assert source_of(url, "box") == source


def test_no_credentials_are_shown() -> None:
    assert shown("http://me:secret@host:8188/x?token=y") == "http://host:8188/x"


def test_it_backs_off_from_half_a_second_to_half_a_minute() -> None:
    assert [backoff_s(n, 1.0) for n in (0, 1, 2, 6, 5000)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert [backoff_s(n, 0.0) for n in (0, 1, 3, 6)] == [0.5, 0.5, 2.0, 15.0]
