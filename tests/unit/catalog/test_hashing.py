from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from catalog import digesting, hashing
from catalog.digesting import Digest, Wanted, Worker
from catalog.downloaded import DownloadsFold
from catalog.examining import examine
from catalog.hashing import Hasher
from catalog.roots import Roots, arrange
from catalog.stamps import moment
from catalog.states import ModelFilesFold
from modeldeck_events import downloads as d
from modeldeck_events import modelfiles
from modeldeck_events.memory import MemoryStore
from modeldeck_events.modelfiles import ModelFileGone, ModelFileHashed
from modeldeck_events.projector import Projector
from modeldeck_events.store import Meta

from tests.unit.catalog.samples import until

META = Meta("test")
OLD_S = 1_600_000_000


class Deck:
    """A hasher of a real folder on a store in memory; the test says what was found."""

    def __init__(self, store: MemoryStore, root: Path) -> None:
        self.store = store
        self.root = root
        self.fold = ModelFilesFold("p")
        self.downloads = DownloadsFold("p")
        self.walked = asyncio.Event()
        self.walked.set()
        self.walking = False
        self.hasher = Hasher(store, self.fold, self.downloads, self)
        subjects = (*self.fold.subjects, self.downloads.subjects)
        self.projector = Projector(store, (self.fold, self.downloads), subjects=subjects)

    async def roots(self) -> Roots:
        return arrange(self.root, [])

    def put(self, path: str, data: bytes = b"content", *, at: int = OLD_S) -> str:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (at, at))
        return hashlib.sha256(data).hexdigest()

    async def find(self, *paths: str) -> None:
        """Announce files as the watch does."""
        for path in paths:
            fact, _ = examine(await self.roots(), "p", path)
            subject = modelfiles.subject("p", path)
            seq = await self.store.append(subject, (fact,), expected_seq=await self.store.last_seq(subject), meta=META)
            await self.projector.wait_for(seq)

    async def say_download(self, *events: d.DownloadEvent) -> None:
        subject = d.subject("p", "file:x")
        for event in events:
            last = await self.store.last_seq(subject)
            await self.projector.wait_for(await self.store.append(subject, (event,), expected_seq=last, meta=META))

    async def hashed(self) -> list[ModelFileHashed]:
        records = await self.store.read(after=0, limit=100_000)
        return [record.event for record in records if isinstance(record.event, ModelFileHashed)]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.projector.run()), asyncio.create_task(self.hasher.run())]
        try:
            await self.projector.caught_up.wait()
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await until(lambda: not any(thread.name.startswith("hashing") for thread in threading.enumerate()))


class Reads:
    """Which files were opened to be read, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        real = Worker._go_on

        def go_on(worker: Worker, reading: Any, finished: Any) -> None:
            if not reading.done_bytes:
                self.paths.append(reading.wanted.path)
            real(worker, reading, finished)

        monkeypatch.setattr(Worker, "_go_on", go_on)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


@pytest.fixture
def deck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deck:
    monkeypatch.setattr(hashing, "LOOK_S", 0.02)
    (tmp_path / "models").mkdir()
    return Deck(MemoryStore(), tmp_path / "models")


async def test_files_get_their_hash_once(deck: Deck, reads: Reads) -> None:
    sha256 = deck.put("vae/a.bin")
    async with deck.running():
        await deck.find("vae/a.bin")
        await until(lambda: deck.fold.sha256("vae/a.bin") == sha256)
        deck.put("b.bin", b"other")
        await deck.find("b.bin")
        await until(lambda: deck.fold.sha256("b.bin") is not None)
    status = (deck.root / "vae/a.bin").stat()
    assert (await deck.hashed())[0] == ModelFileHashed(
        pool="p",
        path="vae/a.bin",
        size_bytes=7,
        mtime_ns=OLD_S * 10**9,
        inode=status.st_ino,
        sha256=sha256,
    )
    assert reads.paths[0] == "vae/a.bin"
    assert set(reads.paths) == {"vae/a.bin", "b.bin"}
    assert len(await deck.hashed()) == 2


async def test_after_a_restart_nothing_unchanged_is_read_again(deck: Deck, reads: Reads) -> None:
    names = [f"{number}.bin" for number in range(300)]
    for name in names:
        deck.put(name, name.encode())
    async with deck.running():
        await deck.find(*names)
        await until(lambda: all(deck.fold.sha256(name) for name in names))
    reads.paths.clear()
    again = Deck(deck.store, deck.root)
    deck.put("7.bin", b"changed", at=OLD_S + 5)
    async with again.running():
        await again.find("7.bin")
        await until(lambda: again.fold.sha256("7.bin") == hashlib.sha256(b"changed").hexdigest())
    assert reads.paths == ["7.bin"]
    assert len(await again.hashed()) == 301


async def test_a_fact_said_again_of_the_same_bytes_needs_no_reading(deck: Deck, reads: Reads) -> None:
    sha256 = deck.put("a.bin")
    async with deck.running():
        await deck.find("a.bin")
        await until(lambda: deck.fold.sha256("a.bin") == sha256)
        before = list(reads.paths)
        await deck.find("a.bin")  # as when its header is read anew
        await until(lambda: deck.fold.sha256("a.bin") == sha256)
    assert reads.paths == before


async def test_hard_links_and_renamed_files_are_read_once(deck: Deck, reads: Reads) -> None:
    sha256 = deck.put("a.bin", b"x" * 1000)
    async with deck.running():
        await deck.find("a.bin")
        await until(lambda: deck.fold.sha256("a.bin") == sha256)
        before = list(reads.paths)
        os.link(deck.root / "a.bin", deck.root / "b.bin")
        await deck.find("b.bin")
        await until(lambda: deck.fold.sha256("b.bin") == sha256)
        (deck.root / "a.bin").rename(deck.root / "c.bin")
        gone = ModelFileGone(pool="p", path="a.bin")
        subject = modelfiles.subject("p", "a.bin")
        await deck.store.append(subject, (gone,), expected_seq=await deck.store.last_seq(subject), meta=META)
        await deck.find("c.bin")
        await until(lambda: deck.fold.sha256("c.bin") == sha256)
    assert reads.paths == before


async def test_a_download_s_hash_is_taken_over_without_reading(deck: Deck, reads: Reads) -> None:
    deck.put("a.bin")
    deck.put("touched.bin")
    common: dict[str, Any] = {"download_id": "1", "attempt": 1, "url": "u", "size_bytes": 7, "verified": "size"}
    async with deck.running():
        await deck.say_download(
            d.DownloadFileCompleted(path="a.bin", sha256="ab" * 32, mtime_ns=OLD_S * 10**9, **common),
            d.DownloadFileCompleted(path="touched.bin", sha256="cd" * 32, mtime_ns=OLD_S * 10**9 - 1, **common),
        )
        await deck.find("a.bin", "touched.bin")
        await until(lambda: bool(deck.fold.sha256("a.bin") and deck.fold.sha256("touched.bin")))
    told = {fact.path: (fact.sha256, fact.source) for fact in await deck.hashed()}
    assert told == {
        "a.bin": ("ab" * 32, "download"),
        "touched.bin": (hashlib.sha256(b"content").hexdigest(), "computed"),
    }
    assert set(reads.paths) == {"touched.bin"}


async def test_the_newest_comes_first_and_what_is_wanted_before_it(deck: Deck, reads: Reads) -> None:
    for age, name in enumerate(("oldest", "old", "new", "newest")):
        deck.put(f"{name}.bin", name.encode(), at=OLD_S + age)
    deck.walked.clear()
    async with deck.running():
        await deck.find("oldest.bin", "newest.bin", "old.bin", "new.bin")
        deck.hasher.want("old.bin")
        deck.hasher.want("no-such-file.bin")
        deck.walked.set()
        await until(lambda: all(deck.fold.sha256(f"{name}.bin") for name in ("oldest", "old", "new", "newest")))
    order = list(dict.fromkeys(reads.paths))
    assert order == ["old.bin", "newest.bin", "new.bin", "oldest.bin"]


async def test_a_broken_file_is_not_read(deck: Deck, reads: Reads) -> None:
    deck.put("a.safetensors", b"<html>")
    deck.put("b.bin")
    async with deck.running():
        await deck.find("a.safetensors", "b.bin")
        await until(lambda: deck.fold.sha256("b.bin") is not None)
        await until(lambda: deck.hasher.detail()["waiting"] == 0)
    assert "a.safetensors" not in reads.paths


async def test_a_file_that_cannot_be_read_is_told_and_tried_when_it_is_wanted(deck: Deck) -> None:
    deck.put("a.bin")
    async with deck.running():
        await deck.find("a.bin")
        (deck.root / "a.bin").rename(deck.root / "away.bin")
        deck.put("b.bin")
        await deck.find("b.bin")
        await until(lambda: deck.fold.sha256("b.bin") is not None)
        if deck.fold.sha256("a.bin") is None:  # it may have been quicker than the renaming
            await until(lambda: deck.hasher.detail()["failed"] == 1)
            assert deck.hasher.detail()["examples"] == {"a.bin": "No such file or directory"}
            (deck.root / "away.bin").rename(deck.root / "a.bin")
            deck.hasher.want("a.bin")
            await until(lambda: deck.fold.sha256("a.bin") is not None)
            assert deck.hasher.detail()["failed"] == 0


async def test_an_outage_of_the_log_loses_no_work(deck: Deck, reads: Reads) -> None:
    deck.put("a.bin")
    deck.walked.clear()
    async with deck.running():
        await deck.find("a.bin")
        deck.store.available = False
        deck.walked.set()
        await until(lambda: "a.bin" in reads.paths)
        deck.store.available = True
        await until(lambda: deck.fold.sha256("a.bin") is not None)
    assert set(reads.paths) == {"a.bin"}


async def test_while_folders_are_walked_nothing_is_read(deck: Deck, reads: Reads) -> None:
    deck.put("a.bin", b"a")
    deck.put("b.bin", b"b")
    async with deck.running():
        deck.walking = True
        await deck.find("a.bin")
        await asyncio.sleep(0.3)  # a slice more than once: nothing tells that nothing happens
        assert reads.paths == []
        deck.walking = False
        await until(lambda: deck.fold.sha256("a.bin") is not None)


def wanted(root: Path, path: str, seq: int = 1) -> Wanted:
    status = (root / path).stat()
    return Wanted(path, seq, status.st_size, moment(status.st_mtime_ns))


def test_an_urgent_file_comes_between_and_the_other_goes_on_where_it_was(
    deck: Deck, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digesting, "CHUNK_BYTES", 100)
    large = deck.put("large.bin", b"l" * 250)
    small = deck.put("small.bin", b"s" * 10)
    worker, roots = Worker(lambda *_: None), arrange(deck.root, [])
    others = deque([wanted(deck.root, "large.bin")])
    finished, more = worker.slice(roots, (), others, budget_s=0)
    while worker.reading is None:
        finished, more = worker.slice(roots, (), others, budget_s=0)
    assert (finished, more, len(others)) == ([], True, 0)
    found: list[Digest] = []
    for _ in range(20):
        finished, more = worker.slice(roots, [wanted(deck.root, "small.bin")] if not found else [], others, budget_s=0)
        found += finished
    assert [(digest.wanted.path, digest.sha256) for digest in found] == [("small.bin", small), ("large.bin", large)]
    assert not more
    worker.close()


def test_a_file_that_changes_while_it_is_read_has_no_hash(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digesting, "CHUNK_BYTES", 100)
    deck.put("a.bin", b"a" * 250)
    worker, roots = Worker(lambda *_: None), arrange(deck.root, [])
    others = deque([wanted(deck.root, "a.bin")])
    for _ in range(2):
        worker.slice(roots, (), others, budget_s=0)
    with (deck.root / "a.bin").open("ab") as file:
        file.write(b"more")
    [digest] = worker.slice(roots, (), others, budget_s=5)[0]
    assert (digest.stamp, digest.reason) == (None, "it changed while it was read")
    [digest] = worker.slice(roots, [Wanted("a.bin", 1, 250, moment(0))], others, budget_s=5)[0]
    assert digest.reason == "it changed since it was found"


def test_links_out_of_the_roots_are_not_read(deck: Deck, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(b"s")
    (deck.root / "link.bin").symlink_to(tmp_path / "secret.bin")
    worker = Worker(lambda *_: None)
    [digest] = worker.slice(arrange(deck.root, []), [wanted(deck.root, "link.bin")], deque(), budget_s=5)[0]
    assert digest.stamp is None
    assert "leads out" in digest.reason


async def test_while_a_download_runs_hashing_takes_a_quarter_of_the_time(
    deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: list[tuple[float, float]] = []
    real = Worker.slice

    def sliced(worker: Worker, *args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        while time.monotonic() < began + 0.02:
            os.sched_yield()
        answer = real(worker, *args, **kwargs)
        spans.append((began, time.monotonic()))
        return answer

    monkeypatch.setattr(Worker, "slice", sliced)
    monkeypatch.setattr(hashing, "SLICE_S", 0.0)
    monkeypatch.setattr(digesting, "CHUNK_BYTES", 100)
    deck.put("a.bin", b"a" * 2000)
    deck.walked.clear()
    async with deck.running():
        await deck.say_download(d.DownloadStarted(download_id="1", attempt=1, worker="w"))
        await deck.find("a.bin")
        deck.walked.set()
        await until(lambda: len(spans) >= 6)
        gaps = [after[0] - before[1] for before, after in itertools.pairwise(spans[:6])]
        assert min(gaps) > 0.04
        await deck.say_download(d.DownloadCompleted(download_id="1", attempt=1, total_bytes=1))
        await until(lambda: deck.fold.sha256("a.bin") is not None)


async def test_the_downloads_fold_knows_what_runs(deck: Deck) -> None:
    common: dict[str, Any] = {"download_id": "1", "attempt": 1}
    seen = []
    async with deck.running():
        for event in (
            d.DownloadStarted(worker="w", **common),
            d.DownloadPaused(download_id="1"),
            d.DownloadResumed(download_id="1"),
            d.DownloadStarted(worker="w", **common),
            d.DownloadCompleted(total_bytes=1, **common),
        ):
            await deck.say_download(event)
            seen.append(deck.downloads.running)
    assert seen == [True, False, False, True, False]
    deck.downloads.reset()
    assert deck.downloads.completed == {}
