"""Permits on JOBS: one message for each time that a download became runnable, given out by the pool's one consumer.

nats-py directly, not FastStream: the worker has to take one permit at a time with its stream sequence, keep it alive
for hours, adopt a redelivery in place of the message it holds, and change the consumer's `max_ack_pending` at work;
FastStream ignores changes of a durable that exists and over-fetches with several handlers (ag2ai/faststream#2563).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import nats.errors
import structlog
from modeldeck_events import delivery, subjects, topology
from modeldeck_events.bus import Bus
from modeldeck_events.connection import Connection
from modeldeck_events.errors import PoisonError, UnavailableError
from modeldeck_events.message import UNREADABLE
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

ACK_WAIT_S = 6.0
"""How long after its worker was killed a permit comes back."""
HEARTBEAT_S = 2.0
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class PermitBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a permit says: the fact that it was published for, which a worker's fold must have before it decides."""

    target_id: str
    download_id: str
    event_id: str
    seq: int
    epoch: str = ""


@dataclass(eq=False)
class Permit:
    """One permit in hand: kept alive until it is `done`, given back, or dropped."""

    seq: int
    deliveries: int
    body: PermitBody
    _message: Msg
    _nc: Connection
    _heartbeat: asyncio.Task[None] | None = None

    def keep_alive(self) -> None:
        """Tell the server every 2 s that the work goes on."""
        if self._heartbeat is None:
            self._heartbeat = asyncio.create_task(self._beat(), name=f"permit {self.seq}")

    def adopt(self, other: Permit) -> None:
        """Go on under a redelivery of the same permit: the server lost track of who holds it."""
        other.drop()
        self._message, self.deliveries = other._message, other.deliveries

    async def done(self) -> None:
        """Use the permit up. If the server does not hear it, the permit comes again and is used up then."""
        self.drop()
        await self._send(self._message.ack)

    async def give_back(self, delay_s: float) -> None:
        """Let somebody have it, not before `delay_s`."""
        self.drop()
        await self._send(lambda: self._message.nak(delay=delay_s))

    def drop(self) -> None:
        """Stop keeping it alive: somebody else holds it."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None

    async def _beat(self) -> None:
        while True:
            await self._send(self._message_in_progress)
            await asyncio.sleep(HEARTBEAT_S)

    async def _message_in_progress(self) -> None:
        await self._message.in_progress()  # read anew each time: `adopt` replaces it

    async def _send(self, action: Callable[[], Awaitable[None]]) -> None:
        if not self._nc.is_connected:
            return  # nats-py would keep it and send it after the outage, when it may no longer be true
        try:
            await action()
        except (nats.errors.Error, OSError) as error:
            _log.debug("permit signal not sent", permit_seq=self.seq, reason=str(error))


class Permits:
    """The permits of one pool. Methods raise UnavailableError when JetStream does not answer."""

    def __init__(self, bus: Bus, pool: str) -> None:
        self._bus = bus
        self._nc = bus.nc
        self._js = bus.js
        self._subject = subjects.permit(pool)
        self._durable = f"downloader-workers-{pool}"
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._ensured: int | None = None

    async def ensure(self, max_concurrent: int) -> None:
        """Make the consumer, or give it this concurrency; nothing to do costs nothing."""
        if self._ensured == max_concurrent:
            return
        config = ConsumerConfig(
            durable_name=self._durable,
            description="workers of the pool; max_ack_pending is its concurrency",
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_deliver=-1,  # a permit is not a message that can be poison: what it starts is decided by the log
            max_ack_pending=max_concurrent,
            filter_subject=self._subject,
        )
        await self._nc.wait_usable(5)
        try:
            info = await self._js.add_consumer(topology.JOBS, config)
        except NotFoundError:
            await topology.ensure(self._js)
            info = await self._call(self._js.add_consumer(topology.JOBS, config))
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"the consumer {self._durable} could not be made: {error}") from error
        if info.config.max_ack_pending != max_concurrent:
            raise UnavailableError(f"the consumer {self._durable} did not take over max_ack_pending {max_concurrent}")
        self._ensured = max_concurrent

    async def check(self) -> None:
        """Notice a consumer that was deleted under us; the next `ensure` makes it again."""
        existed = self._ensured is not None
        await self._nc.wait_usable(5)
        try:
            info = await self._js.consumer_info(topology.JOBS, self._durable)
        except NotFoundError:
            if existed:  # else nobody has made it yet
                _log.warning("the workers' consumer is gone; making it again", durable=self._durable)
            self._ensured = None
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"the consumer {self._durable} did not answer: {error}") from error
        else:
            if info.config.max_ack_pending != self._ensured:
                self._ensured = None  # another process had older settings

    async def fetch(self, timeout_s: float) -> Permit | None:
        """Wait for a permit; None when none came in time."""
        await self._nc.wait_usable(timeout_s)
        try:
            if self._subscription is None:
                self._subscription = await self._js.pull_subscribe_bind(consumer=self._durable, stream=topology.JOBS)
            (message,) = await self._subscription.fetch(1, timeout=timeout_s)
        except (TimeoutError, nats.errors.TimeoutError):
            return None
        except APIError as error:  # 409: the consumer was deleted or the server is going down
            self._ensured = None
            raise UnavailableError(f"no permit can be had: {error}") from error
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"no permit can be had: {error}") from error
        return await self._permit(message)

    async def publish(self, body: PermitBody, *, dedupe_id: str) -> None:
        """Publish a permit; one with the same dedupe id within two minutes is the same permit."""
        await self._nc.wait_usable(5)
        headers = {"Nats-Msg-Id": dedupe_id}
        await self._call(self._js.publish(self._subject, msgspec.json.encode(body), headers=headers, timeout=5))

    async def count(self) -> int:
        """Return how many permits exist, waiting or in somebody's hands."""
        await self._nc.wait_usable(5)
        info = await self._call(self._js.stream_info(topology.JOBS, subjects_filter=self._subject))
        return (info.state.subjects or {}).get(self._subject, 0)

    async def exists(self, seq: int) -> bool:
        """Tell whether the permit with this sequence is still there."""
        await self._nc.wait_usable(5)
        try:
            message = await self._js.get_msg(topology.JOBS, seq)
        except NotFoundError:
            return False
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"JOBS did not answer: {error}") from error
        return message.subject == self._subject

    async def close(self) -> None:
        """Ask for no more permits."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and self._nc.is_connected:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()

    async def _permit(self, message: Msg) -> Permit | None:
        """Return the permit, kept alive; a broken one becomes a dead letter: a lost permit is published again."""
        try:
            body = msgspec.json.decode(message.data, type=PermitBody)
        except UNREADABLE as error:
            await delivery.dead_letter(self._bus, self._durable, message, PoisonError(f"not a permit: {error}"))
            await self._call(message.term())
            return None
        metadata = message.metadata
        permit = Permit(metadata.sequence.stream, metadata.num_delivered or 1, body, message, self._nc)
        permit.keep_alive()
        return permit

    async def _call(self, answer: Awaitable[_T]) -> _T:
        try:
            return await answer
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"JOBS did not answer: {error}") from error
