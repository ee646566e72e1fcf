from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from modeldeck_events import bus, topology
from modeldeck_events.bus import Bus

from tests.support.nats import LocalServer, running_nats


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with running_nats(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def connected(server: LocalServer) -> AsyncIterator[Bus]:
    """A bus whose streams stand."""
    connected = await bus.connect(server.url, "test")
    await topology.ensure(connected.js)
    yield connected
    await connected.close()
