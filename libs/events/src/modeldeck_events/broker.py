"""FastStream on the process's own connection: one socket, one place that speaks of loss and recovery."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from faststream.nats import NatsBroker
from faststream.nats.message import NatsMessage
from faststream.nats.subscriber.usecases import LogicSubscriber
from nats.aio.client import Client
from nats.aio.msg import Msg

from modeldeck_events.connection import Connection

GRACE_S = 5.0
_log = structlog.get_logger(__name__)


class Broker(NatsBroker):
    """A NatsBroker that borrows a connection; handlers get the nats-py message as it came.

    Only core subscriptions are made through it, which FastStream never acks: durable consumers are `delivery`'s.
    """

    def __init__(self, nc: Connection) -> None:
        super().__init__(logger=None, apply_types=False, decoder=_untouched, graceful_timeout=GRACE_S)
        self._nc = nc

    async def serve(
        self, subject: str, queue: str, handler: Callable[[Msg], Awaitable[Any]], *, concurrency: int = 1
    ) -> None:
        """Run `handler` for every message of a subject; what it returns is the answer to a request.

        With `concurrency` 1 one message after the other. Members of one `queue` share the messages.
        """

        async def handle(message: NatsMessage) -> Any:
            return await handler(message.raw_message)

        # FastStream's own type overloads know the number only as a literal
        subscriber: LogicSubscriber[Any] = self.subscriber(subject, queue, max_workers=concurrency)
        subscriber(handle)
        if self._connection is not None:
            await subscriber.start()

    async def stop(self, *_error: object) -> None:
        """End all subscriptions and wait for their handlers, at most 5 s; the connection stays."""
        ended = await asyncio.gather(*(subscriber.stop() for subscriber in self.subscribers), return_exceptions=True)
        for error in filter(None, ended):  # while reconnecting; the connection ends soon anyway
            _log.debug("subscription not ended", reason=str(error))
        self._connection = None

    async def _connect(self) -> Client:
        self.config.connect(self._nc)
        return self._nc


async def _untouched(message: NatsMessage) -> NatsMessage:
    return message
