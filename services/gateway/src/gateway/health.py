"""Whether the whole product is ready, asked of every service over the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from modeldeck_events.errors import UnavailableError
from modeldeck_events.message import Reply
from modeldeck_events.system import Health

from gateway.commands import Requester
from gateway.live import Live

SERVICES = ("downloader", "catalog", "telemetry")
OF_A_POOL = ("downloader", "catalog")
ASK_S = 2.0
KEPT_S = 1.0
NOT_READY_KEPT_S = 0.1
"""Shorter, because somebody waits for the change: `modeldeck up` announces it."""


class HealthCheck:
    """Asks at most once a second (ten times while not ready), however often it is asked."""

    def __init__(self, request: Requester, live: Live, own: Callable[[], Awaitable[Reply]], pool: str) -> None:
        self._request = request
        self._live = live
        self._own = own
        self._pool = pool
        self._asked_at = 0.0
        self._kept_s = NOT_READY_KEPT_S
        self._asking: asyncio.Task[dict[str, Any]] | None = None

    async def check(self) -> dict[str, Any]:
        """Return `{status: ready|not_ready, seq, epoch, services: {name: {ok, ...}}}`."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now - self._asked_at > self._kept_s):
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask_all())
        return await asyncio.shield(self._asking)

    async def _ask_all(self) -> dict[str, Any]:
        own, *others = await asyncio.gather(self._own(), *(self._ask(name) for name in SERVICES))
        services = {"gateway": _said(own)} | dict(zip(SERVICES, others, strict=True))
        ready = self._live.caught_up.is_set() and all(service["ok"] for service in services.values())
        self._kept_s = KEPT_S if ready else NOT_READY_KEPT_S
        return {
            "status": "ready" if ready else "not_ready",
            "epoch": self._live.position.epoch,
            "seq": self._live.position.seq,
            "services": services,
        }

    async def _ask(self, name: str) -> dict[str, Any]:
        try:
            command = Health(pool=self._pool if name in OF_A_POOL else "")
            return _said(await self._request(command, ASK_S, service=name))
        except UnavailableError as error:
            return {"ok": False, "problem": str(error)}


def _said(reply: Reply) -> dict[str, Any]:
    said: dict[str, Any] = {"ok": reply.ok, **reply.data}
    if not reply.ok:
        said["problem"] = reply.message or reply.code
    return said
