"""The watcher against a stand-in for ComfyUI (tests/support/comfyui.py), on a real nats-server."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from modeldeck_events import bus, topology
from modeldeck_events import generations as g
from modeldeck_events.bus import Bus
from modeldeck_events.projector import Projector
from modeldeck_events.store import Record
from telemetry.comfyui_client import ComfyuiClient, ComfyuiError, Entry

from tests.integration.telemetry import process
from tests.support.comfyui import FakeComfyui, running_comfyui
from tests.support.nats import LocalServer

HOST = socket.gethostname()


class Told:
    """Every fact about generations, by its run, in order."""

    def __init__(self) -> None:
        self.facts: dict[str, list[g.GenerationEvent]] = {}
        self.changed = asyncio.Event()

    def apply(self, record: Record) -> None:
        assert isinstance(record.event, g.GenerationEvent)
        self.facts.setdefault(record.event.generation_id, []).append(record.event)
        self.changed.set()

    def reset(self) -> None:
        self.facts.clear()

    @property
    def ended(self) -> set[str]:
        return {key for key, facts in self.facts.items() if any(isinstance(f, g.GenerationEnded) for f in facts)}

    async def until(self, true: Callable[[], bool], timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    async def until_ended(self, *ids: str) -> None:
        await self.until(lambda: self.ended >= set(ids))


@pytest.fixture
async def client(nats_server: LocalServer) -> AsyncIterator[Bus]:
    connected = await bus.connect(nats_server.url, "test")
    await topology.ensure(connected.js)
    yield connected
    await connected.close()


@pytest.fixture
async def told(client: Bus) -> AsyncIterator[Told]:
    fold = Told()
    projector = Projector(client.store, [fold], subjects=["evt.generation.>"])
    task = asyncio.create_task(projector.run())
    yield fold
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert projector.errors == 0


@pytest.fixture
async def comfyui() -> AsyncIterator[FakeComfyui]:
    async with running_comfyui() as running:
        yield running


@contextmanager
def telemetry(nats_server: LocalServer, folder: Path, url: str) -> Iterator[None]:
    """The real process, killed at the end as a crash would."""
    with process.telemetry(nats_server.url, folder, SAMPLE_INTERVAL_S="60", COMFYUI_URL=url):
        yield


async def progress(client: Bus, source: str, job_id: str, *, percent: float) -> g.GenerationProgress:
    async for reading in client.follow_readings([g.progress_subject(source, job_id)]):
        assert isinstance(reading, g.GenerationProgress)
        if reading.percent == percent:
            return reading
    raise AssertionError("the readings ended")


async def status(client: Bus, source: str, wanted: str) -> g.ComfyuiStatus:
    async with asyncio.timeout(20):
        async for reading in client.follow_readings([g.status_subject(source)]):
            assert isinstance(reading, g.ComfyuiStatus)
            if reading.status == wanted:
                return reading
    raise AssertionError("the readings ended")


def said(folder: Path, what: str) -> int:
    return (folder / "telemetry.log").read_text().count(what)


async def test_a_job_is_told_from_its_start_to_its_outputs(
    nats_server: LocalServer, client: Bus, told: Told, comfyui: FakeComfyui, tmp_path: Path
) -> None:
    source = f"{HOST}:{comfyui.port}"
    with telemetry(nats_server, tmp_path, comfyui.url):
        await status(client, source, "ok")
        comfyui.hold()
        made = comfyui.submit(name="Portrait", steps=4)
        await told.until(lambda: made in told.facts)
        async with asyncio.timeout(1):  # progress is visible within a second
            reading = await progress(client, source, made, percent=68.8)
        assert (reading.workflow, reading.node_type, reading.step, reading.steps) == ("Portrait", "KSampler", 3, 4)
        assert (await status(client, source, "ok")).version == "0.33.0"
        comfyui.allow()
        failed = comfyui.submit(fails="CUDA out of memory", client_id="a browser")
        stopped = comfyui.submit(interrupted=True, client_id="a browser")
        await told.until_ended(made, failed, stopped)
    started, completed = told.facts[made]
    models = (
        g.ModelUse(directory="checkpoints", filename="sdxl/base.safetensors"),
        g.ModelUse(directory="loras", filename="detail.safetensors"),
    )
    assert started == g.GenerationStarted(source=source, generation_id=made, workflow="Portrait", models=models)
    assert isinstance(completed, g.GenerationCompleted)
    assert completed.models == models
    assert [output.folder for output in completed.outputs] == ["output", "temp"]
    assert completed.duration_s is not None
    error = told.facts[failed][-1]
    assert isinstance(error, g.GenerationFailed)
    assert (error.code, error.error, error.node_type) == ("error", "CUDA out of memory", "KSampler")
    assert isinstance(told.facts[stopped][-1], g.GenerationInterrupted)


async def test_500_jobs_through_restarts_of_everything_are_each_told_once(
    nats_server: LocalServer, client: Bus, told: Told, comfyui: FakeComfyui, tmp_path: Path
) -> None:
    comfyui.step_s = 0.002
    comfyui.allow(100)
    jobs = [comfyui.submit(steps=1, client_id="a browser") for _ in range(500)]

    async def ended(count: int) -> None:
        async with asyncio.timeout(30):
            while len(comfyui.ended) < count:  # noqa: ASYNC110 - the stand-in tells its clients only
                await asyncio.sleep(0.01)

    @contextmanager
    def two_watchers() -> Iterator[None]:
        with telemetry(nats_server, tmp_path, comfyui.url), telemetry(nats_server, tmp_path, comfyui.url):
            yield

    with two_watchers():
        await told.until(lambda: len(told.ended) >= 50)
    comfyui.allow(200)  # 1: nobody watches
    await ended(200)
    with two_watchers():
        await told.until(lambda: len(told.ended) >= 150)
        await nats_server.kill()  # 2: nobody can write
        comfyui.allow(300)
        await ended(300)
        await nats_server.start()
        await told.until(lambda: comfyui.running is not None and comfyui.running.id in told.facts)
        await told.until_ended(*comfyui.ended)
        running = comfyui.running
        assert running is not None
        waiting = await comfyui.crash()  # 3: ComfyUI, with one job at work and all others waiting
        assert len(waiting) == 199
        await comfyui.start()
        comfyui.allow()
        comfyui.again(waiting)
        await told.until_ended(*jobs)
    assert told.facts.keys() == set(jobs)
    for facts in told.facts.values():
        kinds = Counter(isinstance(fact, g.GenerationEnded) for fact in facts)
        assert kinds[True] == 1
        assert kinds[False] <= 1
        assert isinstance(facts[-1], g.GenerationEnded), "the end comes last"
    lost = told.facts[running.id][-1]
    assert isinstance(lost, g.GenerationFailed)
    assert lost.code == "lost"
    assert sum(isinstance(facts[-1], g.GenerationCompleted) for facts in told.facts.values()) == 499


async def test_absence_and_recovery_are_said_once(
    nats_server: LocalServer, client: Bus, told: Told, tmp_path: Path
) -> None:
    async with running_comfyui(base_path="/studio/comfy") as comfyui:
        source = f"{HOST}:{comfyui.port}/studio/comfy"
        await comfyui.stop()
        with telemetry(nats_server, tmp_path, comfyui.url + "/"):
            assert "no connection to 127.0.0.1" in (await status(client, source, "away")).error
            missed = comfyui.submit()
            await comfyui.come_back()
            await status(client, source, "ok")
            await told.until_ended(missed)
            await comfyui.stop()
            await status(client, source, "away")
            await comfyui.come_back()
            await told.until_ended(comfyui.submit())
            assert (await status(client, source, "ok")).pending == 0
    counts = [said(tmp_path, text) for text in ("ComfyUI cannot be watched", "ComfyUI is back", "Traceback")]
    assert counts == [2, 2, 0]


async def test_odd_messages_do_no_harm(
    nats_server: LocalServer, client: Bus, told: Told, comfyui: FakeComfyui, tmp_path: Path
) -> None:
    source = f"{HOST}:{comfyui.port}"
    with telemetry(nats_server, tmp_path, comfyui.url):
        await status(client, source, "ok")
        comfyui.hold()
        made = comfyui.submit()
        await told.until(lambda: made in told.facts)
        for frame in (
            "",
            "{",
            "[" * 100_000,
            "[]",
            '{"type": "status"}',
            '{"type": ["x"], "data": {}}',
            '{"type": "of tomorrow", "data": {"prompt_id": 5}}',
            '{"type": "progress", "data": {"value": NaN, "max": "many", "prompt_id": {}}}',
            f'{{"type": "progress", "data": {{"value": 1e999, "max": 0, "prompt_id": "{made}", "node": "\\ud800"}}}}',
            f'{{"type": "progress_state", "data": {{"prompt_id": "{made}", "nodes": {{"3": 7, "4": {{}}}}}}}}',
            b"",
            b"\x00" * 1_000_000,
        ):
            await comfyui.broadcast_raw(frame)
        comfyui.history["broken"] = []  # type: ignore[assignment]
        comfyui.history["line\nbreak"] = {}
        comfyui.allow()
        await told.until_ended(made)
        assert len(comfyui.sockets) == 1
        await comfyui.broadcast_raw(b"\x00" * (17 * 1024 * 1024))  # more than is taken: the connection is made anew
        await told.until_ended(comfyui.submit())
    assert told.facts.keys() == set(comfyui.ended)
    assert said(tmp_path, "Traceback") == 0


@pytest.mark.parametrize("offsets", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 16, 17, 33, 100, 333])
async def test_the_whole_history_can_be_read_newest_first(offsets: bool, count: int) -> None:
    async with running_comfyui(offsets=offsets) as comfyui, ComfyuiClient(comfyui.url) as client:
        comfyui.history = {str(n): {"prompt": []} for n in range(count)}
        found: dict[str, object] = {}
        async for page in client.history():
            found.update((key, value) for key, value in page if key not in found)
        assert list(found) == [str(n) for n in reversed(range(count))]
        assert len(comfyui.requests) < 30 + count / 8


async def test_huge_entries_are_left_out_and_the_others_found() -> None:
    async with running_comfyui() as comfyui, ComfyuiClient(comfyui.url, max_body_bytes=20_000) as client:
        comfyui.history = {str(n): {"x": "y" * (30_000 if n % 10 == 9 else 900)} for n in range(100)}
        found: list[Entry] = [entry async for page in client.history() for entry in page]
        assert {key for key, _ in found} == {str(n) for n in range(100) if n % 10 != 9}
        comfyui.hold()
        for _ in range(100):
            comfyui.submit()
        assert await client.queue() is None  # more than is taken
        assert (await client.pending() or 0) > 50


async def test_what_is_no_comfyui_is_said() -> None:
    async with running_comfyui(base_path="/comfy") as comfyui:
        async with ComfyuiClient(comfyui.url.removesuffix("/comfy")) as wrong:
            with pytest.raises(ComfyuiError, match="GET /queue was answered with 404"):
                await wrong.queue()
            with pytest.raises(ComfyuiError, match="WebSocket cannot be used"):
                async with wrong.listen():
                    pass
        await comfyui.stop()
        async with ComfyuiClient(comfyui.url) as away:
            with pytest.raises(ComfyuiError, match=f"no connection to 127.0.0.1:{comfyui.port}"):
                await away.queue()
        await comfyui.come_back()
