"""FastStream on the process's own connection: one socket, one place that speaks of loss and recovery."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker
from faststream.nats.message import NatsMessage
from faststream.nats.subscriber.usecases import LogicSubscriber
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig

from modeldeck_events.connection import Connection

GRACE_S = 5.0
_log = structlog.get_logger(__name__)


class Broker(NatsBroker):
    """A NatsBroker that borrows a connection; handlers get the nats-py message as it came.

    Its acknowledgement is always manual; its default (reject on error) would drop a message whose handler raised.
    """

    def __init__(self, nc: Connection) -> None:
        log = logging.getLogger("modeldeck_faststream")  # its own "faststream" has a handler of its own
        log.setLevel(logging.WARNING)  # it has a line per message otherwise
        super().__init__(
            logger=log, log_level=logging.DEBUG, apply_types=False, decoder=_untouched, graceful_timeout=GRACE_S
        )
        self._nc = nc

    async def answer(
        self, subject: str, queue: str, handler: Callable[[Msg], Awaitable[bytes]], *, concurrency: int = 1
    ) -> None:
        """Answer every request on a subject with what `handler` returns; members of one `queue` share the requests."""

        async def handle(message: NatsMessage) -> bytes:
            return await handler(message.raw_message)

        subscriber: LogicSubscriber[Any] = self.subscriber(subject, queue, max_workers=concurrency)
        subscriber(handle)
        await subscriber.start()

    async def deliver(
        self, stream: str, consumer: ConsumerConfig, handler: Callable[[Msg], Awaitable[None]], *, concurrency: int = 1
    ) -> None:
        """Run `handler` for every message of a durable push consumer, which must exist; the handler acks.

        FastStream must not answer: the reply subject is the consumer's ack subject, where an empty answer is an ack.
        """

        async def handle(message: NatsMessage) -> None:
            await handler(message.raw_message)

        subscriber: LogicSubscriber[Any] = self.subscriber(
            queue=consumer.deliver_group or "",  # nats-py takes it for the durable's name, too
            stream=JStream(stream, declare=False),
            config=consumer,
            ack_policy=AckPolicy.MANUAL,
            max_workers=concurrency,
            no_reply=True,
        )
        subscriber(handle)
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
