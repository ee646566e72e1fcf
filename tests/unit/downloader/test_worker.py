from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from downloader.transfer import FileResult, LinkError, NoSpaceError, SourceError
from modeldeck_events import downloads as d
from modeldeck_events import pools

from tests.unit.downloader.builders import FILES, POOL
from tests.unit.downloader.fakes import Deck, FakeTransfer, deck

A, B, C = (spec.path for spec in FILES)


@pytest.fixture
async def it() -> AsyncIterator[Deck]:
    async with deck() as made:
        yield made


def phase(it: Deck, preset: str = "wan") -> str:
    return it.fold.get(f"preset:{preset}").phase


async def test_a_permit_becomes_a_download_and_is_used_up(it: Deck) -> None:
    await it.queue()
    permit = it.permit()
    await it.until(lambda: permit.ends)
    assert await it.facts() == ["Queued", "Started", *["FileCompleted"] * 3, "Completed"]
    assert permit.ends[-1] == "done"
    assert it.readings[-1].downloaded_bytes == it.readings[-1].total_bytes == 350


async def test_sizes_told_in_words_are_asked_for_at_the_source(it: Deck) -> None:
    rough = [d.FileSpec(path=p, url=f"https://h/{p}", approx_size_bytes=9_000_000_000) for p in ("a", "b", "c")]
    it.transfer.sizes = {"https://h/b": 20, "https://h/c": 30}
    it.transfer.hold = True
    await it.queue("rough", files=tuple(rough))
    it.permit()
    await it.until(lambda: len(it.transfer.asked_about) == 3)
    it.transfer.progress["a"](0, 10, "downloading")
    await it.until(lambda: it.readings and it.readings[-1].total_bytes == 60)


async def test_a_permit_for_nothing_is_used_up(it: Deck) -> None:
    permit = it.permit()
    await it.until(lambda: permit.ends)
    assert permit.ends == ["done"]


async def test_the_best_by_the_log_is_taken_whatever_the_permit_was_for(it: Deck) -> None:
    it.transfer.hold = True
    await it.queue("plain")
    await it.queue("vip", priority=3)
    it.permit()
    await it.until(lambda: phase(it, "vip") == "downloading")
    assert phase(it, "plain") == "queued"


async def test_a_permit_that_comes_back_takes_over_what_was_claimed_under_it(it: Deck) -> None:
    await it.queue("dead")
    await it.append(d.DownloadStarted(download_id="dead-1", attempt=1, worker="gone", permit_seq=7), "dead")
    await it.queue("vip", priority=3)
    permit = it.permit(7, deliveries=2)
    await it.until(lambda: permit.ends)
    assert (phase(it, "dead"), phase(it, "vip")) == ("completed", "queued")
    assert it.fold.get("preset:dead").attempt == 2


async def test_a_permit_that_the_server_hands_out_twice_leaves_a_living_worker_alone(it: Deck) -> None:
    await it.queue("alive")
    await it.append(d.DownloadStarted(download_id="alive-1", attempt=1, worker="other", permit_seq=7), "alive")
    permit = it.permit(7, deliveries=1)
    await it.until(lambda: permit.ends)
    assert permit.ends == ["back 3"]
    assert it.fold.get("preset:alive").attempt == 1


async def test_a_redelivery_of_a_permit_in_hand_is_adopted(it: Deck) -> None:
    it.transfer.hold = True
    await it.queue()
    permit = it.permit()
    await it.until(lambda: phase(it) == "downloading")
    it.permit(permit.seq)
    await it.until(lambda: permit.adopted == 1)
    assert it.worker.active == 1


async def test_a_download_whose_permit_is_gone_is_picked_up_with_another(it: Deck) -> None:
    await it.queue("lost")
    await it.append(d.DownloadStarted(download_id="lost-1", attempt=1, worker="gone", permit_seq=40), "lost")
    it.permits.gone.add(40)
    it.permit()
    await it.until(lambda: phase(it, "lost") == "completed")


async def test_no_more_than_the_pools_concurrency_runs_even_if_more_permits_come(it: Deck) -> None:
    it.transfer.hold = True
    for preset in ("one", "two"):
        await it.queue(preset)
    it.permit()
    second = it.permit()
    await it.until(lambda: second.ends)
    assert second.ends == ["back 1"]
    assert it.worker.active == 1
    await it.append(pools.PoolConfigured(pool=POOL, max_concurrent=2))
    it.permit()
    await it.until(lambda: it.worker.active == 2)
    assert it.permits.concurrency == 2


@pytest.mark.parametrize(
    "fact", [d.DownloadPaused(download_id="wan-1"), d.DownloadCancelled(download_id="wan-1")], ids=["pause", "cancel"]
)
async def test_a_fact_of_somebody_else_stops_the_transfer(it: Deck, fact: d.DownloadEvent) -> None:
    it.transfer.hold = True
    await it.queue()
    permit = it.permit()
    await it.until(lambda: it.transfer.asked)
    await it.append(fact)
    await it.until(lambda: permit.ends)
    assert it.transfer.cancelled == [A]
    assert permit.ends[-1] == "done"
    assert (await it.facts())[-1] in ("Paused", "Cancelled")


async def test_another_claim_under_the_same_permit_stops_it_without_touching_the_permit(it: Deck) -> None:
    it.transfer.hold = True
    await it.queue()
    permit = it.permit()
    await it.until(lambda: it.transfer.asked)
    await it.append(d.DownloadStarted(download_id="wan-1", attempt=2, worker="other", permit_seq=permit.seq))
    await it.until(lambda: permit.ends)
    assert permit.ends == ["dropped"]
    assert it.worker.active == 0


async def test_a_paused_queue_interrupts_what_runs_and_starts_nothing(it: Deck) -> None:
    it.transfer.hold = True
    await it.queue()
    it.permit()
    await it.until(lambda: it.transfer.asked)
    await it.append(pools.PoolConfigured(pool=POOL, max_concurrent=1, paused=True))
    await it.until(lambda: it.worker.active == 0)
    assert await it.facts() == ["Queued", "Started", "Interrupted"]
    early = it.permit()  # taken by a fetch that began before the pause, or left where it is
    await asyncio.sleep(0.1)  # nothing may come of it
    assert phase(it) == "queued"
    assert early.ends in ([], ["back 3"])
    await it.append(pools.PoolConfigured(pool=POOL, max_concurrent=1))
    it.permit()
    await it.until(lambda: phase(it) == "downloading")


async def test_a_retryable_failure_is_waited_out_and_a_final_one_is_not(it: Deck) -> None:
    it.transfer.planned[A] = [LinkError("stalled", "silence", retryable=True, host="h")] * 2
    it.transfer.planned[B] = [SourceError("not_found", "gone", host="h", status=404)]
    await it.queue()
    it.permit()
    await it.until(lambda: phase(it) == "failed")
    assert await it.facts() == [
        *("Queued", "Started", "RetryScheduled", "RetryBegan", "RetryScheduled", "RetryBegan", "FileCompleted"),
        *("FileFailed", "FileCompleted", "Failed"),
    ]


async def test_a_server_that_asks_for_a_day_does_not_hold_up_the_queue(it: Deck) -> None:
    it.transfer.planned[A] = [SourceError("rate_limited", "slow down", retryable=True, retry_after_s=86_400)]
    await it.queue(files=(FILES[0],))
    it.permit()
    await it.until(lambda: phase(it) == "failed")
    assert await it.facts() == ["Queued", "Started", "FileFailed", "Failed"]


async def test_a_pause_counts_even_when_the_transfer_fails_at_the_same_moment(it: Deck) -> None:
    it.transfer.hold = True

    async def fails_when_cancelled(*args: object, **more: object) -> FileResult:
        try:
            return await FakeTransfer.fetch(it.transfer, *args, **more)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            raise LinkError("closed_early", "at the same time", retryable=True) from None

    it.transfer.fetch = fails_when_cancelled  # type: ignore[method-assign]
    await it.queue()
    permit = it.permit()
    await it.until(lambda: it.transfer.asked)
    await it.append(d.DownloadPaused(download_id="wan-1"))
    await it.until(lambda: permit.ends)
    assert len(it.transfer.asked) == 1
    assert permit.ends == ["dropped", "done"]


async def test_a_permit_on_which_the_worker_stumbles_is_let_go(it: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stumble(*_args: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(it.worker, "_use", stumble)
    permit = it.permit()
    await it.until(lambda: permit.ends)
    assert permit.ends == ["dropped"], "else it would be kept alive and hold up the pool"


async def test_the_last_try_without_progress_gives_the_file_up(it: Deck) -> None:
    it.transfer.planned[A] = [LinkError("stalled", "silence", retryable=True)] * 3
    await it.queue(files=(FILES[0],))
    it.permit()
    await it.until(lambda: phase(it) == "failed")
    assert (await it.facts())[-2:] == ["FileFailed", "Failed"]
    assert len(it.transfer.asked) == 3


async def test_an_optional_file_that_cannot_be_had_fails_nothing(it: Deck) -> None:
    it.transfer.planned[C] = [SourceError("not_found", "gone", status=404)]
    await it.queue()
    it.permit()
    await it.until(lambda: phase(it) == "completed")
    assert "FileFailed" in await it.facts()


async def test_want_of_space_pauses_with_the_reason(it: Deck) -> None:
    it.transfer.planned[B] = [NoSpaceError("too full", needed_bytes=10, free_bytes=1)]
    await it.queue()
    permit = it.permit()
    await it.until(lambda: permit.ends)
    state = it.fold.get("preset:wan")
    assert (state.phase, state.pause_reason, set(state.completed)) == ("paused", "no_space", {A})
    assert permit.ends[-1] == "done"


async def test_facts_wait_for_the_log_in_order_and_bytes_do_not(it: Deck) -> None:
    it.transfer.hold = True
    await it.queue()
    permit = it.permit()
    await it.until(lambda: it.transfer.asked)
    it.store.available = False
    for path in (A, B, C):
        it.transfer.finish(path)
    await it.until(lambda: len(it.transfer.asked) == 3)
    assert phase(it) == "downloading"
    it.store.available = True
    await it.until(lambda: permit.ends)
    assert await it.facts() == ["Queued", "Started", *["FileCompleted"] * 3, "Completed"]


async def test_a_file_that_another_download_writes_is_done_last(it: Deck) -> None:
    await it.append(pools.PoolConfigured(pool=POOL, max_concurrent=2))
    it.transfer.hold = True
    await it.queue("one", files=(FILES[0],))
    it.permit()
    await it.until(lambda: it.transfer.asked)
    await it.queue("two", files=(FILES[0], FILES[1]))
    it.permit()
    it.transfer.finish(B)
    await it.until(lambda: B in it.fold.get("preset:two").completed)
    assert [request.path for request in it.transfer.asked] == [A, B]
    it.transfer.finish(A)
    await it.until(lambda: phase(it, "one") == phase(it, "two") == "completed")


async def test_a_defect_ends_the_download_with_a_reason_and_the_worker_goes_on(it: Deck) -> None:
    it.transfer.planned[A] = [ZeroDivisionError("a defect")]
    await it.queue()
    it.permit()
    await it.until(lambda: phase(it) == "failed")
    assert (await it.facts())[-1] == "Failed"
    await it.queue("two", files=(FILES[1],))
    it.permit()
    await it.until(lambda: phase(it, "two") == "completed")


async def test_force_replaces_a_file_once_and_not_again_after_a_crash(it: Deck) -> None:
    await it.queue(force=True)
    await it.append(d.DownloadStarted(download_id="wan-1", attempt=1, worker="gone", permit_seq=9))
    done = d.DownloadFileCompleted(
        download_id="wan-1", attempt=1, path=A, url=FILES[0].url, size_bytes=100, verified="size"
    )
    await it.append(done)
    it.permit(9, deliveries=2)
    await it.until(lambda: phase(it) == "completed")
    assert [request.force for request in it.transfer.asked] == [False, True, True]


async def test_the_bandwidth_limit_is_shared_with_other_processes(it: Deck) -> None:
    it.transfer.hold = True
    await it.append(pools.PoolConfigured(pool=POOL, max_concurrent=4, bandwidth_limit_bps=1000))
    await it.queue("theirs")
    await it.append(d.DownloadStarted(download_id="theirs-1", attempt=1, worker="other", permit_seq=50), "theirs")
    await it.queue("mine")
    it.permit()
    await it.until(lambda: it.limiter.limit_bps == 500)
    await it.append(d.DownloadPaused(download_id="theirs-1"), "theirs")
    await it.until(lambda: it.limiter.limit_bps == 1000)
    await it.append(pools.PoolConfigured(pool=POOL, max_concurrent=4))
    await it.until(lambda: it.limiter.limit_bps is None)


async def test_stopping_gives_every_claim_back() -> None:
    async with deck(pools.PoolLimits(max_concurrent=2)) as it:
        it.transfer.hold = True
        for preset in ("one", "two"):
            await it.queue(preset)
        permits = [it.permit(), it.permit()]
        await it.until(lambda: it.worker.active == 2)
        await it.worker.stop(5)
        assert (await it.facts("one"))[-1] == (await it.facts("two"))[-1] == "Interrupted"
        assert all(permit.ends[-1] == "done" for permit in permits)
