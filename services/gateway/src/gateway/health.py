"""Whether the whole product is ready, asked of every service over the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from modeldeck_events.errors import UnavailableError
from modeldeck_events.message import Reply
from modeldeck_events.store import Position
from modeldeck_events.system import Health

from gateway.commands import Requester
from gateway.live import Live

SERVICES = ("downloader", "catalog", "telemetry")
OF_A_POOL = ("downloader", "catalog")
ASK_S = 2.0
LOG_S = 1.0
KEPT_S = 1.0
NOT_READY_KEPT_S = 0.1
"""Shorter, because somebody waits for the change: `modeldeck up` announces it."""


class HealthCheck:
    """Asks at most once a second (ten times while not ready), however often it is asked."""

    def __init__(
        self,
        request: Requester,
        live: Live,
        own: Callable[[], Awaitable[Reply]],
        pool: str,
        *,
        head: Callable[[], Awaitable[Position]],
    ) -> None:
        self._request = request
        self._live = live
        self._own = own
        self._pool = pool
        self._head = head
        self._asked_at = 0.0
        self._kept_s = NOT_READY_KEPT_S
        self._asking: asyncio.Task[dict[str, Any]] | None = None

    async def check(self) -> dict[str, Any]:
        """Return `{status: ready|not_ready, reasons, seq, epoch, services: {name: {ok, ...}}}`.

        The reasons are for anybody who may ask: they name parts of the product, and nothing else.
        """
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now - self._asked_at > self._kept_s):
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask_all())
        return await asyncio.shield(self._asking)

    async def services(self) -> dict[str, bool]:
        """Return whether each of the other services is ready, asked now and of them alone."""
        said = await asyncio.gather(*(self._ask(name) for name in SERVICES))
        return {name: bool(one["ok"]) for name, one in zip(SERVICES, said, strict=True)}

    async def _ask_all(self) -> dict[str, Any]:
        own, log_answers, *others = await asyncio.gather(
            self._own(), self._log_answers(), *(self._ask(name) for name in SERVICES)
        )
        services = {"gateway": _said(own)} | dict(zip(SERVICES, others, strict=True))
        reasons = [] if log_answers else [f"the event log does not answer within {LOG_S:g} s"]
        if not self._live.caught_up.is_set():
            reasons.append("the read models have not caught up with the event log")
        reasons += [f"the service {name} is not ready" for name, service in services.items() if not service["ok"]]
        ready = not reasons
        self._kept_s = KEPT_S if ready else NOT_READY_KEPT_S
        return {
            "status": "ready" if ready else "not_ready",
            "reasons": reasons,
            "epoch": self._live.position.epoch,
            "seq": self._live.position.seq,
            "services": services,
        }

    async def _log_answers(self) -> bool:
        """Tell whether a round trip to JetStream works: NATS itself may answer while its store does not."""
        try:
            async with asyncio.timeout(LOG_S):
                await self._head()
        except (UnavailableError, TimeoutError):
            return False
        return True

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
