"""Pauses, kills and locks: bytes that were fetched stay fetched."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from downloader.limits import BandwidthLimiter
from downloader.transfer import FileRequest, LockedError, NoSpaceError, PathConflictError
from downloader.transfer.blocks import BUDGET_BYTES

from tests.support.origin import File, Origin
from tests.support.transfers import Bench, bench

MIB = 1 << 20
CHILD = """
import asyncio, sys
from pathlib import Path
from downloader.sources import Sources
from downloader.transfer import FileRequest, Transfer

async def main(models, host, url, path, connections):
    settings = dict(models_dir=Path(models), sources=Sources(allowed_hosts=[host]), disk_reserve_bytes=0)
    async with Transfer(connections=int(connections), **settings) as transfer:
        await transfer.fetch(FileRequest(path, url))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def deck(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path) as made:
        yield made


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  (the origin's counters have no event)
            await asyncio.sleep(0.01)


async def pause_when_sent(deck: Bench, size: int, **options: object) -> None:
    before = deck.origin.sent()
    task = asyncio.create_task(deck.fetch(**options))  # type: ignore[arg-type]
    await until(lambda: deck.origin.sent() - before >= size or task.done())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_pause_keeps_what_came_and_frees_the_lock(deck: Bench) -> None:
    file = deck.serve(size=40 * MIB, rate=10 * MIB)
    for size in (5, 8, 11):
        await pause_when_sent(deck, size * MIB)
    assert not deck.final().exists()
    result = await deck.fetch()
    assert sha256(deck.final()) == file.sha256
    assert result.resumed_from_bytes >= 20 * MIB
    assert deck.origin.sent() <= 40 * MIB + 3 * 8 * MIB
    assert deck.staged() == []


async def test_a_paused_file_that_changed_meanwhile_starts_over(deck: Bench) -> None:
    deck.serve(size=30 * MIB, rate=10 * MIB)
    await pause_when_sent(deck, 6 * MIB)
    changed = deck.serve(size=30 * MIB, seed=9)
    result = await deck.fetch()
    assert sha256(deck.final()) == changed.sha256
    assert result.resumed_from_bytes == 0


async def test_a_paused_file_that_got_shorter_than_what_is_there_starts_over(deck: Bench) -> None:
    deck.serve(size=30 * MIB, rate=10 * MIB)
    await pause_when_sent(deck, 12 * MIB)
    changed = deck.serve(size=2 * MIB, seed=9)
    await deck.fetch()
    assert sha256(deck.final()) == changed.sha256


async def test_bytes_without_a_validator_are_not_resumed_but_with_a_hash_they_are(deck: Bench) -> None:
    file = deck.serve(size=20 * MIB, rate=10 * MIB, etag="none")
    await pause_when_sent(deck, 6 * MIB)
    assert (await deck.fetch()).resumed_from_bytes == 0
    deck.final().unlink()
    await pause_when_sent(deck, 6 * MIB, sha256=file.sha256)
    assert (await deck.fetch(sha256=file.sha256)).resumed_from_bytes > 0
    assert sha256(deck.final()) == file.sha256


async def test_a_mirror_goes_on_where_another_ended_when_the_hash_is_the_same(deck: Bench) -> None:
    file = deck.serve(size=20 * MIB, rate=10 * MIB)
    deck.serve("/mirror.bin", size=20 * MIB, etag='"other"')
    await pause_when_sent(deck, 6 * MIB, sha256=file.sha256)
    result = await deck.fetch("/mirror.bin", sha256=file.sha256)
    assert result.resumed_from_bytes > 0
    assert result.sha256 == file.sha256


async def test_discard_deletes_what_is_staged(deck: Bench) -> None:
    deck.serve(size=30 * MIB, rate=10 * MIB)
    await pause_when_sent(deck, 6 * MIB)
    assert deck.staged()
    await deck.transfer.discard("models/file.bin")
    assert deck.staged() == []


async def test_a_path_is_fetched_by_one_at_a_time(deck: Bench) -> None:
    deck.serve(size=20 * MIB, rate=20 * MIB)
    first = asyncio.create_task(deck.fetch())
    await until(lambda: deck.origin.sent() > 0)
    with pytest.raises(LockedError) as caught:
        await deck.fetch()
    assert caught.value.retryable
    with pytest.raises(LockedError):
        await deck.transfer.discard("models/file.bin")
    await first


async def start_child(deck: Bench, connections: int, served: str = "/file.bin") -> asyncio.subprocess.Process:
    arguments = (str(deck.models_dir), deck.origin.host, deck.origin.url + served, "models/file.bin", str(connections))
    return await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, *arguments, env=os.environ)


async def sent_or_ended(deck: Bench, size: int, child: asyncio.subprocess.Process) -> None:
    await until(lambda: deck.origin.sent() >= size or child.returncode is not None)


@pytest.mark.parametrize("connections", [1, 8])
async def test_kill_9_costs_at_most_8_mib_and_never_wrong_bytes(deck: Bench, connections: int) -> None:
    size = 64 * MIB
    file = deck.serve(size=size, rate=40 * MIB // connections)
    kills = 0
    for goal in (8, 20, 32, 45):
        child = await start_child(deck, connections)
        await sent_or_ended(deck, goal * MIB, child)
        child.send_signal(signal.SIGKILL)
        assert await child.wait() == -signal.SIGKILL
        kills += 1
        assert not deck.final().exists()
    child = await start_child(deck, connections)
    assert await child.wait() == 0
    assert sha256(deck.final()) == file.sha256
    assert deck.origin.sent() <= size + kills * 8 * MIB
    assert deck.staged() == []


async def test_a_whole_staged_file_is_published_without_asking_again(deck: Bench) -> None:
    """A kill between the last byte and the rename."""
    file = deck.serve(size=20 * MIB)
    await deck.fetch()
    deck.final().rename(staged_place(deck))
    claims = f'["b", "{boot_id()}"]\n["w", 0, {20 * MIB}]\n'
    identity = {"v": 1, "url": f"{deck.origin.url}/file.bin", "size": 20 * MIB, "validator": '"x"', "sha256": None}
    staged_place(deck).with_suffix(".journal").write_text(json.dumps(identity) + "\n" + claims)
    asked = len(deck.origin.requests)
    result = await deck.fetch()
    assert len(deck.origin.requests) == asked
    assert (result.fetched_bytes, result.sha256) == (0, file.sha256)


async def test_a_file_published_just_before_a_kill_is_known_again(deck: Bench) -> None:
    file = deck.serve(size=2 * MIB)
    await deck.fetch()
    stat = deck.final().stat()
    identity = f'{{"v":1,"url":"{deck.origin.url}/file.bin","size":{2 * MIB},"validator":null,"sha256":null}}\n'
    mark = f'["v",{stat.st_ino},{stat.st_mtime_ns},{stat.st_size},"{file.sha256}","size"]\n'
    staged_place(deck).with_suffix(".journal").write_text(identity + mark)
    asked = len(deck.origin.requests)
    result = await deck.fetch()
    assert (result.action, result.sha256) == ("present", file.sha256)
    assert len(deck.origin.requests) == asked
    assert deck.staged() == []


def staged_place(deck: Bench) -> Path:
    from downloader.transfer.paths import locate  # noqa: PLC0415

    return locate(deck.models_dir, "models/file.bin").staged


def boot_id() -> str:
    from downloader.transfer.journal import boot_id as real  # noqa: PLC0415

    return real()


async def test_a_journal_without_its_bytes_is_worth_nothing(deck: Bench) -> None:
    file = deck.serve(size=30 * MIB, rate=10 * MIB)
    await pause_when_sent(deck, 6 * MIB)
    for path in deck.staged():
        if path.suffix == ".part":
            path.unlink()
    deck.serve(size=30 * MIB)
    assert (await deck.fetch()).resumed_from_bytes == 0
    assert sha256(deck.final()) == file.sha256


async def test_staged_bytes_that_were_cut_off_are_worth_nothing(deck: Bench) -> None:
    file = deck.serve(size=30 * MIB, rate=10 * MIB)
    await pause_when_sent(deck, 6 * MIB)
    os.truncate(staged_place(deck), MIB)
    deck.serve(size=30 * MIB)
    await deck.fetch()
    assert sha256(deck.final()) == file.sha256


async def test_a_file_that_appears_meanwhile_is_not_overwritten(deck: Bench) -> None:
    file = deck.serve(size=8 * MIB, rate=8 * MIB)
    task = asyncio.create_task(deck.fetch())
    await until(lambda: deck.origin.sent() > 2 * MIB)
    deck.final().write_bytes(b"somebody's own")
    with pytest.raises(PathConflictError, match="exists already"):
        await task
    assert deck.final().read_bytes() == b"somebody's own"
    sent = deck.origin.sent()
    result = await deck.fetch(force=True)
    assert (sha256(deck.final()), result.fetched_bytes, deck.origin.sent()) == (file.sha256, 0, sent)


async def test_a_validator_beyond_ascii_is_sent_back_as_it_came(deck: Bench) -> None:
    file = deck.serve(size=20 * MIB, rate=10 * MIB, etag='"\u00e9t\u00e9"')
    await pause_when_sent(deck, 5 * MIB)
    result = await deck.fetch()
    assert sha256(deck.final()) == file.sha256
    assert result.resumed_from_bytes > 2 * MIB


async def test_a_journal_that_cannot_grow_costs_no_memory_and_no_bytes(
    deck: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = deck.serve(size=20 * MIB, rate=20 * MIB)
    real, written = os.write, 0

    def write(fd: int, data: bytes) -> int:
        nonlocal written
        claim = data.startswith(b'["w"')
        written += claim
        return real(fd, data[:3] if claim and written == 3 else data)  # the disk is full in the middle of a line

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(NoSpaceError):
        await deck.fetch()
    assert deck.transfer._pool._left == BUDGET_BYTES, "every block came back"
    result = await deck.fetch()
    assert result.resumed_from_bytes > 0
    assert sha256(deck.final()) == file.sha256


async def test_too_little_room_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    async with bench(tmp_path, disk_reserve_bytes=1 << 60) as deck:
        deck.serve(size=20 * MIB)
        with pytest.raises(NoSpaceError) as caught:
            await deck.fetch()
        assert (caught.value.code, caught.value.needed_bytes) == ("no_space", 20 * MIB)
        assert deck.origin.sent() <= 4 * MIB
        assert (await deck.transfer.room()).free_bytes > 0


async def test_a_full_disk_in_the_middle_keeps_what_came(deck: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    file = deck.serve(size=30 * MIB, rate=20 * MIB)
    real, full = os.pwrite, False

    def pwrite(fd: int, data: memoryview, offset: int) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    task = asyncio.create_task(deck.fetch())
    await until(lambda: deck.origin.sent() > 8 * MIB)
    full = True
    with pytest.raises(NoSpaceError):
        await task
    full = False
    result = await deck.fetch()
    assert result.resumed_from_bytes >= 2 * MIB
    assert sha256(deck.final()) == file.sha256


async def test_the_bandwidth_limit_holds_and_changes_while_bytes_flow(tmp_path: Path) -> None:
    limiter = BandwidthLimiter(4 * MIB)
    async with bench(tmp_path, limiter=limiter) as deck:
        file = deck.serve(size=40 * MIB)
        deck.serve("/other.bin", size=40 * MIB, seed=2)
        loop = asyncio.get_running_loop()
        began = loop.time()
        tasks = [asyncio.create_task(deck.fetch()), asyncio.create_task(deck.fetch("/other.bin", "other.bin"))]
        await until(lambda: sum(request.sent > 0 for request in deck.origin.requests) >= 2)
        await asyncio.wait(tasks, timeout=1.0)
        assert not any(task.done() for task in tasks)
        limiter.set_limit(None)
        await asyncio.gather(*tasks)
        assert loop.time() - began < 15
        assert sha256(deck.final()) == file.sha256
        assert deck.staged() == []


async def test_a_limited_transfer_takes_the_time_its_limit_says(tmp_path: Path) -> None:
    async with bench(tmp_path, limiter=BandwidthLimiter(8 * MIB)) as deck:
        deck.serve(size=12 * MIB)
        began = asyncio.get_running_loop().time()
        await deck.fetch()
        assert 1.2 <= asyncio.get_running_loop().time() - began <= 4.0


async def test_many_small_files_keep_to_the_limit_together(tmp_path: Path) -> None:
    async with bench(tmp_path, limiter=BandwidthLimiter(200_000)) as deck:
        for number in range(20):
            deck.serve(f"/{number}.bin", size=10_000)
        began = time.monotonic()
        for number in range(20):
            await deck.fetch(f"/{number}.bin", path=f"{number}.bin")
        assert time.monotonic() - began > 0.7, "200 kB at 200 kB/s, less the burst"


async def test_many_files_reuse_connections_and_leave_none_open(deck: Bench) -> None:
    for number in range(40):
        deck.serve(f"/{number}.bin", size=10_000, seed=number)
    gate = asyncio.Semaphore(4)

    async def one(number: int) -> None:
        async with gate:
            await deck.fetch(f"/{number}.bin", f"small/{number}.bin")

    await asyncio.gather(*(one(number) for number in range(40)))
    assert len({request.peer for request in deck.origin.requests}) <= 4
    assert len(list((deck.models_dir / "small").iterdir())) == 40


async def test_progress_is_told_and_does_not_fall(deck: Bench) -> None:
    deck.serve(size=20 * MIB, rate=4 * MIB)
    await deck.fetch()
    done = [told[0] for told in deck.progress]
    assert len(done) >= 2
    assert done == sorted(done)
    assert all(total == 20 * MIB for _, total, _ in deck.progress)


async def test_a_process_that_ends_leaves_no_lock(tmp_path: Path) -> None:
    async with Origin() as origin:
        origin.files["/file.bin"] = File(size=30 * MIB, rate=10 * MIB)
        async with bench(tmp_path, origin) as deck:
            child = await start_child(deck, 2)
            await until(lambda: origin.sent() > MIB)
            with pytest.raises(LockedError):
                await deck.fetch_request(FileRequest("models/file.bin", origin.url + "/file.bin"))
            child.kill()
            await child.wait()
            origin.files["/file.bin"] = File(size=30 * MIB)
            with contextlib.suppress(LockedError):
                await deck.fetch()
            assert deck.final().exists()
