"""One downloader process on a real nats-server: the answers in every state, and what they lead to."""

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


async def test_three_files_arrive_whole_and_in_order(s: Studio) -> None:
    files = [s.file(f"vae/{name}.bin", size=3 * MB, seed=number) for number, name in enumerate("abc")]
    s.downloader()
    reply = await s.install("wan", files)
    assert (reply.ok, reply.data["status"]) == (True, "queued")
    assert str(reply.data["download_id"]).startswith("wan-")
    await s.until(lambda seen: seen.phase("wan") == "completed")
    assert s.seen.names("wan") == ["Queued", "Started", *["FileCompleted"] * 3, "Completed"]
    assert [fact.path for fact in s.seen.files("wan")] == [spec.path for spec in files]
    assert all(s.is_whole(spec.path) for spec in files)
    assert s.leftovers() == []
    again = await s.install("wan", files)
    assert (again.ok, again.seq, again.data) == (True, 0, {"status": "installed"})
    await s.no_permits()


async def test_progress_rises_to_all_bytes(s: Studio) -> None:
    files = [s.file("a.bin", size=2 * MB, rate=2 * MB), s.file("b.bin", size=1 * MB, rate=2 * MB)]
    s.downloader(connections=1)
    await s.install("wan", files)
    await s.until(lambda seen: seen.phase("wan") == "completed")
    done = [reading.downloaded_bytes for reading in s.seen.readings]
    assert len(done) >= 3
    assert done == sorted(done)
    assert done[-1] == 3 * MB
    assert {reading.total_bytes for reading in s.seen.readings} == {3 * MB}
    assert s.seen.readings[-1].file_count == 2


async def test_install_of_what_is_under_way_answers_its_state_with_the_same_id(s: Studio) -> None:
    files = [s.file("a.bin", size=20 * MB, rate=1 * MB)]
    s.downloader(connections=1)
    first = await s.install("wan", files)
    second = await s.install("two", files)
    await s.until(lambda seen: seen.phase("wan") == "downloading")
    again = await s.install("wan", files)
    assert (again.ok, again.seq) == (True, 0)
    assert again.data == {"status": "downloading", "download_id": first.data["download_id"]}
    waiting = await s.install("two", files)
    assert waiting.data == {"status": "queued", "download_id": second.data["download_id"]}


async def test_pause_resume_cancel_retry_of_a_running_download(s: Studio) -> None:
    spec = s.file("a.bin", size=12 * MB, rate=4 * MB)
    s.downloader(connections=1)
    download_id = (await s.install("wan", [spec])).data["download_id"]
    await s.until(lambda seen: seen.downloaded("wan") > 2 * MB)
    paused = await s.act(d.PauseDownload, "wan")
    assert (paused.ok, paused.data) == (True, {"status": "paused", "download_id": download_id})
    assert paused.seq > 0
    refused = await s.act(d.PauseDownload, "wan")
    assert (refused.ok, refused.code, refused.status) == (False, "nothing_to_pause", 404)
    sent = s.origin.sent()
    assert sent < 12 * MB
    assert (await s.act(d.RetryDownload, "wan")).status == 409
    resumed = await s.act(d.ResumeDownload, "wan")
    assert resumed.data["status"] == "resumed"
    await s.until(lambda seen: len(seen.started("wan")) == 2)
    cancelled = await s.act(d.CancelDownload, "wan")
    assert cancelled.data["status"] == "cancelled"
    for kind in (d.PauseDownload, d.ResumeDownload, d.CancelDownload):
        assert (await s.act(kind, "wan")).status == 404
    retried = await s.act(d.RetryDownload, "wan")
    assert retried.data == {"status": "retrying", "download_id": download_id}
    await s.until(lambda seen: seen.phase("wan") == "completed")
    assert s.is_whole("a.bin")
    assert s.origin.sent() < 16 * MB, "what was there was not fetched again"
    assert (await s.act(d.RetryDownload, "wan")).status == 409
    assert (await s.act(d.CancelDownload, "wan")).status == 404


async def test_cancel_can_delete_the_partial_bytes(s: Studio) -> None:
    spec = s.file("a.bin", size=12 * MB, rate=2 * MB)
    s.downloader(connections=1)
    await s.install("wan", [spec])
    await s.until(lambda seen: seen.downloaded("wan") > MB)
    assert s.leftovers()
    assert (await s.act(d.CancelDownload, "wan", keep_partial=False)).ok
    async with asyncio.timeout(10):
        while s.leftovers():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.05)


async def test_a_waiting_download_can_be_paused_moved_and_cancelled(s: Studio) -> None:
    slow = s.file("slow.bin", size=30 * MB, rate=1 * MB)
    s.downloader(connections=1)
    await s.install("first", [slow])
    await s.until(lambda seen: seen.phase("first") == "downloading")
    small = {name: s.file(f"{name}.bin", size=1000, seed=ord(name)) for name in "abcd"}
    for name, spec in small.items():
        await s.install(name, [spec])
    moved = await s.act(d.MoveDownload, "d", position=1)
    assert (moved.ok, moved.data["status"], moved.data["position"]) == (True, "queued", 1)
    assert (await s.act(d.MoveDownload, "first", position=1)).status == 409
    assert (await s.act(d.MoveDownload, "nobody", position=1)).status == 404
    assert (await s.act(d.MoveDownload, "d", position=0)).status == 422
    assert (await s.act(d.PauseDownload, "b")).data["status"] == "paused"
    assert (await s.act(d.CancelDownload, "c")).data["status"] == "cancelled"
    assert (await s.act(d.CancelDownload, "first")).ok
    await s.until(lambda seen: seen.phase("a") == "completed")
    order = [r.event.download_id.split("-")[0] for r in s.seen.records if isinstance(r.event, d.DownloadStarted)]
    assert order == ["first", "d", "a"]
    assert (await s.act(d.ResumeDownload, "b")).ok
    await s.until(lambda seen: seen.phase("b") == "completed")
    assert s.seen.phase("c") == "cancelled"


async def test_unknown_targets_are_404(s: Studio) -> None:
    s.downloader()
    for kind in (d.PauseDownload, d.ResumeDownload, d.CancelDownload, d.RetryDownload):
        reply = await s.act(kind, "nobody")
        assert (reply.ok, reply.code, reply.status) == (False, "unknown_download", 404)


async def test_a_missing_file_fails_the_download_after_the_others_came(s: Studio) -> None:
    good = s.file("good.bin", size=MB)
    missing = s.file("gone.bin", size=MB, status=404)
    flaky = s.file("flaky.bin", size=MB, status=503, status_times=2)
    s.downloader()
    await s.install("wan", [missing, flaky, good])
    await s.until(lambda seen: seen.phase("wan") == "failed")
    assert s.is_whole("good.bin")
    assert s.is_whole("flaky.bin")
    (failed,) = [fact for fact in s.seen.facts("wan") if isinstance(fact, d.DownloadFailed)]
    assert (failed.failed_paths, failed.failure.code, failed.failure.status) == (("gone.bin",), "not_found", 404)
    assert len(s.origin.asked("/gone.bin")) == 1, "a permanent error is not retried"
    retries = [fact for fact in s.seen.facts("wan") if isinstance(fact, d.DownloadRetryScheduled)]
    assert [(fact.path, fact.tries) for fact in retries] == [("flaky.bin", 1), ("flaky.bin", 2)]
    s.file("gone.bin", size=MB)
    before = len(s.origin.asked("/good.bin"))
    assert (await s.act(d.RetryDownload, "wan")).data["status"] == "retrying"
    await s.until(lambda seen: seen.phase("wan") == "completed")
    assert len(s.origin.asked("/good.bin")) == before, "what is whole is not asked for again"


async def test_too_large_is_refused_with_numbers(s: Studio) -> None:
    s.downloader()
    spec = d.FileSpec(path="big.bin", url=f"{s.origin.url}/big.bin", size_bytes=10**15)
    reply = await s.install("wan", [spec])
    assert (reply.ok, reply.code, reply.status) == (False, "insufficient_space", 409)
    assert "1,000,000,000,000,000 bytes are needed" in reply.message
    plan = await s.ask(d.PlanFiles(pool="default", files=(spec,)))
    volumes = plan.data["volumes"]
    assert isinstance(volumes, list)
    assert [(volume["needed_bytes"], volume["fits"]) for volume in volumes] == [(10**15, False)]
    assert s.seen.records == []


async def test_settings_change_while_running(s: Studio) -> None:
    files = [s.file(f"{name}.bin", size=20 * MB, rate=MB, seed=ord(name)) for name in "abc"]
    s.downloader(connections=1)
    for spec in files:
        await s.install(spec.path[0], [spec])
    await s.until(lambda seen: seen.running() == 1)
    reply = await s.configure(max_concurrent=3)
    assert reply.data == {"max_concurrent": 3, "bandwidth_limit_bps": None, "paused": False}
    await s.until(lambda seen: seen.running() == 3)
    assert (await s.configure(max_concurrent=3)).seq == 0
    assert (await s.configure(max_concurrent=0)).status == 422
    assert (await s.configure(paused=True)).ok
    await s.until(lambda seen: seen.running() == 0)
    assert all(s.seen.phase(name) == "queued" for name in "abc")
    assert (await s.configure(paused=False, max_concurrent=2)).ok
    await s.until(lambda seen: seen.running() == 2)


async def test_a_repeated_command_is_answered_again_without_a_second_effect(s: Studio) -> None:
    spec = s.file("a.bin", size=20 * MB, rate=MB)
    s.downloader(connections=1)
    await s.install("wan", [spec])
    command = d.PauseDownload(pool="default", target_id="preset:wan", command_id="same")
    first, second = await s.ask(command), await s.ask(command)
    assert first == second
    assert first.ok
    assert s.seen.names("wan").count("Paused") <= 1
