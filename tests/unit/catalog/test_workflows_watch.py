"""The log follows the template folders: what is told, when, and what is not."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from catalog.stamps import Stamp
from catalog.workflows import folders
from catalog.workflows import watch as watch_module
from catalog.workflows.fold import TemplatesFold
from catalog.workflows.folders import Root
from catalog.workflows.loaders import Loaders
from catalog.workflows.watch import TemplateWatch
from modeldeck_events import templates
from modeldeck_events.errors import UnavailableError
from modeldeck_events.memory import MemoryStore
from modeldeck_events.projector import Projector
from modeldeck_events.store import Meta
from modeldeck_events.templates import TemplateGone, TemplateScanned

from tests.unit.catalog.samples import until
from tests.unit.catalog.workflows import editor, loader, node

OLD_NS = 1_600_000_000 * 10**9
GGUF = {"loaders": {"UnetLoaderGGUF": {"unet_name": {"folder": "diffusion_models", "widget": 0}}}}


class Bench:
    """A watch of real folders on a store in memory; `look` is one look at everything."""

    def __init__(self, store: MemoryStore, folder: Path, *roots: str) -> None:
        self.store = store
        self.folder = folder
        self.fold = TemplatesFold("p")
        self.projector = Projector(store, (self.fold,), subjects=(self.fold.subjects,))
        self.loaders_file = folder / "loaders.json"
        self.watch = TemplateWatch(
            store, self.fold, [Root(name, folder / name) for name in roots], Loaders(self.loaders_file)
        )

    def put(self, path: str, data: bytes, *, mtime_ns: int | None = OLD_NS) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if mtime_ns is not None:
            os.utime(file, ns=(mtime_ns, mtime_ns))
        return file

    async def look(self) -> None:
        self.watch._glances.hurry(walk=True)
        await self.watch.check()

    async def told(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for record in await self.store.read(after=0, limit=100_000):
            if isinstance(record.event, TemplateScanned | TemplateGone):
                kind = "gone" if isinstance(record.event, TemplateGone) else record.event.format
                found.append((kind, record.event.template_id))
        return found

    def known(self, template_id: str) -> TemplateScanned:
        known = self.fold.templates.stands(template_id).value
        assert known is not None
        return known

    def paths(self, template_id: str) -> list[str]:
        return [one.path for one in self.known(template_id).references]


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(watch_module, "GONE_S", 0.0)  # the second walk still has to be another one
    (tmp_path / "w").mkdir()
    async with following(Bench(MemoryStore(), tmp_path, "w")) as bench:
        yield bench


class following:  # noqa: N801 - used like a function
    """Keep a bench's fold up to its log."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def __aenter__(self) -> Bench:
        self._task = asyncio.create_task(self._bench.projector.run())
        await self._bench.projector.caught_up.wait()
        return self._bench

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()


def whole(name: str) -> bytes:
    return editor(loader(name))


async def test_found_changed_and_gone_are_told_once_each(bench: Bench) -> None:
    file = bench.put("w/sub/a.json", whole("x.pt"))
    for _ in range(3):
        await bench.look()
    assert await bench.told() == [("editor", "w/sub/a.json")]
    bench.put("w/sub/a.json", whole("y.pt"), mtime_ns=OLD_NS + 1)
    await bench.look()
    assert bench.paths("w/sub/a.json") == ["checkpoints/y.pt"]
    file.unlink()
    await bench.look()
    assert len(await bench.told()) == 2  # an editor may be putting the next one there
    for _ in range(3):
        await bench.look()
    assert await bench.told() == [*[("editor", "w/sub/a.json")] * 2, ("gone", "w/sub/a.json")]
    bench.put("w/sub/a.json", whole("y.pt"))
    await bench.look()
    assert (await bench.told())[-1] == ("editor", "w/sub/a.json")


async def test_a_touched_file_is_told_with_its_new_time(bench: Bench) -> None:
    file = bench.put("w/a.json", whole("x.pt"))
    await bench.look()
    os.utime(file, ns=(OLD_NS, OLD_NS + 10**9))
    await bench.look()
    assert len(await bench.told()) == 2
    assert bench.known("w/a.json").modified_at.timestamp() == 1_600_000_001


async def test_other_content_of_the_same_size_and_time_is_a_change(bench: Bench) -> None:
    bench.put("w/a.json", whole("x.pt"))
    await bench.look()
    bench.put("w/b.tmp", whole("y.pt")).replace(bench.folder / "w/a.json")
    await bench.look()
    assert bench.paths("w/a.json") == ["checkpoints/y.pt"]


async def test_a_file_that_was_just_written_is_read_again_as_its_time_may_stay(bench: Bench) -> None:
    file = bench.put("w/a.json", whole("x.pt"), mtime_ns=None)
    stamp = file.stat()
    await bench.look()
    with file.open("r+b") as same:
        same.write(whole("y.pt"))
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    await bench.look()
    assert bench.paths("w/a.json") == ["checkpoints/y.pt"]


async def test_a_file_in_the_making_keeps_what_is_known(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    data = whole("x.pt")
    bench.put("w/a.json", data)
    bench.put("w/new.json", data[:50], mtime_ns=None)
    await bench.look()
    bench.put("w/a.json", data[:50], mtime_ns=None)
    for _ in range(3):
        await bench.look()
    assert await bench.told() == [("editor", "w/a.json")]
    bench.put("w/a.json", whole("y.pt"), mtime_ns=None)
    await bench.look()  # a whole one need not stand still
    assert bench.paths("w/a.json") == ["checkpoints/y.pt"]
    assert bench.watch._doubtful.keys() == {"w/new.json"}
    monkeypatch.setattr(watch_module, "DOUBT_S", 0.0)
    bench.put("w/new.json", data[:51], mtime_ns=None)
    await bench.look()
    assert (await bench.told())[-1] == ("unreadable", "w/new.json")
    assert bench.watch._doubtful == {}


async def test_a_file_that_changes_while_it_is_read_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.put("w/a.json", whole("x.pt"))
    real = folders.read
    monkeypatch.setattr(folders, "read", lambda *given: (*real(*given)[:2], False))
    await bench.look()
    assert await bench.told() == []
    monkeypatch.setattr(folders, "read", real)
    await bench.look()
    assert await bench.told() == [("editor", "w/a.json")]


async def test_a_rename_is_the_new_name_and_the_end_of_the_old_one(bench: Bench) -> None:
    file = bench.put("w/a.json", whole("x.pt"))
    await bench.look()
    file.rename(bench.folder / "w/b.json")
    for _ in range(2):
        await bench.look()
    assert await bench.told() == [("editor", "w/a.json"), ("editor", "w/b.json"), ("gone", "w/a.json")]


async def test_after_a_restart_nothing_is_told_twice_and_what_was_missed_is(bench: Bench) -> None:
    for name in ("same", "changed", "deleted"):
        bench.put(f"w/{name}.json", whole("x.pt"))
    (bench.folder / "w/away.json").symlink_to("/etc/hostname")
    await bench.look()
    before = len(await bench.told())
    bench.put("w/changed.json", whole("yy.pt"))
    (bench.folder / "w/deleted.json").unlink()
    bench.put("w/new.json", whole("x.pt"))
    async with following(Bench(bench.store, bench.folder, "w")) as again:
        reads: list[str] = []
        real = folders.read

        def noted(path: str, root: str, limit: int) -> tuple[bytes, Stamp, bool]:
            reads.append(path)
            return real(path, root, limit)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(folders, "read", noted)
            for _ in range(2):
                await again.look()
        assert sorted(Path(path).name for path in reads) == ["changed.json", "new.json"]
    assert (await bench.told())[before:] == [
        ("editor", "w/changed.json"),
        ("editor", "w/new.json"),
        ("gone", "w/deleted.json"),
    ]


async def test_custom_nodes_rescan_what_they_concern(bench: Bench) -> None:
    bench.put("w/plain.json", whole("x.pt"))
    bench.put("w/gguf.json", editor(node("UnetLoaderGGUF", ["q.gguf"])))
    await bench.look()
    assert bench.paths("w/gguf.json") == []
    bench.loaders_file.write_text(json.dumps(GGUF))
    await bench.look()
    assert bench.paths("w/gguf.json") == ["diffusion_models/q.gguf"]
    assert len(await bench.told()) == 3  # nothing new about the other one
    bench.loaders_file.write_text("{")
    await bench.look()
    assert (len(await bench.told()), len(bench.watch.problems())) == (3, 1)
    async with following(Bench(bench.store, bench.folder, "w")) as again:  # with the table that ships
        await again.look()
        assert again.paths("w/gguf.json") == []


async def test_roots_that_are_not_there_or_no_longer_named(bench: Bench, tmp_path: Path) -> None:
    bench.put("w/a.json", whole("x.pt"))
    async with following(Bench(bench.store, bench.folder, "w", "late")) as two:
        await two.look()
        assert any("late" in problem for problem in two.watch.problems())
        two.put("late/b.json", whole("x.pt"))
        await two.look()
        assert (await two.told())[-1] == ("editor", "late/b.json")
        assert two.watch.problems() == []
    async with following(Bench(bench.store, bench.folder, "late")) as one:
        for _ in range(2):
            await one.look()
        assert (await one.told())[-1] == ("gone", "w/a.json")


async def test_a_folder_that_cannot_be_read_takes_nothing_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.put("w/sub/a.json", whole("x.pt"))
    await bench.look()

    def refuse(path: str) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("catalog.workflows.folders.os.scandir", refuse)
    for _ in range(3):
        await bench.look()
    assert await bench.told() == [("editor", "w/sub/a.json")]
    assert "Permission denied" in bench.watch.problems()[0]


async def test_a_file_that_cannot_be_read_is_told_and_read_once_it_can_be(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> object:
        raise PermissionError(13, "Permission denied")

    bench.put("w/a.json", whole("x.pt"))
    with monkeypatch.context() as patch:
        patch.setattr(folders, "read", refuse)
        for _ in range(2):
            await bench.look()
        assert await bench.told() == [("unreadable", "w/a.json")]
        assert bench.known("w/a.json").warnings[0].message == "Permission denied"
    await bench.look()
    assert bench.paths("w/a.json") == ["checkpoints/x.pt"]


async def test_a_link_out_of_the_folder_is_told_and_so_is_a_file_in_its_place(bench: Bench, tmp_path: Path) -> None:
    file = bench.put("w/a.json", whole("x.pt"))
    await bench.look()
    file.rename(tmp_path / "kept")
    file.symlink_to(tmp_path / "kept")
    for _ in range(2):
        await bench.look()
    assert [one.code for one in bench.known("w/a.json").warnings] == ["link_outside"]
    assert not bench.known("w/a.json").complete
    (tmp_path / "kept").rename(file)
    await bench.look()
    assert await bench.told() == [("editor", "w/a.json"), ("unreadable", "w/a.json"), ("editor", "w/a.json")]


async def test_what_was_not_appended_is_appended_later(bench: Bench) -> None:
    bench.put("w/a.json", whole("x.pt"))
    bench.store.available = False
    with pytest.raises(UnavailableError):
        await bench.look()
    bench.store.available = True
    await bench.watch.check()
    assert await bench.told() == [("editor", "w/a.json")]


async def test_another_process_that_was_quicker_is_no_error(bench: Bench) -> None:
    bench.put("w/a.json", whole("x.pt"))
    bench.fold.note("w/a.json", 7, None)  # as if the log went on elsewhere: the guard is stale
    await bench.look()
    assert await bench.told() == []
    bench.fold.reset()
    await bench.look()
    assert await bench.told() == [("editor", "w/a.json")]


async def test_a_replaced_log_gets_everything_anew(bench: Bench) -> None:
    bench.put("w/a.json", whole("x.pt"))
    await bench.look()
    bench.store.lose()
    await until(lambda: bench.projector.seq == 0 and bench.projector.caught_up.is_set())
    await bench.look()
    assert await bench.told() == [("editor", "w/a.json")]


async def test_an_own_older_fact_of_an_unknown_kind_only_moves_the_guard(bench: Bench) -> None:
    bench.put("w/a.json", whole("x.pt"))
    gone = TemplateGone(pool="p", template_id="w/a.json")
    await bench.store.append(templates.subject("p", "w/a.json"), (gone,), expected_seq=0, meta=Meta(source="catalog"))
    await until(lambda: bench.fold.templates.stands("w/a.json").seq == 1)
    await bench.look()
    assert await bench.told() == [("gone", "w/a.json"), ("editor", "w/a.json")]


async def test_it_watches_by_itself_and_makes_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.workflows.glances.CHECK_S", 0.02)
    bench = Bench(MemoryStore(), tmp_path, "w")
    bench.watch._make = tmp_path / "w"
    async with following(bench):
        task = asyncio.create_task(bench.watch.run())
        await until(lambda: bench.watch.scanned_all)
        assert bench.watch.problems() == []
        file = bench.put("w/a.json", whole("x.pt"), mtime_ns=None)
        await until(lambda: bench.fold.references("w/a.json") != ())
        bench.put("w/a.json", whole("y.pt"), mtime_ns=None)
        await until(lambda: bench.paths("w/a.json") == ["checkpoints/y.pt"])
        file.write_bytes(b"{")
        await until(lambda: bench.known("w/a.json").format == "unreadable")
        file.unlink()
        await until(lambda: not list(bench.fold.templates.live()))
        task.cancel()
