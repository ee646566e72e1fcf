from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from modeldeck_events import jetstream, topology
from modeldeck_events.bus import Bus
from modeldeck_events.errors import UnavailableError
from modeldeck_events.jetstream import JetStreamStore
from modeldeck_events.ordered import OrderedConsumer

from tests.support.nats import LocalServer
from tests.unit.events.store_suite import META, NOW, SUBJECT, StoreSuite, World, fact, fill, seqs, until


class ServerWorld(World):
    def __init__(self, server: LocalServer, bus: Bus) -> None:
        self.server = server
        self.bus = bus
        self.store = JetStreamStore(bus.nc, bus.js, clock=lambda: NOW)

    async def outage(self) -> None:
        await self.server.kill()

    async def recovery(self) -> None:
        await self.server.start()

    async def lose(self) -> None:
        await self.bus.js.delete_stream(topology.EVENTS)
        await topology.ensure(self.bus.js)

    async def disturb_followers(self) -> None:
        for consumer in await self.bus.js.consumers_info(topology.EVENTS):
            await self.bus.js.delete_consumer(topology.EVENTS, consumer.name)


def running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tT" not in status.read_text()


@pytest.fixture
def world(server: LocalServer, connected: Bus, monkeypatch: pytest.MonkeyPatch) -> ServerWorld:
    monkeypatch.setattr(jetstream, "ANSWER_TIMEOUT_S", 1.0)
    return ServerWorld(server, connected)


class TestJetStreamStore(StoreSuite):
    """The suite, on a real server."""

    async def test_a_frozen_server_is_an_outage(self, world: ServerWorld) -> None:
        await fill(world.store, 1)
        world.server.freeze()
        while running(world.server.pid):  # noqa: ASYNC110 - its threads stop one by one
            await asyncio.sleep(0.001)
        with pytest.raises(UnavailableError):
            await world.store.append(SUBJECT, [fact(2)], expected_seq=1, meta=META)
        world.server.thaw()
        # The publish that timed out was in the socket and is stored now, which is why appends carry a guard.
        assert seqs(await until(world.store.follow(), seq=2)) == [1, 2]

    async def test_a_wiped_store_is_another_log(self, world: ServerWorld) -> None:
        await fill(world.store, 3)
        before = await world.store.head()
        await world.server.stop()
        world.server.wipe()
        await world.server.start()
        with pytest.raises(UnavailableError):
            await world.store.head()
        await topology.ensure(world.bus.js)
        after = await world.store.head()
        assert after.seq == 0
        assert after.epoch != before.epoch

    async def test_a_slow_follower_misses_nothing_and_holds_little(self, world: ServerWorld) -> None:
        count, body = 3000, b'{"padding":"' + b"x" * 30_000 + b'"}'
        publishes = [world.bus.js.publish("evt.bulk.x", body) for _ in range(count)]
        for start in range(0, count, 100):
            await asyncio.gather(*publishes[start : start + 100])
        consumer = await OrderedConsumer.open(world.bus.nc, topology.EVENTS, ["evt.>"])
        held, before = 0, -1
        while held != before:  # until the server stops sending, because nobody takes
            before = held
            await asyncio.sleep(0.5)
            held = len(consumer._inbox)
        assert 0 < held * len(body) < 40_000_000, "the server's window is 32 MB"
        seen: list[int] = []
        while len(seen) < count:
            seen += [message.seq for message in await consumer.take(500)]
        assert seen == list(range(1, count + 1))
        await consumer.close()


async def publish_raw(server: LocalServer, subject: bytes, headers: bytes, data: bytes) -> None:
    """Publish what nats-py would refuse to send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    sizes = b"%d %d" % (len(headers), len(headers) + len(data))
    writer.write(
        b'CONNECT {"verbose":false,"headers":true}\r\nHPUB %b %b\r\n%b%b\r\nPING\r\n' % (subject, sizes, headers, data)
    )
    async with asyncio.timeout(5):
        while b"PONG" not in await reader.readline():
            pass
    writer.close()


@pytest.mark.parametrize(
    ("subject", "headers", "data"),
    [
        (b"evt.x.\xff\xfe", b"NATS/1.0\r\n\r\n", b"{}"),
        (b"evt.x.y", b"NATS/1.0 \xff\xfe\xfd\r\n\r\n", b"{}"),
        (b"evt.x.y", b"NATS/1.0\r\nce-specversion: 1.0\r\nce-id: \xff\r\n\r\n", b"\xff"),
        (
            b"evt.x.y",
            (
                b"NATS/1.0\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: s\r\nce-time: 2026-01-01T00:00:00Z\r\n"
                b"ce-type: modeldeck.download.paused.v1\r\n\r\n"
            ),
            b'{"unheard_of": ' + b"[" * 200_000,
        ),
    ],
    ids=["subject", "status", "header", "depth"],
)
async def test_no_bytes_stop_readers_of_the_log(
    server: LocalServer, connected: Bus, subject: bytes, headers: bytes, data: bytes
) -> None:
    await publish_raw(server, subject, headers, data)
    await connected.store.append(SUBJECT, [fact(1)], expected_seq=0, meta=META)
    records = await connected.store.read(after=0, limit=9)
    assert [record.seq for record in records] == [1, 2]
    assert records[0].event is None
    delivered = await connected.js.subscribe("evt.>", stream=topology.EVENTS)  # as policies get it
    assert [(await delivered.next_msg(5)).metadata.sequence.stream for _ in range(2)] == [1, 2]
    assert connected.nc.stats["reconnects"] == 0
