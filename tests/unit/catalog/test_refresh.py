from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from catalog import publishing
from catalog.copies import Copies
from catalog.feed import RefreshError
from catalog.handlers import Handlers
from catalog.refresh import Refresher
from catalog.source import Fetched
from catalog.states import PresetsFold
from catalog.web import SourceError
from modeldeck_events import presets
from modeldeck_events.errors import UnavailableError
from modeldeck_events.memory import MemoryStore
from modeldeck_events.presets import (
    CatalogRefreshed,
    CatalogRefreshFailed,
    PresetPublished,
    PresetWithdrawn,
    RefreshPresets,
)
from modeldeck_events.projector import Projector
from modeldeck_events.store import Meta, Record

from tests.unit.catalog.samples import TRAPS, one_preset, until


class Origin:
    """The edge of the world: a source whose content and mood the test sets."""

    name = "https://h.example/presets.yaml"
    remote = True

    def __init__(self) -> None:
        self.data = TRAPS.encode()
        self.etag = ""
        self.error: SourceError | None = None
        self.asked: list[str] = []

    async def fetch(self, kept: Fetched | None) -> Fetched | None:
        etag = kept.etag if kept is not None else ""
        self.asked.append(etag)
        if self.error:
            raise self.error
        return None if etag and etag == self.etag else Fetched(self.data, self.etag)


class Bench:
    """A refresher on a store in memory, its fold kept up by a projector."""

    def __init__(self, store: MemoryStore, folder: Path, origin: Origin) -> None:
        self.store = store
        self.fold = PresetsFold()
        self.projector = Projector(store, (self.fold,))
        self.refresher = Refresher(store, self.fold, origin, Copies(folder), wait_for=self.projector.wait_for)

    async def records(self, after: int = 0) -> list[Record]:
        return await self.store.read(after=after, limit=1000)

    async def types(self, after: int = 0) -> list[type]:
        return [type(record.event) for record in await self.records(after)]

    async def live(self) -> set[str]:
        fold = PresetsFold()
        for record in await self.records():
            fold.apply(record)
        return {preset.id for preset in fold.presets.live()}


@pytest.fixture
def origin() -> Origin:
    return Origin()


@pytest.fixture
async def bench(tmp_path: Path, origin: Origin) -> AsyncIterator[Bench]:
    bench = Bench(MemoryStore(), tmp_path / "catalog", origin)
    task = asyncio.create_task(bench.projector.run())
    await bench.projector.caught_up.wait()
    yield bench
    task.cancel()


async def test_the_first_refresh_publishes_every_preset_and_then_the_whole(bench: Bench) -> None:
    done = await bench.refresher.refresh()
    types = await bench.types()
    assert types == [PresetPublished] * 8 + [CatalogRefreshed]
    assert (done.published, done.withdrawn, done.seq) == (8, 0, 9)
    last = (await bench.records())[-1].event
    assert isinstance(last, CatalogRefreshed)
    assert (last.version, last.total_presets, last.published, last.source) == ("2.1.0", 8, 8, Origin.name)
    assert {warning.code for warning in last.warnings} == {"invalid_preset", "count_mismatch"}


async def test_who_asks_is_told_which_presets_were_left_out(bench: Bench) -> None:
    command = RefreshPresets(command_id="c1", actor="anna")
    reply = await Handlers(bench.refresher).refresh_presets(command)
    assert "8 presets" in str(reply.data["message"])
    assert " left out (the preset " in str(reply.data["message"])


async def test_the_same_again_says_nothing_unless_a_person_asked(bench: Bench) -> None:
    await bench.refresher.refresh()
    head = (await bench.store.head()).seq
    assert (await bench.refresher.refresh()).seq == 0
    assert (await bench.store.head()).seq == head
    command = RefreshPresets(command_id="c1", actor="anna")
    assert (await bench.refresher.refresh(command)).seq == head + 1
    assert (await bench.refresher.refresh(command)).seq == head + 1
    record = (await bench.records(head))[0]
    assert (record.actor, record.correlation_id) == ("anna", "c1")
    assert len(await bench.records(head)) == 1


async def test_only_what_changed_is_published_and_what_is_missing_withdrawn(bench: Bench, origin: Origin) -> None:
    origin.data = one_preset("A") + b"  B: {files: [{path: b.bin, url: 'https://h.example/b.bin'}]}\n"
    await bench.refresher.refresh()
    head = (await bench.store.head()).seq
    origin.data = (
        one_preset("A", name="Renamed", version="1.1")
        + b"  C: {files: [{path: c.bin, url: 'https://h.example/c.bin'}]}\n"
    )
    done = await bench.refresher.refresh()
    assert (done.published, done.withdrawn) == (2, 1)
    assert await bench.types(head) == [PresetPublished, PresetPublished, PresetWithdrawn, CatalogRefreshed]
    assert await bench.live() == {"A", "C"}
    origin.data = one_preset("B", version="1.2")
    await bench.refresher.refresh()
    assert await bench.live() == {"B"}


@pytest.mark.parametrize("data", [b"", b"presets: {}", b"<html>", b"presets:\n  - {", b"presets: {a: {files: []}}"])
async def test_a_wrong_file_never_replaces_the_catalog(
    bench: Bench, origin: Origin, data: bytes, tmp_path: Path
) -> None:
    await bench.refresher.refresh()
    origin.data, good = data, origin.data
    with pytest.raises(RefreshError) as failed:
        await bench.refresher.refresh(RefreshPresets(command_id="c", actor="anna"))
    assert (failed.value.code, failed.value.status) == ("invalid_catalog", 400)
    assert len(await bench.live()) == 8
    assert (tmp_path / "catalog/presets.yaml").read_bytes() == good
    last = (await bench.records())[-1]
    assert isinstance(last.event, CatalogRefreshFailed)
    assert (last.event.code, last.actor) == ("invalid_catalog", "anna")


async def test_a_failure_that_lasts_is_said_once_and_its_end_once(bench: Bench, origin: Origin) -> None:
    await bench.refresher.refresh()
    head = (await bench.store.head()).seq
    origin.error = SourceError("gone", code="upstream_status", status=404)
    for _ in range(3):
        with pytest.raises(RefreshError) as failed:
            await bench.refresher.refresh()
        assert failed.value.status == 404
    origin.error = None
    await bench.refresher.refresh()
    await bench.refresher.refresh()
    assert await bench.types(head) == [CatalogRefreshFailed, CatalogRefreshed]


async def test_an_etag_that_still_stands_means_the_kept_copy(bench: Bench, origin: Origin) -> None:
    origin.etag = '"1"'
    await bench.refresher.refresh()
    await bench.refresher.refresh()
    assert origin.asked == ["", '"1"']
    bench.store.lose()
    await until(lambda: bench.fold.catalog_seq == 0)
    await bench.refresher.refresh()
    assert len(await bench.live()) == 8  # the log is new: the copy is published again though the source says 304


async def test_the_copy_is_there_before_the_network(bench: Bench, origin: Origin, tmp_path: Path) -> None:
    await bench.refresher.refresh()
    other = Bench(MemoryStore(), tmp_path / "catalog", origin)
    origin.asked.clear()
    await other.refresher.load_copy()
    assert len(await other.live()) == 8
    assert origin.asked == []
    origin.name = "https://h.example/another.yaml"
    third = Bench(MemoryStore(), tmp_path / "catalog", origin)
    await third.refresher.load_copy()
    assert await third.live() == set()


async def test_a_refresh_that_lost_the_log_goes_on_where_it_was(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "TOGETHER", 3)
    real = bench.store.append_together
    left = 1

    async def flaky(*args: object, **kwargs: object) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise UnavailableError("away")
        return await real(*args, **kwargs)  # type: ignore[arg-type]

    bench.store.append_together = flaky  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        await bench.refresher.refresh()
    bench.store.append_together = real  # type: ignore[method-assign]
    assert len(await bench.records()) == 3
    done = await bench.refresher.refresh()
    assert done.published == 5
    assert await bench.types() == [PresetPublished] * 8 + [CatalogRefreshed]


async def test_two_processes_that_refresh_at_once_publish_each_preset_once(
    bench: Bench, origin: Origin, tmp_path: Path
) -> None:
    other = Bench(bench.store, tmp_path / "other", origin)
    task = asyncio.create_task(other.projector.run())
    await other.projector.caught_up.wait()
    await asyncio.gather(bench.refresher.refresh(), other.refresher.refresh())
    task.cancel()
    types = await bench.types()
    assert types.count(PresetPublished) == 8
    assert len(await bench.live()) == 8


async def test_a_fact_of_a_later_version_only_moves_the_guard(bench: Bench, origin: Origin) -> None:
    origin.data = one_preset("A")
    await bench.refresher.refresh()
    (known, *_) = await bench.records()
    strange = msgspec.structs.replace(known, seq=9, type="modeldeck.preset.published.v9", event=None)
    bench.fold.apply(strange)
    stands = bench.fold.presets.stands("A")
    assert stands.seq == 9
    assert stands.value is not None


async def test_another_one_was_quicker_with_the_same_subject(bench: Bench, origin: Origin) -> None:
    """The guard refuses, the fold is waited for, and what stands then is decided on again."""
    origin.data = one_preset("A")
    event = PresetWithdrawn(preset_id="A")
    await bench.store.append(presets.subject("A"), (event,), expected_seq=0, meta=Meta("test"))
    done = await bench.refresher.refresh()
    assert done.published == 1
    assert await bench.live() == {"A"}
