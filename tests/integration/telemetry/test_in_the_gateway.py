"""What the telemetry tells, as people see it: the real process, a real nats-server, a gateway with HTTP and stream."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from gateway.app import App
from gateway.server import bind
from modeldeck_events import bus, hosts, modelfiles, topology
from modeldeck_events.bus import Bus
from modeldeck_events.readings import HostSample, NetworkSample, host_subject
from modeldeck_events.store import Meta

from tests.integration.gateway.conftest import client as http_client
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.sse_client import Follower
from tests.integration.telemetry.process import telemetry
from tests.support.comfyui import running_comfyui
from tests.support.nats import LocalServer
from tests.unit.gateway.facts import found

HOST = socket.gethostname()
API = "/api/v1"


class Seen(NamedTuple):
    """A running gateway and one of its readers."""

    app: App
    http: httpx.AsyncClient
    stream: Follower

    def host(self) -> Any:
        """What the reader's stream shows of this host."""
        return ((self.stream.state("resources") or {}).get("hosts") or {}).get(HOST)

    async def facts(self, kind: str) -> list[Any]:
        """What the log says of one type, oldest first."""
        answer = await self.http.get(f"{API}/events?type={kind}")
        events: list[Any] = answer.json()["events"]
        return events


@asynccontextmanager
async def gateway(nats_url: str, folder: Path) -> AsyncIterator[Seen]:
    listener = bind("127.0.0.1", 0)
    app = App(settings(folder, nats_url), listener)
    await app.service.start()
    await app.service.ready()
    async with http_client(f"http://127.0.0.1:{listener.getsockname()[1]}") as http:
        stream = Follower(http, "resources,active-tasks,models,events")
        yield Seen(app, http, stream)
        await stream.stop()
    await app.service.stop()


@pytest.fixture
async def client(nats_server: LocalServer) -> AsyncIterator[Bus]:
    connected = await bus.connect(nats_server.url, "test")
    await topology.ensure(connected.js)
    yield connected
    await connected.close()


async def told_once(seen: Seen, kind: str) -> None:
    """Wait until the log tells a fact of this type, and find it told once."""
    await seen.stream.until(lambda stream: any(event.data["type"] == kind for event in stream.named("event")))
    assert len(await seen.facts(kind)) == 1


async def test_a_killed_telemetry_shows_its_host_as_silent_within_three_intervals_and_then_its_return(
    nats_server: LocalServer, tmp_path: Path
) -> None:
    interval_s = 2.0  # as it is by default

    def silent(stream: Follower) -> bool:
        return "stale" in ((stream.state("resources") or {}).get("hosts", {}).get(HOST) or {})

    async with gateway(nats_server.url, tmp_path) as seen:
        with telemetry(nats_server.url, tmp_path, SAMPLE_INTERVAL_S=str(interval_s)) as process:
            await seen.stream.until(lambda _: seen.host() and "cpu_percent" in seen.host(), 20)
            first = seen.host()["at"]
            await seen.stream.until(lambda _: seen.host()["at"] != first)
            assert not silent(seen.stream)
            process.kill()
            killed_s = time.monotonic()
            await seen.stream.until(silent, 3 * interval_s)
            assert time.monotonic() - killed_s <= 3 * interval_s
        assert (await seen.http.get(f"{API}/system/resources")).json()["stale"] is True
        await told_once(seen, hosts.HostFellSilent.TYPE)
        with telemetry(nats_server.url, tmp_path, SAMPLE_INTERVAL_S=str(interval_s)):
            await seen.stream.until(lambda stream: not silent(stream), 20)
            await told_once(seen, hosts.HostReturned.TYPE)
        [joined] = await seen.facts(hosts.HostJoined.TYPE)
        assert joined["data"]["host"] == HOST
        titles = [
            entry["title"] for entry in (await seen.http.get(f"{API}/activity/recent?limit=5")).json()["activities"]
        ]
        assert any("silent" in title for title in titles), titles


async def test_an_hour_of_history_survives_the_gateway(nats_server: LocalServer, client: Bus, tmp_path: Path) -> None:
    began = datetime.now(UTC) - timedelta(minutes=59)
    for n in range(0, 59 * 60, 10):  # what a telemetry would have left there
        at = began + timedelta(seconds=n)
        sample = HostSample(
            host=HOST,
            pool="default",
            at=at,
            interval_s=2.0,
            cpu_percent=float(n % 100),
            cpu_count=2,
            memory=None,
            disks=(),
            network=NetworkSample(received_bps=n, sent_bps=0),
        )
        await client.publish_reading(host_subject(HOST), sample)
    await client.nc.flush()
    with telemetry(nats_server.url, tmp_path, SAMPLE_INTERVAL_S="0.2"):
        for folder in ("first", "second"):  # a new folder: no snapshot of its own
            async with gateway(nats_server.url, tmp_path / folder) as seen:
                await seen.stream.until(lambda _, seen=seen: seen.host() and "memory" in seen.host(), 20)
                answer = (await seen.http.get(f"{API}/system/resources/history?minutes=60")).json()
                points = answer["hosts"][HOST]
                assert answer["step_s"] == 10.0
                assert len(points) >= 354
                assert points[0]["network"] == {"received_bps": 0, "sent_bps": 0}
                assert [point["at"] for point in points] == sorted(point["at"] for point in points)
                assert {"cpu_percent", "memory_percent", "disk_percent"} <= points[-1].keys()
                few = (await seen.http.get(f"{API}/system/resources/history?minutes=5")).json()
                assert 28 <= len(few["hosts"][HOST]) <= 32


async def test_a_generation_is_seen_at_work_within_a_second_and_its_models_as_used(
    nats_server: LocalServer, client: Bus, tmp_path: Path
) -> None:
    path = "checkpoints/sdxl/base.safetensors"
    file = modelfiles.subject("default", path)
    await client.store.append(file, [found(path)], expected_seq=0, meta=Meta(source="test"))
    async with running_comfyui() as comfyui, gateway(nats_server.url, tmp_path) as seen:
        comfyui.hold()
        with telemetry(nats_server.url, tmp_path, SAMPLE_INTERVAL_S="60", COMFYUI_URL=comfyui.url):
            await seen.stream.until(lambda _: comfyui.sockets, 20)
            submitted_s = time.monotonic()
            comfyui.submit(name="Portrait", steps=4)

            def task(stream: Follower) -> Any:
                return next(iter(((stream.state("active-tasks") or {}).get("tasks") or {}).values()), {})

            await seen.stream.until(lambda stream: "progress_pct" in task(stream), 20)
            assert time.monotonic() - submitted_s <= 1.0
            await seen.stream.until(lambda stream: task(stream)["progress_pct"] == 68.8)
            running = task(seen.stream)
            assert (running["name"], running["status"], running["job_type"]) == ("Portrait", "running", "generation")
            assert running["progress_message"] == "KSampler, step 3 of 4"
            comfyui.allow()
            await seen.stream.until(lambda stream: task(stream)["status"] == "completed")
            await seen.stream.until(lambda stream: "last_used_at" in stream.state("models")["models"][path])
        [model] = (await seen.http.get(f"{API}/models")).json()["models"]
        assert datetime.fromisoformat(model["last_used_at"]) > datetime.now(UTC) - timedelta(minutes=5)
