"""A client of the live stream that comes back after every break with the last id it saw, as a browser does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from tests.integration.gateway.sse_client import events
from tests.support.product import Product

COME_BACK_S = 0.2


class Watcher:
    """Keeps every entry of the log topics in the order in which it came, and counts the breaks."""

    def __init__(self, product: Product) -> None:
        self.activity: list[dict[str, Any]] = []
        self.facts: list[dict[str, Any]] = []
        self.breaks = 0
        self.resets = 0
        self._product = product
        self._last_id = ""

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            with contextlib.suppress(httpx.HTTPError, AssertionError):
                await self._follow_once()
            self.breaks += 1
            await asyncio.sleep(COME_BACK_S)

    async def _follow_once(self) -> None:
        async with self._product.client() as client:
            async for event in events(client, "activity,events,queue", last_event_id=self._last_id):
                if event.id:
                    self._last_id = event.id
                if event.name == "activity":
                    self.activity.append(event.data)
                elif event.name == "event":
                    self.facts.append(event.data)
                elif event.name == "reset":
                    self.resets += 1


@contextlib.asynccontextmanager
async def watching(product: Product) -> AsyncIterator[Watcher]:
    """Follow the product's stream for the length of a block."""
    watcher = Watcher(product)
    task = asyncio.create_task(watcher.run())
    try:
        yield watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
