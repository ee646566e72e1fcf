from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from modeldeck_events import bus, readings
from modeldeck_events.bus import Bus
from modeldeck_events.readings import HostSample
from modeldeck_events.system import Health

from tests.integration.telemetry import process
from tests.support.nats import LocalServer

HOST = socket.gethostname()


@pytest.fixture
async def client(nats_server: LocalServer) -> AsyncIterator[Bus]:
    connected = await bus.connect(nats_server.url, "test")
    yield connected
    await connected.close()


@pytest.fixture
def telemetry(nats_server: LocalServer, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real process."""
    with process.telemetry(nats_server.url, tmp_path, SAMPLE_INTERVAL_S="0.2", POOL="pool-1") as running:
        yield running


async def take(client: Bus, count: int) -> list[HostSample]:
    found: list[HostSample] = []
    async with asyncio.timeout(20):
        async for reading in client.follow_readings([readings.host_subject(HOST)], history=True):
            assert isinstance(reading, HostSample)
            found.append(reading)
            if len(found) == count:
                return found
    raise AssertionError("the readings ended")


async def test_samples_come_at_the_interval_and_their_history_is_kept(
    client: Bus, telemetry: subprocess.Popen[bytes]
) -> None:
    first = await take(client, 6)
    assert {(sample.host, sample.pool, sample.interval_s) for sample in first} == {(HOST, "pool-1", 0.2)}
    assert all(sample.memory is not None and sample.disks and sample.cpu_percent is not None for sample in first)
    again = await take(client, 6)  # a follower that comes later sees the same past
    assert again == first
    spans = [(later.at - earlier.at).total_seconds() for earlier, later in itertools.pairwise(first)]
    assert sum(spans) / len(spans) == pytest.approx(0.2, abs=0.1)


async def test_it_answers_health_and_ends_when_told(client: Bus, telemetry: subprocess.Popen[bytes]) -> None:
    await take(client, 1)
    reply = await client.request(Health(), service="telemetry")
    assert reply.ok
    telemetry.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(telemetry.wait, 10) == 0


async def test_samples_go_on_after_the_server_was_killed(
    client: Bus, telemetry: subprocess.Popen[bytes], nats_server: LocalServer
) -> None:
    before = await take(client, 2)
    await nats_server.kill()
    await nats_server.start()
    async with asyncio.timeout(30):
        async for reading in client.follow_readings([readings.host_subject(HOST)]):
            assert isinstance(reading, HostSample)
            if reading.at > before[-1].at:
                return
