"""Real processes killed, frozen and ended while bytes move: the queue goes on, nothing is fetched in full twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from modeldeck_events import downloads as d
from modeldeck_events import topology
from modeldeck_events.errors import UnavailableError
from modeldeck_events.store import Meta
from modeldeck_events.system import Health, MessageDeadLettered

from tests.support.studio import Studio, studio

MB = 1_000_000
LOST_PER_KILL = 8 * 1024 * 1024


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Studio]:
    async with studio(tmp_path) as made:
        yield made


async def test_a_killed_worker_is_replaced_within_15_s_and_its_bytes_are_kept(s: Studio) -> None:
    spec = s.file("a.bin", size=40 * MB, rate=5 * MB)
    other = s.file("b.bin", size=MB, seed=2)
    s.downloader(connections=1)
    await s.install("wan", [spec])
    await s.install("two", [other])
    await s.until(lambda seen: seen.downloaded("wan") > 15 * MB)
    s.processes[0].kill()
    killed_at = time.monotonic()
    s.downloader(connections=1)
    await s.until(lambda seen: len(seen.started("wan")) == 2)
    assert time.monotonic() - killed_at < 15
    await s.until(lambda seen: seen.phase("two") == "completed", within_s=40)
    assert s.seen.phase("wan") == "completed"
    assert s.is_whole("a.bin")
    assert s.origin.sent("/a.bin") <= 40 * MB + LOST_PER_KILL
    starts = [r.event.download_id.split("-")[0] for r in s.seen.records if isinstance(r.event, d.DownloadStarted)]
    assert starts == ["wan", "wan", "two"], "the killed worker's download goes first"
    (fact,) = s.seen.files("wan")
    assert fact.resumed_from_bytes > 0
    await s.no_permits()


async def test_two_processes_share_the_work_and_one_finishes_both(s: Studio) -> None:
    files = [s.file(f"{name}.bin", size=25 * MB, rate=3 * MB, seed=ord(name)) for name in "ab"]
    for _ in range(2):
        s.downloader(connections=1, max_concurrent=2)
    await s.ready()
    for spec in files:
        await s.install(spec.path[0], [spec])
    await s.until(lambda seen: seen.running() == 2 and min(seen.downloaded("a"), seen.downloaded("b")) > 5 * MB)
    workers = {name: s.seen.started(name)[0].worker for name in "ab"}
    victim = next(p for p in s.processes if any(f"-{p.pid}-" in worker for worker in workers.values()))
    victim.kill()
    await s.until(lambda seen: all(seen.phase(name) == "completed" for name in "ab"), within_s=60)
    assert all(s.is_whole(spec.path) for spec in files)
    assert s.origin.sent() <= 50 * MB + 2 * LOST_PER_KILL
    assert all(s.seen.names(name).count("Completed") == 1 for name in "ab")


async def test_the_server_killed_in_the_middle_is_no_reason_to_stop(s: Studio) -> None:
    files = [s.file("a.bin", size=16 * MB, rate=4 * MB), s.file("b.bin", size=2 * MB, rate=2 * MB)]
    s.downloader(connections=1)
    await s.install("wan", files)
    await s.install("two", [s.file("c.bin", size=MB)])
    await s.until(lambda seen: seen.downloaded("wan") > 4 * MB)
    await s.nats.kill()
    async with asyncio.timeout(20):
        while not s.is_whole("b.bin"):  # noqa: ASYNC110  # bytes go on with nobody to tell
            await asyncio.sleep(0.1)
    assert s.origin.sent() == 18 * MB
    await s.nats.start()
    await s.until(lambda seen: seen.phase("two") == "completed")
    assert s.seen.names("wan") == ["Queued", "Started", "FileCompleted", "FileCompleted", "Completed"]
    assert s.origin.sent() == 19 * MB


async def test_the_server_killed_briefly_and_often_starts_nothing_twice(s: Studio) -> None:
    files = [s.file(f"{name}.bin", size=20 * MB, rate=3 * MB, seed=ord(name)) for name in "abc"]
    for _ in range(2):
        s.downloader(connections=1, max_concurrent=2)
    for spec in files:
        await s.install(spec.path[0], [spec])
    await s.until(lambda seen: seen.running() == 2)
    for _ in range(3):
        await s.nats.kill()
        await s.nats.start()
        await asyncio.sleep(1.0)  # some way to go between the kills
        assert s.seen.running() <= 2
    await s.until(lambda seen: all(seen.phase(name) == "completed" for name in "abc"), within_s=60)
    assert all(s.is_whole(spec.path) for spec in files)
    assert s.origin.sent() <= 60 * MB + 3 * LOST_PER_KILL
    most = 0
    running: set[str] = set()
    for record in s.seen.records:
        if isinstance(record.event, d.DownloadStarted):
            running.add(record.subject)
        elif isinstance(record.event, d.DownloadCompleted | d.DownloadInterrupted):
            running.discard(record.subject)
        most = max(most, len(running))
    assert most == 2


async def test_the_queue_is_rebuilt_from_the_log_after_everything_was_killed(s: Studio) -> None:
    slow = s.file("slow.bin", size=20 * MB, rate=4 * MB)
    small = {name: s.file(f"{name}.bin", size=1000, seed=ord(name)) for name in "abc"}
    s.downloader(connections=1)
    await s.install("slow", [slow])
    for name, spec in small.items():
        await s.install(name, [spec])
    await s.act(d.MoveDownload, "c", position=1)
    await s.act(d.PauseDownload, "b")
    await s.until(lambda seen: seen.downloaded("slow") > 4 * MB)
    s.processes[0].kill()
    await s.nats.kill()
    await s.nats.start()
    s.downloader(connections=1)
    await s.until(lambda seen: seen.phase("a") == "completed", within_s=40)
    starts = [r.event.download_id.split("-")[0] for r in s.seen.records if isinstance(r.event, d.DownloadStarted)]
    assert starts == ["slow", "slow", "c", "a"]
    assert s.seen.phase("b") == "paused"
    assert s.is_whole("slow.bin")


async def test_sigterm_gives_the_claim_back_and_another_process_goes_on(s: Studio) -> None:
    spec = s.file("a.bin", size=30 * MB, rate=5 * MB)
    s.downloader(connections=1)
    await s.install("wan", [spec])
    await s.until(lambda seen: seen.downloaded("wan") > 5 * MB)
    began = time.monotonic()
    assert await s.processes[0].terminate() == 0
    assert time.monotonic() - began < 10
    await s.until(lambda seen: seen.phase("wan") == "queued")
    s.downloader(connections=1)
    await s.until(lambda seen: seen.phase("wan") == "completed", within_s=40)
    assert s.seen.names("wan") == ["Queued", "Started", "Interrupted", "Started", "FileCompleted", "Completed"]
    assert s.origin.sent() <= 31 * MB


async def test_a_frozen_worker_that_wakes_up_finds_its_claim_gone_and_harms_nothing(s: Studio) -> None:
    spec = s.file("a.bin", size=30 * MB, rate=3 * MB)
    s.downloader(connections=1)
    await s.install("wan", [spec])
    await s.until(lambda seen: seen.downloaded("wan") > 3 * MB)
    s.downloader(connections=1)
    s.processes[0].freeze()
    await s.until(lambda seen: len(seen.started("wan")) == 2, within_s=30)
    s.processes[0].thaw()
    await s.until(lambda seen: seen.phase("wan") == "completed", within_s=60)
    assert s.is_whole("a.bin")
    assert s.seen.names("wan").count("Completed") == 1
    assert s.processes[0].alive


async def test_lost_permits_and_a_deleted_consumer_are_noticed_and_made_again(s: Studio) -> None:
    slow = s.file("slow.bin", size=15 * MB, rate=5 * MB)
    s.downloader(connections=1)
    await s.install("slow", [slow])
    await s.install("next", [s.file("next.bin", size=MB)])
    await s.until(lambda seen: seen.phase("slow") == "downloading")
    await s.bus.js.purge_stream(topology.JOBS)
    await s.bus.js.delete_consumer(topology.JOBS, "downloader-workers-default")
    await s.until(lambda seen: seen.phase("next") == "completed", within_s=40)
    assert len(s.seen.started("slow")) == 1


async def test_a_broken_permit_is_a_dead_letter_and_no_hindrance(s: Studio) -> None:
    for broken in (b"not a permit", b'{"unheard_of": ' + b"[" * 200_000):
        await s.bus.js.publish("job.download.default", broken)
    s.downloader()
    await s.install("wan", [s.file("a.bin", size=MB)])
    await s.until(lambda seen: seen.phase("wan") == "completed")
    await s.no_permits()
    found = await s.bus.store.read(after=0, limit=99, subjects=["evt.system.>"])
    told = [
        (fact.event.durable, fact.event.stream_seq) for fact in found if isinstance(fact.event, MessageDeadLettered)
    ]
    assert told == [("downloader-workers-default", 1), ("downloader-workers-default", 2)]


async def test_two_pools_live_on_one_bus(s: Studio) -> None:
    s.downloader()
    s.downloader(pool="other", data_dir=s.folder / "elsewhere")
    spec = s.file("a.bin", size=MB)
    target = d.Target(id="preset:wan", kind="preset", name="wan", preset_id="wan")
    for _ in range(6):  # were they one service for the bus, some would be refused
        for pool in ("other", "default"):
            assert (await s.ask(d.PlanFiles(pool=pool, files=(spec,)))).ok
    reply = await s.ask(d.QueueDownload(pool="other", target_id=target.id, target=target, files=(spec,)))
    assert reply.ok
    async with asyncio.timeout(15):
        while not (s.folder / "elsewhere" / "models" / "a.bin").exists():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.05)
    assert not (s.models / "a.bin").exists()
    for pool in ("default", "other", ""):
        assert (await s.bus.request(Health(pool=pool), service="downloader")).ok
    with pytest.raises(UnavailableError, match="not running for the pool third"):
        await s.bus.request(d.PlanFiles(pool="third", files=(spec,)))


async def test_a_cancel_with_deletion_is_carried_out_by_whoever_comes_after_a_kill(s: Studio) -> None:
    spec = s.file("a.bin", size=30 * MB, rate=3 * MB)
    s.downloader(connections=1)
    await s.install("wan", [spec])
    await s.until(lambda seen: seen.downloaded("wan") > 2 * MB)
    s.processes[0].kill()
    subject = d.subject("default", "preset:wan")
    fact = d.DownloadCancelled(download_id=s.seen.facts("wan")[0].download_id, keep_partial=False)
    seq = await s.bus.store.last_seq(subject)
    await s.bus.store.append(subject, [fact], expected_seq=seq, meta=Meta(source="test"))
    assert s.leftovers()
    s.downloader(connections=1)
    async with asyncio.timeout(20):
        while s.leftovers():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.1)
    assert s.seen.phase("wan") == "cancelled"


async def test_a_pause_appended_by_another_process_stops_the_transfer_at_once(s: Studio) -> None:
    spec = s.file("a.bin", size=30 * MB, rate=3 * MB)
    s.downloader(connections=1)
    await s.install("wan", [spec])
    await s.until(lambda seen: seen.downloaded("wan") > 2 * MB)
    subject = d.subject("default", "preset:wan")
    fact = d.DownloadPaused(download_id=s.seen.facts("wan")[0].download_id)
    seq = await s.bus.store.last_seq(subject)
    await s.bus.store.append(subject, [fact], expected_seq=seq, meta=Meta(source="test"))
    await s.no_permits()
    sent = s.origin.sent()
    assert sent < 30 * MB
    assert (await s.act(d.ResumeDownload, "wan")).ok
    await s.until(lambda seen: seen.phase("wan") == "completed", within_s=30)
    assert s.is_whole("a.bin")
