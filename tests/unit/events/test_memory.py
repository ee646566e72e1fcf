from __future__ import annotations

import pytest
from modeldeck_events.memory import MemoryStore

from tests.unit.events.store_suite import NOW, StoreSuite, World


class MemoryWorld(World):
    def __init__(self) -> None:
        self.memory = self.store = MemoryStore(clock=lambda: NOW)

    async def outage(self) -> None:
        self.memory.available = False

    async def recovery(self) -> None:
        self.memory.available = True

    async def lose(self) -> None:
        self.memory.lose()

    async def disturb_followers(self) -> None:
        await self.outage()
        await self.recovery()


@pytest.fixture
def world() -> World:
    return MemoryWorld()


class TestMemoryStore(StoreSuite):
    """The suite, in memory."""
