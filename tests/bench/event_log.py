"""An event log of a measurement's own, and the quickest way to read it, which the others are measured beside."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from modeldeck_events import bus, topology
from modeldeck_events.bus import Bus
from nats.aio.msg import Msg

from tests.support.nats import running_nats


@asynccontextmanager
async def event_log() -> AsyncIterator[tuple[Bus, Path]]:
    """Run a server with empty streams for the length of a block; the folder is for what else is measured."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_nats(Path(folder)) as server:
            connected = await bus.connect(server.url, "bench")
            await topology.ensure(connected.js)
            yield connected, Path(folder)
            await connected.close()


async def read_raw(connected: Bus, count: int) -> None:
    """Receive so many messages by nats-py's ordered consumer, and decode none."""
    done, got = asyncio.Event(), 0

    async def receive(_message: Msg) -> None:
        nonlocal got
        got += 1
        if got == count:
            done.set()

    subscription = await connected.js.subscribe("evt.>", stream=topology.EVENTS, ordered_consumer=True, cb=receive)
    await done.wait()
    await subscription.unsubscribe()
