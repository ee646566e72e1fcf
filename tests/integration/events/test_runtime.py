from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from modeldeck_events import downloads as d
from modeldeck_events import system, topology
from modeldeck_events.bus import Bus
from modeldeck_events.errors import UnavailableError
from modeldeck_events.message import Reply
from modeldeck_events.runtime import Service
from modeldeck_events.settings import ServiceSettings
from modeldeck_events.store import Meta

from tests.support.nats import ROOT, LocalServer

META = Meta(source="test")


class Echo:
    """The service of `echo_service.py` as a process."""

    def __init__(self, url: str, log: Path, **settings: str) -> None:
        self.url = url
        self.log = log
        self.settings = settings
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, **options: Any) -> asyncio.subprocess.Process:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MODELDECK_")}
        environment |= {"MODELDECK_NATS_URL": self.url, **self.settings}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.integration.events.echo_service",
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                **options,
            )
        return self.process

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@asynccontextmanager
async def running(url: str, log: Path, **settings: str) -> AsyncIterator[tuple[Echo, asyncio.subprocess.Process]]:
    echo = Echo(url, log, **settings)
    process = await echo.start()
    try:
        yield echo, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def end(process: asyncio.subprocess.Process, *, how: signal.Signals | None = signal.SIGTERM) -> None:
    """End it; in good order means status 0. The limit is for busy machines, `drained` looks at the promise itself."""
    if how is not None:
        process.send_signal(how)
    assert await asyncio.wait_for(process.wait(), 30) == 0


def drained(echo: Echo) -> bool:
    """Tell whether everything had ended before the service's own limit."""
    said = [entry["event"] for entry in echo.entries()]
    return "service ended" in said and "not everything ended in time" not in said


async def healthy(bus: Bus, *, limit_s: float = 20) -> Reply:
    """Wait until the service says that it is ready."""
    async with asyncio.timeout(limit_s):
        while True:
            try:
                reply = await bus.request(system.Health(), timeout_s=1, service="downloader")
                if reply.ok:
                    return reply
            except UnavailableError:
                pass
            await asyncio.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pause(target_id: str) -> d.PauseDownload:
    return d.PauseDownload(pool="default", target_id=target_id, command_id="c-1")


async def knows(bus: Bus, facts: int) -> None:
    """Wait until the service's fold has got so many facts."""
    async with asyncio.timeout(10):
        while (await bus.request(pause("x"))).data != {"facts": facts}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def append(bus: Bus, key: str) -> None:
    await bus.store.append(d.subject("p", key), [d.DownloadPaused(download_id=key)], expected_seq=0, meta=META)


async def test_a_service_from_start_to_end(server: LocalServer, connected: Bus, tmp_path: Path) -> None:
    await append(connected, "a")
    async with running(server.url, tmp_path / "log") as (echo, process):
        health = await healthy(connected)
        assert health.data["service"] == "downloader"
        assert health.data["seq"] == 1
        assert health.data["epoch"] == (await connected.store.head()).epoch
        assert (await connected.request(pause("x"))).data == {"facts": 1}
        refused = await connected.request(pause("gone"))
        assert (refused.ok, refused.code, refused.status) == (False, "not_found", 404)
        assert refused.message == "there is no such download"
        failed = await connected.request(pause("bug"))
        assert (failed.ok, failed.code, failed.status) == (False, "internal", 500)
        assert (await connected.request(pause("crash"))).ok
        while (await connected.request(system.Health(), service="downloader")).ok:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        unwell = await connected.request(system.Health(), service="downloader")
        assert "as told" in str(unwell.data["detail"])
        garbage = await connected.nc.request("cmd.downloader.pause.default", b"{")
        assert json.loads(garbage.data)["code"] == "invalid_command"
        await end(process)
    assert drained(echo)
    failures = [entry for entry in echo.entries() if entry["level"] == "error"]
    assert {entry["event"] for entry in failures} == {"background task failed", "command failed"}
    assert all(entry["service"] == "downloader" for entry in echo.entries())
    assert any(entry.get("command_id") == "c-1" for entry in failures)


async def test_a_running_command_is_finished_before_the_end(
    server: LocalServer, connected: Bus, tmp_path: Path
) -> None:
    async with running(server.url, tmp_path / "log") as (_, process):
        await healthy(connected)
        slow = asyncio.create_task(connected.request(pause("slow")))
        await asyncio.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert (await slow).ok
        await end(process, how=None)


async def test_commands_run_side_by_side_and_health_is_never_behind_them(
    server: LocalServer, connected: Bus, tmp_path: Path
) -> None:
    async with running(server.url, tmp_path / "log"):
        await healthy(connected)
        began = time.monotonic()
        slow = [asyncio.create_task(connected.request(pause("slow"))) for _ in range(32)]
        await asyncio.sleep(0.1)
        assert (await connected.request(system.Health(), timeout_s=1, service="downloader")).ok
        assert all(reply.ok for reply in await asyncio.gather(*slow))
        assert 1.9 < time.monotonic() - began < 4, "32 commands of a second, 16 at once"


async def test_it_waits_for_nats_and_can_be_ended_meanwhile(server: LocalServer, tmp_path: Path) -> None:
    await server.stop()
    async with running(server.url, tmp_path / "log") as (echo, process):
        async with asyncio.timeout(15):
            while "NATS connection trouble" not in echo.log.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await end(process)
    assert sum("NATS connection trouble" in entry["event"] for entry in echo.entries()) == 1, "said once"


async def test_it_comes_up_when_nats_does(server: LocalServer, connected: Bus, tmp_path: Path) -> None:
    await server.stop()
    async with running(server.url, tmp_path / "log"):
        await asyncio.sleep(0.5)
        await server.start()
        await healthy(connected)


async def test_it_survives_kills_freezes_and_a_wiped_store(server: LocalServer, connected: Bus, tmp_path: Path) -> None:
    async with running(server.url, tmp_path / "log") as (_, process):
        await healthy(connected)
        for _ in range(3):
            await server.kill()
            await server.start()
            await healthy(connected)
        server.freeze()
        await asyncio.sleep(1)
        server.thaw()
        await healthy(connected)
        await append(connected, "a")
        await knows(connected, 1)
        await server.stop()
        server.wipe()
        await server.start()
        assert (await healthy(connected)).data["seq"] == 0
        await append(connected, "b")
        await append(connected, "c")
        await knows(connected, 2)
        assert process.returncode is None


async def test_it_ends_with_nats_away(server: LocalServer, connected: Bus, tmp_path: Path) -> None:
    async with running(server.url, tmp_path / "log") as (echo, process):
        await healthy(connected)
        await server.kill()
        await asyncio.sleep(0.5)
        await end(process)
    assert drained(echo)


async def test_it_ends_with_its_parent(server: LocalServer, connected: Bus, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    echo = Echo(server.url, tmp_path / "log", MODELDECK_PARENT_PIPE=str(reading))
    process = await echo.start(pass_fds=[reading])
    os.close(reading)
    try:
        await healthy(connected)
        os.close(writing)
        await end(process, how=None)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_metrics_are_served_when_asked_for(server: LocalServer, connected: Bus, tmp_path: Path) -> None:
    port = free_port()
    async with running(server.url, tmp_path / "log", MODELDECK_METRICS_PORT=str(port)):
        await healthy(connected)
        await connected.request(pause("gone"))
        with await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    assert 'modeldeck_commands_total{outcome="not_found",verb="pause"} 1.0' in text
    assert "modeldeck_folded_seq" in text


async def test_a_stream_deleted_under_it_is_made_anew(server: LocalServer, connected: Bus, tmp_path: Path) -> None:
    async with running(server.url, tmp_path / "log"):
        old = (await healthy(connected)).data["epoch"]
        await connected.js.delete_stream(topology.EVENTS)
        async with asyncio.timeout(20):
            while True:
                try:
                    if (await healthy(connected)).data["epoch"] != old:
                        break
                except UnavailableError:
                    pass
                await asyncio.sleep(0.05)
        await append(connected, "a")


async def test_tasks_wait_for_the_folds_unless_told_otherwise(server: LocalServer) -> None:
    began: list[str] = []
    service = Service("downloader", ServiceSettings(nats_url="nats://127.0.0.1:1"))

    async def early() -> None:
        began.append("early")

    async def late() -> None:
        began.append("late")

    service.task(early, when_ready=False)
    service.task(late)
    await service.start()
    await asyncio.sleep(0.2)
    health = await service.health()
    await service.stop()
    assert began == ["early"]
    assert (health.ok, health.status, health.code) == (False, 503, "not_ready")
