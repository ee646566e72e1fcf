from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from catalog import watch as watch_module
from catalog.inventory import mount_of
from catalog.root_marker import RootMarker
from catalog.roots import RootsFile
from catalog.states import ModelFilesFold
from catalog.watch import Watch
from modeldeck_events import modelfiles
from modeldeck_events.memory import MemoryStore
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import InventorySurveyed, ModelFileFound, ModelFileGone
from modeldeck_events.projector import Projector
from modeldeck_events.store import Meta

from tests.unit.catalog.model_headers import Gguf
from tests.unit.catalog.samples import until

META = Meta("test")
OLD_NS = 1_600_000_000 * 10**9


class Bench:
    """A watch of a real folder on a store in memory."""

    def __init__(self, store: MemoryStore, root: Path, marker: Path, extra: Path | None = None) -> None:
        self.root = root
        self.store = store
        self.named: frozenset[str] = frozenset()
        self.fold = ModelFilesFold("p")
        self.projector = Projector(store, (self.fold,), subjects=self.fold.subjects)
        self.watch = Watch(
            store, self.fold, RootsFile(root, extra), named=lambda: self.named, marker=RootMarker(marker)
        )

    def put(self, path: str, data: bytes = b"x", *, mtime_ns: int | None = OLD_NS) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if mtime_ns is not None:
            os.utime(file, ns=(mtime_ns, mtime_ns))
        return file

    async def facts(self) -> list[Event | None]:
        """Return what was said of files."""
        files = self.fold.subjects[:1]
        return [record.event for record in await self.store.read(after=0, limit=100_000, subjects=files)]

    async def catch_up(self) -> None:
        """Fold what the log tells, without a projector."""
        for record in await self.store.read(after=0, limit=100_000):
            self.fold.apply(record)

    async def surveys(self) -> list[InventorySurveyed]:
        records = await self.store.read(after=0, limit=100_000, subjects=self.fold.subjects[1:])
        return [record.event for record in records if isinstance(record.event, InventorySurveyed)]

    async def told(self) -> list[tuple[str, str]]:
        return [
            (type(event).__name__.removeprefix("ModelFile"), event.path)
            for event in await self.facts()
            if isinstance(event, ModelFileFound | ModelFileGone)
        ]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    (tmp_path / "models").mkdir()
    bench = Bench(MemoryStore(), tmp_path / "models", tmp_path / "marker.json")
    task = asyncio.create_task(bench.projector.run())
    await bench.projector.caught_up.wait()
    yield bench
    task.cancel()


async def test_found_changed_and_gone_are_told_once_each(bench: Bench) -> None:
    file = bench.put("vae/a.gguf", b"GGUF")
    for _ in range(3):
        await bench.watch.check()
    assert await bench.told() == [("Found", "vae/a.gguf")]
    bench.put("vae/a.gguf", b"GGUF more")
    await bench.watch.check()
    os.utime(file, ns=(OLD_NS, OLD_NS + 10**9))
    await bench.watch.check()
    file.unlink()
    for _ in range(3):
        await bench.watch.check()
    assert await bench.told() == [*[("Found", "vae/a.gguf")] * 3, ("Gone", "vae/a.gguf")]
    bench.put("vae/a.gguf", b"GGUF")
    await bench.watch.check()
    assert (await bench.told())[-1] == ("Found", "vae/a.gguf")


async def test_other_content_of_the_same_size_and_time_is_a_change(bench: Bench) -> None:
    bench.put("a.gguf", b"GGUF1")
    await bench.watch.check()
    bench.put("b.tmp", b"GGUF2").replace(bench.root / "a.gguf")
    await bench.watch.check()
    assert await bench.told() == [("Found", "a.gguf")] * 2


async def test_the_header_tells_whether_a_file_is_whole(bench: Bench) -> None:
    bench.put("a.safetensors", b"<html>not found</html>")
    await bench.watch.check()
    (fact,) = await bench.facts()
    assert isinstance(fact, ModelFileFound)
    assert (fact.whole, fact.format, fact.size_bytes, fact.pool) == (False, "safetensors", 22, "p")


async def test_a_file_that_only_a_preset_names_counts_once_it_is_named(bench: Bench) -> None:
    bench.put("config/model.json")
    await bench.watch.check()
    bench.named = frozenset({"config/model.json"})
    await bench.watch.check()
    bench.named = frozenset()
    await bench.watch.check()  # it is still there
    assert await bench.told() == [("Found", "config/model.json")]


async def test_after_a_restart_nothing_is_told_twice_and_what_was_missed_is(bench: Bench, tmp_path: Path) -> None:
    for name in ("same.bin", "changed.bin", "deleted.bin"):
        bench.put(name)
    await bench.watch.check()
    before = len(await bench.facts())
    bench.put("changed.bin", b"yy")
    (bench.root / "deleted.bin").unlink()
    bench.put("new.bin")
    again = Bench(bench.store, bench.root, tmp_path / "marker.json")
    task = asyncio.create_task(again.projector.run())
    await again.projector.caught_up.wait()
    await again.watch.check()
    task.cancel()
    assert set((await bench.told())[before:]) == {
        ("Found", "changed.bin"),
        ("Found", "new.bin"),
        ("Gone", "deleted.bin"),
    }


async def test_a_folder_that_vanishes_keeps_what_is_known(bench: Bench) -> None:
    bench.put("vae/a.bin")
    await bench.watch.check()
    bench.root.rename(bench.root.with_name("elsewhere"))
    await bench.watch.check()
    assert "No such file" in bench.watch.problem
    bench.root.mkdir()  # the bare mount point
    await bench.watch.check()
    assert "not the folder in which the models were" in bench.watch.problem
    bench.root.rmdir()
    bench.root.with_name("elsewhere").rename(bench.root)
    await bench.watch.check()
    assert bench.watch.problem == ""
    assert await bench.told() == [("Found", "vae/a.bin")]


async def test_a_mount_point_that_is_bare_at_the_start_keeps_what_is_known(bench: Bench, tmp_path: Path) -> None:
    bench.put("vae/a.bin")
    await bench.watch.check()
    bench.root.rename(tmp_path / "elsewhere")
    bench.root.mkdir()
    again = Bench(bench.store, bench.root, tmp_path / "marker.json")
    await again.catch_up()
    await again.watch.check()
    assert again.watch.problem
    (bench.root / "anything").mkdir()  # the person says: this is my folder now
    await again.watch.check()
    assert again.watch.problem == ""
    assert (await bench.told())[-1] == ("Gone", "vae/a.bin")


async def test_a_folder_that_was_really_emptied_is_believed(bench: Bench) -> None:
    bench.put("a.bin")
    await bench.watch.check()
    (bench.root / "a.bin").unlink()
    await bench.watch.check()
    assert await bench.told() == [("Found", "a.bin"), ("Gone", "a.bin")]


async def test_another_models_folder_is_believed_though_it_is_empty(bench: Bench, tmp_path: Path) -> None:
    bench.put("a.bin")
    await bench.watch.check()
    (tmp_path / "new").mkdir()
    moved = Bench(bench.store, tmp_path / "new", tmp_path / "marker.json")
    await moved.catch_up()
    await moved.watch.check()
    assert await bench.told() == [("Found", "a.bin"), ("Gone", "a.bin")]


async def test_the_whole_inventory_is_told_again_when_the_log_was_lost(bench: Bench) -> None:
    bench.put("a.bin")
    await bench.watch.check()
    bench.store.lose()
    await until(lambda: bench.fold.files.generation == 1)
    await bench.watch.check()
    assert await bench.told() == [("Found", "a.bin")]


async def test_an_outage_of_the_log_is_survived(bench: Bench) -> None:
    bench.store.available = False
    task = asyncio.create_task(bench.watch.run())
    bench.put("a.bin")
    await until(lambda: bench.watch._log_away)
    bench.store.available = True
    await until(lambda: bench.fold.files.stands("a.bin").value is not None)
    task.cancel()
    assert await bench.told() == [("Found", "a.bin")]


async def test_a_growing_file_is_told_when_it_stands_still(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "CHECK_S", 0.05)
    task = asyncio.create_task(bench.watch.run())
    with (bench.root / "growing.bin").open("wb", buffering=0) as file:
        for _ in range(12):
            file.write(b"x" * 1000)
            await asyncio.sleep(0.1)
        assert await bench.told() == []
    await until(lambda: bench.fold.files.stands("growing.bin").value is not None)
    task.cancel()
    known = bench.fold.files.stands("growing.bin").value
    assert known is not None
    assert known.size_bytes == 12_000
    assert await bench.told() == [("Found", "growing.bin")]


async def test_a_finished_download_is_told_at_once(bench: Bench) -> None:
    task = asyncio.create_task(bench.watch.run())
    await until(bench.watch.walked.is_set)
    bench.put("vae/a.bin", mtime_ns=None)
    began = time.monotonic()
    bench.watch.look_at("vae/a.bin")
    bench.watch.look_at("vae/not-there.bin")
    await until(lambda: bench.fold.files.stands("vae/a.bin").value is not None)
    assert time.monotonic() - began < watch_module.CHECK_S  # not only at the next glance
    task.cancel()
    assert await bench.told() == [("Found", "vae/a.bin")]


async def test_a_new_file_is_noticed_within_two_seconds_by_itself(bench: Bench) -> None:
    task = asyncio.create_task(bench.watch.run())
    await until(bench.watch.walked.is_set)
    began = time.monotonic()
    bench.put("vae/a.bin", mtime_ns=None)
    await until(lambda: bench.fold.files.stands("vae/a.bin").value is not None)
    assert time.monotonic() - began < 5  # 1.9 s, and the noise of a busy machine
    task.cancel()


async def with_extra(bench: Bench, tmp_path: Path, text: str) -> Bench:
    """Return a bench of the same log and models folder, with an extra_model_paths.yaml."""
    (tmp_path / "extra.yaml").write_text(text)
    again = Bench(bench.store, bench.root, tmp_path / "marker.json", tmp_path / "extra.yaml")
    await again.catch_up()
    return again


def place(tmp_path: Path, path: str, data: bytes = b"x") -> Path:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    os.utime(file, ns=(OLD_NS, OLD_NS))
    return file


async def test_files_of_extra_roots_are_told_under_their_prefix(bench: Bench, tmp_path: Path) -> None:
    bench.put("vae/a.bin")
    place(tmp_path, "big/vae/b.bin")
    place(tmp_path, "big/loras/deep/c.bin")
    deck = await with_extra(bench, tmp_path, "big: {base_path: big, vae: vae, loras: loras}")
    for _ in range(2):
        await deck.watch.check()
    assert sorted(await deck.told()) == [
        ("Found", "@big/loras/deep/c.bin"),
        ("Found", "@big/vae/b.bin"),
        ("Found", "vae/a.bin"),
    ]
    (survey,) = await deck.surveys()
    assert [(root.prefix, root.folder, root.writable, root.problem) for root in survey.roots] == [
        ("", str(bench.root), True, ""),
        ("@big/vae", str(tmp_path / "big/vae"), True, ""),
        ("@big/loras", str(tmp_path / "big/loras"), True, ""),
    ]
    assert survey.places["vae"] == ("vae", "@big/vae")
    assert survey.mounts == {"": mount_of(str(tmp_path))}
    (tmp_path / "big/vae/b.bin").unlink()
    await deck.watch.check()
    assert (await deck.told())[-1] == ("Gone", "@big/vae/b.bin")


async def test_a_change_of_the_extra_paths_is_taken_over_by_itself(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "CHECK_S", 0.05)
    place(tmp_path, "one/a.bin")
    place(tmp_path, "two/b.bin")
    deck = await with_extra(bench, tmp_path, "s: {vae: one}")
    task = asyncio.create_task(deck.watch.run())
    await until(lambda: deck.fold.get("@s/vae/a.bin") is not None)
    (tmp_path / "extra.yaml").write_text("s: {loras: two, more: gone}")
    await until(lambda: deck.fold.get("@s/loras/b.bin") is not None and deck.fold.get("@s/vae/a.bin") is None)
    (tmp_path / "extra.yaml").write_text("s: [")
    await until(lambda: deck.watch._source_problem != "")
    (tmp_path / "extra.yaml").unlink()
    await until(lambda: "No such file" in deck.watch._source_problem)
    task.cancel()
    assert await deck.told() == [("Found", "@s/vae/a.bin"), ("Found", "@s/loras/b.bin"), ("Gone", "@s/vae/a.bin")]
    assert deck.fold.survey is not None
    assert "No such file" in deck.fold.survey.roots[2].problem
    assert len(await deck.surveys()) == 2


async def test_a_root_that_is_unmounted_takes_nothing_with_it(bench: Bench, tmp_path: Path) -> None:
    bench.put("a.bin")
    place(tmp_path, "big/vae/b.bin")
    deck = await with_extra(bench, tmp_path, "s: {vae: big/vae}")
    await deck.watch.check()
    (tmp_path / "big").rename(tmp_path / "away")
    await deck.watch.check()
    assert list(deck.watch.problems) == ["@s/vae"]
    (tmp_path / "big/vae").mkdir(parents=True)  # the bare mount point
    await deck.watch.check()
    assert "not the folder in which the models were" in deck.watch.problem
    (bench.root / "a.bin").unlink()  # the others go on
    await deck.watch.check()
    assert [kind for kind, _ in await deck.told()] == ["Found", "Found", "Gone"]
    (tmp_path / "big/vae").rmdir()
    (tmp_path / "big").rmdir()
    (tmp_path / "away").rename(tmp_path / "big")
    await deck.watch.check()
    assert deck.watch.problem == ""
    assert len(await deck.told()) == 3
    assert [bool(survey.roots[1].problem) for survey in await deck.surveys()] == [False, True, True, False]


async def test_without_the_extra_paths_file_nothing_of_them_is_gone(bench: Bench, tmp_path: Path) -> None:
    place(tmp_path, "big/vae/b.bin")
    deck = await with_extra(bench, tmp_path, "s: {vae: big/vae}")
    await deck.watch.check()
    again = await with_extra(bench, tmp_path, "s: [")
    await again.watch.check()
    assert len(await bench.surveys()) == 1
    assert await bench.told() == [("Found", "@s/vae/b.bin")]
    plain = Bench(bench.store, bench.root, tmp_path / "marker.json")
    await plain.catch_up()
    await plain.watch.check()  # the setting was taken away
    assert await bench.told() == [("Found", "@s/vae/b.bin"), ("Gone", "@s/vae/b.bin")]


async def test_names_that_look_like_prefixes_are_left_out_of_the_models_folder(bench: Bench) -> None:
    bench.put("@s/vae/a.bin")
    bench.put("@b.bin")
    bench.put("vae/@c.bin")
    await bench.watch.check()
    assert await bench.told() == [("Found", "vae/@c.bin")]
    assert sorted(bench.watch.skipped) == ["'@b.bin'", "'@s'"]


async def test_links_lead_from_one_root_into_another(bench: Bench, tmp_path: Path) -> None:
    place(tmp_path, "big/vae/b.bin")
    place(tmp_path, "secret/c.bin")
    (bench.root / "vae").mkdir()
    (bench.root / "vae/b.bin").symlink_to(tmp_path / "big/vae/b.bin")
    (bench.root / "linked").symlink_to(tmp_path / "big/vae")
    (bench.root / "out").symlink_to(tmp_path / "secret")
    deck = await with_extra(bench, tmp_path, "s: {vae: big/vae}")
    await deck.watch.check()
    assert sorted(path for _, path in await deck.told()) == ["@s/vae/b.bin", "linked/b.bin", "vae/b.bin"]
    assert list(deck.watch.skipped) == ["'out'"]
    assert (await bench.surveys())[0].mounts == {"": mount_of(str(tmp_path))}


async def test_a_file_from_before_headers_were_read_is_read_once_more(bench: Bench) -> None:
    bench.put("a.gguf", Gguf().file())
    await bench.watch.check()
    (fact,) = await bench.facts()
    assert isinstance(fact, ModelFileFound)
    older = msgspec.structs.replace(fact, metadata=None, whole=None)
    subject = modelfiles.subject("p", "a.gguf")
    seq = await bench.store.append(subject, (older,), expected_seq=bench.fold.files.stands("a.gguf").seq, meta=META)
    await until(lambda: bench.fold.files.stands("a.gguf").seq == seq)
    bench.watch._stamps.clear()
    for _ in range(2):
        await bench.watch.check()
    assert (await bench.facts())[2:] == [fact]


async def test_a_large_folder_costs_little_when_nothing_changed(bench: Bench) -> None:
    for number in range(2_000):
        (bench.root / f"d{number % 50}").mkdir(exist_ok=True)
        bench.put(f"d{number % 50}/{number}.safetensors", b"")
    await bench.watch.check()
    assert len(await bench.facts()) == 2_000
    began = time.process_time()
    for _ in range(5):
        await bench.watch.check()
    assert (time.process_time() - began) / 5 < 0.25  # 20,000 files in 0.5 s would allow 0.05
    shutil.rmtree(bench.root / "d7")
    await bench.watch.check()
    assert len(await bench.facts()) == 2_040
