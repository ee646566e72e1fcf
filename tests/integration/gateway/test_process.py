"""The gateway as a process: it dies at any moment, and a client that resumes has seen every entry exactly once."""

import asyncio
import os
import random
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest
from modeldeck_events import downloads as d

from tests.integration.gateway.fakes import FakeServices, eventually, fake_services
from tests.integration.gateway.sse_client import Event, events
from tests.support.gateways import client, free_port, running_gateway, until_it_answers
from tests.support.nats import NatsServer
from tests.unit.gateway.facts import queued

DOWNLOADS = 250


@pytest.fixture
def port() -> int:
    return free_port()


class Collector:
    """Follows the activity through any number of gateways, resuming by the last id."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.entries: list[Event] = []
        self.resets = 0
        self.connections = 0
        self.last_id = ""

    async def run(self) -> None:
        while True:
            try:
                async for event in events(self.http, "queue,activity,events", last_event_id=self.last_id):
                    self.connections += event.name == "hello"
                    self.resets += event.name == "reset"
                    if event.id:
                        self.last_id = event.id
                    if event.name in {"activity", "event"}:
                        self.entries.append(event)
            except (httpx.TransportError, AssertionError):
                await asyncio.sleep(0.02)


async def write_history(services: FakeServices, downloads: int) -> None:
    for n in range(downloads):
        name = f"p{n}"
        await services.append_download(
            name,
            queued(name, preset_id=name),
            d.DownloadStarted(download_id=name, attempt=1, worker="w"),
            d.DownloadCompleted(download_id=name, attempt=1, total_bytes=1),
        )
        await asyncio.sleep(0.02)


async def test_killed_again_and_again_every_entry_is_seen_exactly_once(
    nats_server: NatsServer, tmp_path: Path, port: int
) -> None:
    services: FakeServices | None = None
    random_ = random.Random(7)
    async with client(port) as http:
        collector = Collector(http)
        collecting = asyncio.create_task(collector.run())
        writing: asyncio.Task[None] | None = None
        for _ in range(4):
            async with running_gateway(tmp_path / "data", nats_server.url, port) as process:
                await until_it_answers(port)
                if services is None:
                    services = await fake_services(nats_server.url)
                    await eventually(lambda: is_true(collector.connections > 0))
                    writing = asyncio.create_task(write_history(services, DOWNLOADS))
                await asyncio.sleep(0.2 + random_.random() * 0.6)
                process.send_signal(signal.SIGKILL)
                await process.wait()
        async with running_gateway(tmp_path / "data", nats_server.url, port) as process:
            await until_it_answers(port)
            assert writing is not None
            await writing
            await eventually(lambda: is_true(len(collector.entries) >= 6 * DOWNLOADS), 20)
            rebuilt = (await http.get("/api/v1/downloads/queue")).json()
            process.send_signal(signal.SIGTERM)
            started = asyncio.get_running_loop().time()
            assert await process.wait() == 0
            assert asyncio.get_running_loop().time() - started < 8
        collecting.cancel()
        assert collector.connections >= 4
        assert collector.resets == 0
        facts = [e.data["seq"] for e in collector.entries if e.name == "event"]
        entries = [e.data["id"] for e in collector.entries if e.name == "activity"]
        assert facts == list(range(1, 3 * DOWNLOADS + 1))
        assert entries == [f"dl_{seq}" for seq in range(1, 3 * DOWNLOADS + 1)]
        assert [e.name for e in collector.entries] == ["activity", "event"] * 3 * DOWNLOADS
        for file in (tmp_path / "data" / "gateway").glob("boards*"):
            file.unlink()
        async with running_gateway(tmp_path / "data", nats_server.url, port):
            await until_it_answers(port)
            assert (await http.get("/api/v1/downloads/queue")).json() == rebuilt
    if services is not None:
        await services.bus.close()


async def is_true(value: bool) -> bool:
    return value


async def test_a_port_that_is_taken_ends_it_with_a_reason(tmp_path: Path, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        environment = os.environ | {"MODELDECK_DATA_DIR": str(tmp_path), "MODELDECK_PORT": str(port)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
    assert process.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in said.decode()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MODELDECK_AUTH", "oidc", "needs MODELDECK_OIDC_ISSUER"),
        ("MODELDECK_PORT", "70000", "MODELDECK_PORT"),
        ("MODELDECK_PROT", "1", "did you mean MODELDECK_PORT"),
    ],
)
async def test_settings_that_cannot_be_used_are_said(tmp_path: Path, name: str, value: str, said: str) -> None:
    environment = os.environ | {"MODELDECK_DATA_DIR": str(tmp_path), name: value}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, error = await process.communicate()
    assert process.returncode == 2
    assert said in error.decode()
