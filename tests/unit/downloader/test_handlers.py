from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from downloader.asking import Asked
from downloader.disk import ModelsDisk
from downloader.errors import SourceError
from downloader.handlers import Handlers
from downloader.planning import Planner
from downloader.pool_log import PoolLog
from downloader.queue import QueueFold
from downloader.sources import Sources
from downloader.transfer import Stated, Transfer
from modeldeck_events import downloads as d
from modeldeck_events.errors import CommandNotAllowedError, UnavailableError
from modeldeck_events.memory import MemoryStore
from modeldeck_events.message import Event
from modeldeck_events.projector import Projector
from modeldeck_events.store import Meta

from tests.unit.downloader.builders import FILES, NOW, POOL, install


class Scene:
    def __init__(self, models: Path) -> None:
        self.models = models
        self.store = MemoryStore()
        self.fold = QueueFold(POOL)
        self.projector = Projector(self.store, [self.fold], subjects=self.fold.subjects)
        self.log = PoolLog(self.store, self.projector, self.fold)
        self.handlers = Handlers(
            queue=self.fold,
            log=self.log,
            planner=Planner(ModelsDisk(models, 0), self.fold),
            asked=Asked(self.ask),
            check_path=Transfer.check_path,
            check_source=Sources(allowed_hosts=("hub.example", "h")).first,
            clock=lambda: NOW,
        )

    async def ask(self, url: str) -> Stated:
        """Answer as a source does that only knows what ends in `.known`; simulated."""
        if not url.endswith(".known"):
            raise SourceError("not_found", "There is no such file.", status=404)
        return Stated(size=4321, sha256=None, host="hub.example", etag=None)

    async def facts(self) -> list[str]:
        return [type(r.event).__name__.removeprefix("Download") for r in await self.store.read(after=0, limit=1000)]

    async def happens(self, event: Event, preset: str = "wan") -> None:
        """Append as another process would."""
        subject = d.subject(POOL, f"preset:{preset}")
        seq = await self.store.last_seq(subject)
        await self.store.append(subject, [event], expected_seq=seq, meta=Meta(source="other"))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with running(tmp_path) as made:
        yield made


@asynccontextmanager
async def running(models: Path) -> AsyncIterator[Scene]:
    made = Scene(models)
    task = asyncio.create_task(made.projector.run())
    await made.projector.caught_up.wait()
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_install_is_one_fact_and_the_second_one_none(scene: Scene) -> None:
    first = await scene.handlers.queue_download(install())
    second = await scene.handlers.queue_download(install())
    assert (first.seq, first.data["status"]) == (1, "queued")
    assert (second.seq, second.data) == (0, first.data)
    assert await scene.facts() == ["Queued"]


async def test_simultaneous_installs_of_one_target_make_one_download(scene: Scene) -> None:
    replies = await asyncio.gather(*(scene.handlers.queue_download(install(command_id=str(n))) for n in range(8)))
    assert len({str(reply.data["download_id"]) for reply in replies}) == 1
    assert await scene.facts() == ["Queued"]


async def test_what_is_there_is_installed_unless_forced(scene: Scene) -> None:
    for spec in FILES[:2]:
        (scene.models / spec.path).parent.mkdir(exist_ok=True)
        (scene.models / spec.path).write_bytes(b"x" * (spec.size_bytes or 0))
    reply = await scene.handlers.queue_download(install())
    assert (reply.ok, reply.seq, reply.data) == (True, 0, {"status": "installed"})
    forced = await scene.handlers.queue_download(install(force=True))
    assert forced.data["status"] == "queued"


async def test_what_was_uninstalled_is_queued_again_though_all_of_it_stayed_for_others(scene: Scene) -> None:
    for spec in FILES[:2]:
        (scene.models / spec.path).parent.mkdir(exist_ok=True)
        (scene.models / spec.path).write_bytes(b"x" * (spec.size_bytes or 0))
    reply = await scene.handlers.queue_download(install(again=True))
    assert (reply.data["status"], await scene.facts()) == ("queued", ["Queued"])


async def test_a_decision_is_made_on_the_log_and_not_on_a_stale_fold(scene: Scene) -> None:
    await scene.handlers.queue_download(install())
    download_id = scene.fold.get("preset:wan").download_id
    await scene.happens(d.DownloadPaused(download_id=download_id))  # the fold has not seen it yet
    reply = await scene.handlers.act(d.ResumeDownload(pool=POOL, target_id="preset:wan"))
    assert reply.data == {"status": "resumed", "download_id": download_id}


async def test_a_repeated_command_gets_the_same_answer_though_the_state_has_moved_on(scene: Scene) -> None:
    await scene.handlers.queue_download(install())
    pause = d.PauseDownload(pool=POOL, target_id="preset:wan", command_id="c1")
    first = await scene.handlers.act(pause)
    await scene.handlers.act(d.ResumeDownload(pool=POOL, target_id="preset:wan", command_id="c2"))
    assert await scene.handlers.act(pause) == first
    assert await scene.facts() == ["Queued", "Paused", "Resumed"]


async def test_an_unreachable_log_is_said_and_nothing_is_done(scene: Scene) -> None:
    scene.store.available = False
    with pytest.raises(UnavailableError):
        await scene.handlers.queue_download(install())


async def test_moves_answer_the_position_and_the_same_place_is_no_fact(scene: Scene) -> None:
    for preset in ("a", "b", "c"):
        await scene.handlers.queue_download(install(preset))
    move = d.MoveDownload(pool=POOL, target_id="preset:c", position=1)
    reply = await scene.handlers.move(move)
    assert reply.data["position"] == 1
    assert (await scene.handlers.move(move)).seq == 0
    far = await scene.handlers.move(d.MoveDownload(pool=POOL, target_id="preset:c", position=99))
    assert far.data["position"] == 3
    assert [state.name for state in scene.fold.in_phase("queued")] == ["A", "B", "C"]


async def test_the_only_one_waiting_can_be_moved_to_where_it_stands(scene: Scene) -> None:
    await scene.handlers.queue_download(install())
    reply = await scene.handlers.move(d.MoveDownload(pool=POOL, target_id="preset:wan", position=5))
    assert (reply.ok, reply.seq, reply.data["position"]) == (True, 0, 1)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ((), "file_count"),
        ((d.FileSpec(path="a", url=""),), "file_count"),
        ((d.FileSpec(path="../a", url="https://h/a"),), "path_refused"),
        ((d.FileSpec(path="a", url="ftp://h/a"),), "bad_url"),
        ((d.FileSpec(path="a", url="https://me:secret@h/a"),), "bad_url"),
        ((d.FileSpec(path="a", url="https://h/a?token=secret"),), "bad_url"),
        ((d.FileSpec(path="a", url="https://evil.example/a"),), "host_not_allowed"),
        ((d.FileSpec(path="a", url="https://h/a", sha256="not a hash"),), "bad_hash"),
        ((d.FileSpec(path="a", url="https://h/a"), d.FileSpec(path="a", url="https://h/b")), "path_conflict"),
        (tuple(d.FileSpec(path=f"{n}", url="https://h/" + "a" * 2000) for n in range(500)), "too_many_files"),
        (tuple(d.FileSpec(path=f"{n}", url="https://h/a") for n in range(1001)), "file_count"),
    ],
)
async def test_requests_that_cannot_be_right_are_refused(
    scene: Scene, files: tuple[d.FileSpec, ...], code: str
) -> None:
    with pytest.raises(CommandNotAllowedError) as refusal:
        await scene.handlers.queue_download(install(files=files))
    assert refusal.value.code == code
    assert await scene.facts() == []


async def test_a_file_listed_twice_is_one_file(scene: Scene) -> None:
    await scene.handlers.queue_download(install(files=(FILES[0], FILES[0])))
    assert len(scene.fold.get("preset:wan").files) == 1


async def test_a_hash_may_be_written_in_capitals(scene: Scene) -> None:
    spec = d.FileSpec(path="a", url="https://h/a", sha256="AB" * 32)
    await scene.handlers.queue_download(install(files=(spec,)))
    assert scene.fold.get("preset:wan").files[0].sha256 == "ab" * 32


async def test_a_plan_knows_the_size_that_the_source_states(scene: Scene) -> None:
    files = (
        d.FileSpec(path="vae/a", url="https://hub.example/a.known"),
        d.FileSpec(path="vae/b", url="https://hub.example/b"),
    )
    reply = await scene.handlers.plan(d.PlanFiles(pool=POOL, files=files))
    shown = reply.data["files"]
    assert isinstance(shown, list)
    assert [one["size_bytes"] for one in shown] == [4321, None]


async def test_a_plan_may_name_a_path_twice(scene: Scene) -> None:
    reply = await scene.handlers.plan(d.PlanFiles(pool=POOL, files=(FILES[0], FILES[0])))
    assert [file["path"] for file in reply.data["files"]] == [FILES[0].path]  # type: ignore[attr-defined]


async def test_an_id_that_fits_no_subject_is_refused(scene: Scene) -> None:
    with pytest.raises(CommandNotAllowedError) as refusal:
        await scene.handlers.act(d.PauseDownload(pool=POOL, target_id="file:" + "/" * 600))
    assert (refusal.value.code, refusal.value.status) == ("bad_target", 422)
