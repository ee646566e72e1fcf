import asyncio
from pathlib import Path

import downloader.policies
import pytest
from downloader.disk import ModelsDisk, Volume
from downloader.planning import Planner
from downloader.policies import Policies
from downloader.transfer import LockedError
from downloader.upkeep import PermitKeeper, SpaceWatcher
from modeldeck_events import downloads as d
from modeldeck_events.errors import TransientError
from modeldeck_events.store import Record

from tests.unit.downloader.builders import FILES, POOL
from tests.unit.downloader.fakes import Deck, deck


class Disk(ModelsDisk):
    """A disk with as much room as the test says."""

    free_bytes = 0

    def volume_of(self, path: str) -> Volume:
        return Volume(1, self.models_dir, 10**12, self.free_bytes)


async def test_room_resumes_what_was_paused_for_want_of_it_and_nothing_else(tmp_path: Path) -> None:
    async with deck() as it:
        big = (d.FileSpec(path="big.bin", url="https://h/big", size_bytes=10**9),)
        await it.queue("full", files=big)
        await it.append(d.DownloadPaused(download_id="full-1", reason="no_space"), "full")
        await it.queue("by-hand", files=big)
        await it.append(d.DownloadPaused(download_id="by-hand-1"), "by-hand")
        await it.log.state("preset:by-hand")
        disk = Disk(tmp_path, reserve_bytes=1000)
        watcher = SpaceWatcher(queue=it.fold, planner=Planner(disk, it.fold), log=it.log, worker="me")
        disk.free_bytes = 10**9
        await watcher.look()
        assert it.fold.get("preset:full").phase == "paused", "the reserve counts"
        disk.free_bytes = 10**9 + 1000
        await watcher.look()
        assert (await it.facts("full"))[-1] == "Resumed"
        assert (await it.facts("by-hand"))[-1] == "Paused"


async def test_what_nobody_states_the_size_of_waits_for_the_room_that_it_wanted(tmp_path: Path) -> None:
    async with deck() as it:
        await it.queue("vague", files=(d.FileSpec(path="big.bin", url="https://h/big"),))
        await it.append(d.DownloadPaused(download_id="vague-1", reason="no_space", needed_bytes=10**9), "vague")
        await it.log.state("preset:vague")
        disk = Disk(tmp_path, reserve_bytes=1000)
        watcher = SpaceWatcher(queue=it.fold, planner=Planner(disk, it.fold), log=it.log, worker="me")
        disk.free_bytes = 10**9
        await watcher.look()
        assert (await it.facts("vague"))[-1] == "Paused", "it would only find again that there is no room"
        disk.free_bytes = 10**9 + 1000
        await watcher.look()
        assert (await it.facts("vague"))[-1] == "Resumed"


async def test_permits_missing_twice_in_a_row_are_published_again() -> None:
    async with deck() as it:
        await it.queue("one")
        await it.queue("two")
        await it.log.state("preset:two")
        keeper = PermitKeeper(queue=it.fold, projector=it.projector, permits=it.permits)  # type: ignore[arg-type]
        it.permits.counted = 1
        assert await keeper.look() == 0, "the policy may be on its way"
        assert await keeper.look() == 1
        it.permits.counted = 2
        assert await keeper.look() == 0
        ((body, dedupe_id),) = it.permits.published
        assert body.epoch == it.projector.epoch
        assert dedupe_id.startswith("lost-default-")


class FakeStaging:
    def __init__(self) -> None:
        self.discarded: list[str] = []
        self.locked: set[str] = set()

    async def discard(self, path: str) -> None:
        if path in self.locked:
            raise LockedError("locked", "somebody writes it")
        self.discarded.append(path)


async def last_record(it: Deck, preset: str) -> Record:
    return (await it.store.read(after=0, limit=100, subjects=(d.subject(POOL, f"preset:{preset}"),)))[-1]


def policies(it: Deck, staging: FakeStaging) -> Policies:
    return Policies(queue=it.fold, projector=it.projector, permits=it.permits, transfer=staging)  # type: ignore[arg-type]


async def test_each_runnable_fact_gets_one_permit_with_its_id() -> None:
    async with deck() as it:
        made = policies(it, FakeStaging())
        await it.queue()
        queued = await last_record(it, "wan")
        await made.permit(queued)
        await it.append(d.DownloadPaused(download_id="wan-1"))
        await made.permit(await last_record(it, "wan"))
        await it.append(d.DownloadResumed(download_id="wan-1"))
        await made.permit(await last_record(it, "wan"))
        assert [(body.download_id, body.seq) for body, _ in it.permits.published] == [("wan-1", 1), ("wan-1", 3)]
        assert it.permits.published[0][1] == queued.id
        await it.append(d.DownloadCancelled(download_id="wan-1"))
        await it.log.state("preset:wan")
        await made.permit(queued)
        assert len(it.permits.published) == 2, "old history makes nothing run"


async def test_staging_is_deleted_only_when_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloader.policies, "LOCKED_WAIT_S", 0.05)
    async with deck() as it:
        staging = FakeStaging()
        made = policies(it, staging)
        await it.queue()
        await it.queue("other", files=(FILES[1],))
        await it.append(d.DownloadCancelled(download_id="wan-1", keep_partial=True))
        await made.clean(await last_record(it, "wan"))
        assert staging.discarded == []
        await it.append(d.DownloadRetried(download_id="wan-1"))
        await it.append(d.DownloadCancelled(download_id="wan-1", keep_partial=False))
        cancelled = await last_record(it, "wan")
        staging.locked.add(FILES[2].path)
        with pytest.raises(TransientError):
            await made.clean(cancelled)
        staging.locked.clear()
        await made.clean(cancelled)
        assert set(staging.discarded) == {FILES[0].path, FILES[2].path}
        staging.discarded.clear()
        await it.append(d.DownloadRetried(download_id="wan-1"))
        await it.log.state("preset:wan")
        await made.clean(cancelled)
        assert staging.discarded == [], "retried meanwhile"


async def test_staging_is_deleted_as_soon_as_its_writer_lets_go() -> None:
    async with deck() as it:
        staging = FakeStaging()
        await it.queue()
        await it.append(d.DownloadCancelled(download_id="wan-1", keep_partial=False))
        staging.locked.add(FILES[0].path)
        asyncio.get_running_loop().call_later(0.15, staging.locked.clear)
        await policies(it, staging).clean(await last_record(it, "wan"))
        assert staging.discarded == [spec.path for spec in FILES]
