"""Commands to the services: sent over the bus, answered with what became of them, once per Idempotency-Key."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Protocol

from modeldeck_events.errors import UnavailableError
from modeldeck_events.message import Command, Reply

from gateway.live import Live
from gateway.problems import ProblemError, away

ANSWER_S = 4.5
"""A service that does not answer in this time is away: the caller hears so within 5 s (api.md)."""
VISIBLE_S = 2.0
REMEMBERED = 2000


class Requester(Protocol):
    """The part of the bus that is used."""

    def __call__(self, command: Command, timeout_s: float = 5.0, *, service: str = "") -> Awaitable[Reply]:
        """Ask a service."""
        ...


class Commands:
    """Sends commands and waits until what they did can be read here."""

    def __init__(self, request: Requester, live: Live) -> None:
        self._request = request
        self._live = live
        self._outcomes: OrderedDict[str, tuple[bytes, asyncio.Future[Reply]]] = OrderedDict()

    async def run(self, command: Command, *, timeout_s: float = ANSWER_S, keyed: bytes | None = None) -> Reply:
        """Return the service's agreement, once its effect is visible in the read models (or after 2 s).

        Raises ProblemError with the service's own status and code when it refuses, 503 when it is away. With `keyed`,
        a digest of the request, the `command_id` derives from an Idempotency-Key: a repetition of the request gets the
        first outcome, even while that runs, and whatever became of the catalog and the queue since.
        """
        if keyed is None:
            return await self._ask(command, timeout_s)
        known = self._outcomes.get(command.command_id)
        if known is None:
            return await self._first(command, keyed, timeout_s)
        if known[0] != keyed:
            raise ProblemError(
                422, "idempotency_key_reused", "This Idempotency-Key was used for a request with another content."
            )
        return await asyncio.shield(known[1])

    async def _first(self, command: Command, digest: bytes, timeout_s: float) -> Reply:
        outcome: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._outcomes[command.command_id] = (digest, outcome)
        while len(self._outcomes) > REMEMBERED:
            self._outcomes.popitem(last=False)
        try:
            reply = await self._ask(command, timeout_s)
        except ProblemError as error:
            outcome.set_exception(error)
            if error.status >= 500:  # it may work next time
                self._outcomes.pop(command.command_id, None)
            raise
        except BaseException:
            outcome.cancel()
            self._outcomes.pop(command.command_id, None)
            raise
        outcome.set_result(reply)
        return reply

    async def _ask(self, command: Command, timeout_s: float) -> Reply:
        try:
            reply = await self._request(command, timeout_s)
        except UnavailableError as error:
            raise away(f"{error}. Nothing may have happened; the request can be repeated.") from error
        if not reply.ok:
            raise _refusal(reply)
        if reply.seq:
            await self._live.wait_for(reply.seq, VISIBLE_S)
        return reply


def command_id(actor: str, method: str, path: str, key: str) -> str:
    """Return the id of a command: random, or the same for the same Idempotency-Key of a caller on a route."""
    if not key:
        return uuid.uuid4().hex
    return hashlib.sha256(f"{actor}\n{method}\n{path}\n{key}".encode()).hexdigest()[:32]


def _refusal(reply: Reply) -> ProblemError:
    status = reply.status if reply.status in _REFUSALS else 409
    headers = {"Retry-After": "2"} if status == 503 else {}
    more = {name: value for name, value in reply.data.items() if name not in _OWN_FIELDS}
    return ProblemError(
        status, reply.code or "refused", reply.message or "The service refused.", headers=headers, **more
    )


_REFUSALS = frozenset(status.value for status in HTTPStatus if status.value >= 400)
_OWN_FIELDS = frozenset({"type", "title", "status", "code", "detail", "headers"})
