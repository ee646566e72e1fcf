"""Notices when a service of the product goes down or comes back, so that every page shows it without asking."""

from __future__ import annotations

import asyncio

from gateway.health import HealthCheck
from gateway.live import Live

WELL_S = 5.0
UNWELL_S = 1.0
"""Asked so often while one is down: somebody waits for it."""


class ServiceWatch:
    """Asks the services how they are and hands that to the boards."""

    def __init__(self, health: HealthCheck, live: Live) -> None:
        self._health = health
        self._live = live

    async def run(self) -> None:
        """Look for ever."""
        while True:
            well = await self.look()
            await asyncio.sleep(WELL_S if well else UNWELL_S)

    async def look(self) -> bool:
        """Look once; return whether all are ready."""
        ready = await self._health.services()
        if self._live.boards.vitals.found(ready):
            self._live.boards.mark("overview")
            self._live.publish()
        return all(ready.values())
