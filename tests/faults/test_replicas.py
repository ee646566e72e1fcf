"""Two gateways behind a plain proxy that throws clients from one to the other: nobody notices."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
from modeldeck_events import downloads as d

from tests.integration.gateway.fakes import FakeServices, eventually, fake_services
from tests.integration.gateway.sse_client import events
from tests.support.gateways import TOKEN, client, free_port, running_gateway, until_it_answers
from tests.support.merge_patch import merge
from tests.support.nats import NatsServer
from tests.support.proxy import RoundRobin, round_robin
from tests.unit.gateway.facts import queued

DOWNLOADS = 400
TOPICS = ("queue", "presets", "active-tasks", "stats")


class Thrown:
    """A client that resumes by its last id whenever its connection breaks."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.entries: list[tuple[str, int]] = []
        self.states: dict[str, Any] = {}
        self.connections = self.resets = 0
        self._http = http
        self._last_id = ""

    async def run(self) -> None:
        """Follow for ever."""
        topics = ",".join((*TOPICS, "activity", "events"))
        while True:
            try:
                async for event in events(self._http, topics, last_event_id=self._last_id):
                    self._last_id = event.id or self._last_id
                    self.connections += event.name == "hello"
                    self.resets += event.name == "reset"
                    if event.name == "snapshot":
                        self.states[event.data["topic"]] = event.data["data"]
                    elif event.name == "delta":
                        topic = event.data["topic"]
                        self.states[topic] = merge(self.states[topic], event.data["data"])
                    elif event.name == "activity":
                        self.entries.append(("activity", int(event.data["id"].rpartition("_")[2])))
                    elif event.name == "event":
                        self.entries.append(("event", event.data["seq"]))
            except (httpx.TransportError, AssertionError):
                await asyncio.sleep(0.01)  # thrown


async def write(services: FakeServices) -> int:
    seq = 0
    for n in range(DOWNLOADS):
        name = f"p{n}"
        seq = await services.append_download(
            name,
            queued(name, preset_id=name),
            d.DownloadStarted(download_id=name, attempt=1, worker="w"),
            d.DownloadCompleted(download_id=name, attempt=1, total_bytes=1),
        )
    return seq


async def throw(proxy: RoundRobin, thrown: Thrown, writing: asyncio.Task[int]) -> int:
    """Break the connection again and again, in mid-stream, until everything is written."""
    throws = 0
    while not writing.done():
        before = len(thrown.entries)
        await eventually(lambda: is_true(len(thrown.entries) > before + 20 or writing.done()))  # noqa: B023
        throws += proxy.cut()
    return throws


async def test_a_client_thrown_between_replicas_misses_and_repeats_nothing(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    ports = (free_port(), free_port())
    async with AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(running_gateway(tmp_path / "data", nats_server.url, port))
        await asyncio.gather(*map(until_it_answers, ports))
        services = await fake_services(nats_server.url)
        stack.push_async_callback(services.bus.close)
        proxy = await stack.enter_async_context(round_robin(*ports))
        http = await stack.enter_async_context(client(proxy.port))
        thrown = Thrown(http)
        following = asyncio.create_task(thrown.run())
        await eventually(lambda: is_true(thrown.connections > 0))
        writing = asyncio.create_task(write(services))
        throws = await throw(proxy, thrown, writing)
        head = await writing
        await eventually(lambda: is_true(len(thrown.entries) >= 2 * head), 30)
        replicas = [await stack.enter_async_context(client(port)) for port in ports]
        await eventually(lambda: same_states(thrown, replicas))
        following.cancel()
        print(f"\n{thrown.connections} connections over {dict(proxy.given)}, {throws} throws, {head} facts")
    assert thrown.resets == 0
    assert len(proxy.given) == 2
    assert throws > 10
    assert [seq for kind, seq in thrown.entries if kind == "event"] == list(range(1, head + 1))
    assert [seq for kind, seq in thrown.entries if kind == "activity"] == list(range(1, head + 1))


async def same_states(thrown: Thrown, replicas: list[httpx.AsyncClient]) -> bool:
    """Tell whether both replicas show what the client has."""
    states = [(await http.get(f"/api/v1/state?topics={','.join(TOPICS)}")).json() for http in replicas]
    return all(without_nulls(state) == without_nulls(thrown.states) for state in states)


def without_nulls(value: Any) -> Any:
    """A merge patch cannot say null: what is null in an answer is absent for who follows."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


async def is_true(value: bool) -> bool:
    return value


async def test_one_session_and_one_set_of_writes_on_both_replicas(nats_server: NatsServer, tmp_path: Path) -> None:
    ports = (free_port(), free_port())
    async with AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(running_gateway(tmp_path / "data", nats_server.url, port))
        await asyncio.gather(*map(until_it_answers, ports))
        services = await fake_services(nats_server.url)
        stack.push_async_callback(services.bus.close)
        proxy = await stack.enter_async_context(round_robin(*ports))
        browser = await stack.enter_async_context(client(proxy.port, token=""))
        browser.headers.update({"Connection": "close", "Origin": f"http://127.0.0.1:{proxy.port}"})
        assert (await browser.get("/api/v1/presets")).status_code == 401
        assert (await browser.post("/api/v1/session", json={"token": TOKEN})).is_success
        for n in range(60):
            body = {"url": f"https://huggingface.co/o/r/resolve/main/{n}.safetensors", "path": f"vae/{n}.safetensors"}
            made = await browser.post("/api/v1/downloads", json=body)
            assert made.status_code == 201, made.text
            read = await browser.get(f"/api/v1/downloads/{made.json()['download_id']}")
            assert read.status_code == 200, f"{n}: what was written through one replica is not read through the other"
        print(f"\n60 writes and reads over {dict(proxy.given)}")
        assert min(proxy.given[port] for port in ports) > 50
