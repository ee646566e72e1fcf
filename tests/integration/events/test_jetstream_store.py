from __future__ import annotations

import pytest
from modeldeck_events import jetstream, topology
from modeldeck_events.bus import Bus
from modeldeck_events.errors import UnavailableError
from modeldeck_events.jetstream import JetStreamStore

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


@pytest.fixture
def world(server: LocalServer, connected: Bus, monkeypatch: pytest.MonkeyPatch) -> ServerWorld:
    monkeypatch.setattr(jetstream, "ANSWER_TIMEOUT_S", 1.0)
    return ServerWorld(server, connected)


class TestJetStreamStore(StoreSuite):
    """The suite, on a real server."""

    async def test_a_frozen_server_is_an_outage(self, world: ServerWorld) -> None:
        await fill(world.store, 1)
        world.server.freeze()
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
