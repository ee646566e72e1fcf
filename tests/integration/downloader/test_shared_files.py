"""Files that several presets share, space that runs out, a log that is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from modeldeck_events import downloads as d

from tests.support.studio import Studio, studio

MB = 1_000_000


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Studio]:
    async with studio(tmp_path) as made:
        yield made


async def test_a_path_shared_by_running_downloads_is_fetched_once(s: Studio) -> None:
    shared = s.file("shared.bin", size=8 * MB, rate=4 * MB, exact=False)
    own = {name: s.file(f"{name}.bin", size=MB, seed=ord(name)) for name in "ab"}
    s.downloader(connections=1, max_concurrent=2)
    for name, spec in own.items():
        await s.install(name, [shared, spec])
    await s.until(lambda seen: all(seen.phase(name) == "completed" for name in "ab"), within_s=30)
    assert s.origin.sent("/shared.bin") == 8 * MB
    actions = sorted(fact.action for name in "ab" for fact in s.seen.files(name) if fact.path == "shared.bin")
    assert actions == ["downloaded", "present"]


async def test_the_same_content_under_another_path_is_linked(s: Studio) -> None:
    first = s.file("one/a.bin", size=2 * MB)
    s.downloader()
    await s.install("one", [first])
    await s.until(lambda seen: seen.phase("one") == "completed")
    (fact,) = s.seen.files("one")
    second = d.FileSpec(path="two/b.bin", url=first.url, size_bytes=2 * MB, sha256=fact.sha256)
    await s.install("two", [second])
    await s.until(lambda seen: seen.phase("two") == "completed")
    assert s.seen.files("two")[0].action == "linked"
    assert s.origin.sent() == 2 * MB
    assert (s.models / "two/b.bin").read_bytes() == (s.models / "one/a.bin").read_bytes()


async def test_another_source_for_a_taken_path_is_a_conflict_that_force_replaces(s: Studio) -> None:
    first = s.file("a.bin", size=MB)
    s.downloader()
    await s.install("one", [first])
    await s.until(lambda seen: seen.phase("one") == "completed")
    s.origin.add("/other.bin", size=2 * MB, seed=5)
    other = d.FileSpec(path="a.bin", url=f"{s.origin.url}/other.bin")
    await s.install("two", [other])
    await s.until(lambda seen: seen.phase("two") == "failed")
    (failed,) = [fact for fact in s.seen.facts("two") if isinstance(fact, d.DownloadFailed)]
    assert failed.failure.code == "path_conflict"
    assert s.is_whole("a.bin"), "nothing was overwritten"
    assert (await s.act(d.RetryDownload, "two", force=True)).ok
    await s.until(lambda seen: seen.phase("two") == "completed")
    assert (s.models / "a.bin").stat().st_size == 2 * MB


async def test_no_room_pauses_with_the_reason(s: Studio) -> None:
    spec = s.file("a.bin", size=MB, exact=False)
    s.downloader(disk_reserve="900TB")
    assert (await s.install("wan", [spec])).ok, "nobody states a size yet"
    await s.until(lambda seen: seen.phase("wan") == "paused")
    (paused,) = [fact for fact in s.seen.facts("wan") if isinstance(fact, d.DownloadPaused)]
    assert paused.reason == "no_space"
    assert paused.message
    await s.no_permits()


async def test_a_lost_log_stops_what_ran_by_it_and_the_service_goes_on(s: Studio) -> None:
    spec = s.file("a.bin", size=30 * MB, rate=3 * MB)
    s.downloader(connections=1)
    await s.install("wan", [spec])
    await s.until(lambda seen: seen.downloaded("wan") > MB)
    await s.nats.kill()
    s.nats.wipe()
    await s.nats.start()
    async with asyncio.timeout(30):
        while s.seen.records:  # noqa: ASYNC110  # our own fold starts from zero
            await asyncio.sleep(0.05)
    small = s.file("b.bin", size=MB, seed=2)
    await s.install("two", [small])
    await s.until(lambda seen: seen.phase("two") == "completed", within_s=30)
    assert s.seen.phase("wan") == "available"
    assert s.processes[0].alive
