"""Durable policies: each fact of some subjects reaches a handler at least once, and nothing is dropped in silence.

The consumer is ours, not FastStream's: FastStream ignores a changed configuration of a durable that exists, terms a
message whose handler raised, and stays silent for ever when the consumer is deleted. So we create, update and watch the
push consumer, and FastStream's subscriber on its deliver subject runs the handler. A message is acked only here:

* handled, or of a type that this version does not know (a newer version's fact): ack
* UnavailableError: the same message again once the bus answers, however long that takes
* any other error: nack with a growing delay; after five tries to DEAD_LETTERS
* PoisonError, an unreadable envelope, a body against its schema: to DEAD_LETTERS at once
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy
from nats.js.errors import NotFoundError

from modeldeck_events import dead_letters, envelope, metrics, subjects, topology, tracing
from modeldeck_events.bus import Bus
from modeldeck_events.dead_letters import Letter
from modeldeck_events.errors import CommandNotAllowedError, PoisonError, TransientError, UnavailableError
from modeldeck_events.message import Reply
from modeldeck_events.store import Record
from modeldeck_events.system import ReplayLetter

ACK_WAIT_S = 10.0
"""How long after its process was killed a message comes again; what is in hand speaks up three times as often."""
MAX_TRIES = 5
FIRST_DELAY_S = 0.5
WATCH_S = 3.0
OUTAGE_RETRY_S = 0.5
PREFETCH = 16
"""Messages in hand per handler: one is worked on, the others wait here for their turn."""
MAX_TRACKED_FAILURES = 1000

Handler = Callable[[Record], Awaitable[None]]
Outcome = Literal["handled", "unknown_type", "retried", "dead_lettered", "unanswered"]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """One durable: `start` says where it begins when it is created first, `concurrency` how many handlers run."""

    durable: str
    subjects: tuple[str, ...]
    handler: Handler
    start: Literal["all", "new"] = "all"
    concurrency: int = 1
    stream: str = topology.EVENTS

    @property
    def deliver_subject(self) -> str:
        """Where the consumer delivers to; shared by all processes that serve the policy."""
        return f"_INBOX.policy.{self.durable}"

    @property
    def in_hand(self) -> int:
        """How many messages a process may have at a time."""
        return PREFETCH * self.concurrency

    def consumer(self) -> ConsumerConfig:
        """Return the consumer's configuration."""
        return ConsumerConfig(
            name=self.durable,
            durable_name=self.durable,
            deliver_subject=self.deliver_subject,
            deliver_group=self.durable,
            deliver_policy=DeliverPolicy.ALL if self.start == "all" else DeliverPolicy.NEW,
            filter_subjects=list(self.subjects),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=self.in_hand,
        )


class Delivery:
    """Runs one policy's messages through its handler; `ready` is awaited before each."""

    def __init__(self, bus: Bus, policy: Policy, *, ready: Callable[[], Awaitable[None]]) -> None:
        self._bus = bus
        self._policy = policy
        self._ready = ready
        self._turns = asyncio.Semaphore(policy.concurrency)
        self._failures: OrderedDict[int, int] = OrderedDict()
        self._floor = 0
        self._epoch = ""

    async def made(self) -> None:
        """Return once the consumer stands."""
        await self.watch(once=True)

    async def watch(self, *, once: bool = False) -> None:
        """Keep the consumer there and as configured, for ever; a deleted one is noticed within 3 s and made again."""
        troubled = False
        while True:
            try:
                await self.ensure()
                if troubled:
                    _log.info("consumer is well again", durable=self._policy.durable)
                troubled = False
                if once:
                    return
            except (UnavailableError, nats.errors.Error, OSError) as error:
                if not troubled:
                    _log.warning("consumer cannot be looked after", durable=self._policy.durable, reason=str(error))
                troubled = True
            await asyncio.sleep(WATCH_S)

    async def ensure(self) -> None:
        """Create or update the consumer; a vanished one goes on after what was acked, or at a new log's start."""
        policy = self._policy
        await self._bus.nc.wait_usable(ACK_WAIT_S)
        config = policy.consumer()
        try:
            info = await ensure_consumer(self._bus.js, policy.stream, config, create=not self._epoch)
        except NotFoundError:
            if not self._epoch:
                raise
            head = await self._bus.store.head()
            if head.epoch != self._epoch:
                self._floor, self._epoch = 0, head.epoch
            _log.warning("consumer was deleted; made again", durable=policy.durable, after=self._floor)
            again = config.evolve(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._floor + 1)
            info = await ensure_consumer(self._bus.js, policy.stream, again)
        if not self._epoch:
            self._epoch = (await self._bus.store.head()).epoch
        self._floor = info.ack_floor.stream_seq if info.ack_floor else 0

    async def on_message(self, message: Msg) -> None:
        """Handle one message when it is its turn, and say what became of it to the server."""
        with structlog.contextvars.bound_contextvars(
            durable=self._policy.durable, seq=message.metadata.sequence.stream
        ):
            parent = (message.headers or {}).get("ce-traceparent", "")
            try:
                async with _in_progress(message), self._turns:
                    with tracing.span(f"policy {self._policy.durable}", kind="consumer", parent=parent):
                        outcome = await self._deliver(message)
            except (nats.errors.Error, OSError) as error:
                outcome = "unanswered"
                _log.warning("server was not told what became of the message; it comes again", reason=str(error))
        metrics.DELIVERED.labels(self._policy.durable, outcome).inc()

    async def replay(self, command: ReplayLetter) -> Reply:
        """Handle a fact out of DEAD_LETTERS once more; the letter stays. Raises CommandNotAllowedError."""
        try:
            letter = await dead_letters.read(self._bus.js, command.dead_seq)
            record = envelope.unpack(letter.seq, letter.subject, letter.headers, letter.data)
            await self._policy.handler(record)
        except (PoisonError, TransientError) as error:
            raise CommandNotAllowedError(f"It failed again: {error}.", code="failed_again") from error
        return Reply(ok=True)

    async def _deliver(self, message: Msg) -> Outcome:
        await self._ready()
        seq = message.metadata.sequence.stream
        try:
            record = envelope.unpack(seq, message.subject, message.headers, message.data)
            if record.event is None:
                _log.info("fact of an unknown type passed over", type=record.type)
                await message.ack()
                return "unknown_type"
            await self._handle(record)
        except PoisonError as error:
            return await self._bury(message, error)
        except Exception as error:  # noqa: BLE001 - the outermost loop of the handlers: logged, counted, tried again
            return await self._try_again(message, error)
        self._failures.pop(seq, None)
        await message.ack()
        return "handled"

    async def _handle(self, record: Record) -> None:
        while True:
            try:
                return await self._policy.handler(record)
            except UnavailableError as error:
                _log.info("handler waits for the bus", reason=str(error))
            await asyncio.sleep(OUTAGE_RETRY_S)

    async def _try_again(self, message: Msg, error: Exception) -> Outcome:
        seq = message.metadata.sequence.stream
        tries = self._failures[seq] = self._failures.pop(seq, 0) + 1
        if len(self._failures) > MAX_TRACKED_FAILURES:
            self._failures.popitem(last=False)
        if tries >= MAX_TRIES:
            return await self._bury(message, error)
        delay_s = error.delay_s if isinstance(error, TransientError) else FIRST_DELAY_S * 2 ** (tries - 1)
        _log.warning("handler failed; trying again", tries=tries, delay_s=delay_s, reason=dead_letters.describe(error))
        await message.nak(delay=delay_s)
        return "retried"

    async def _bury(self, message: Msg, error: Exception) -> Outcome:
        try:
            await dead_letter(self._bus, self._policy.durable, message, error)
        except UnavailableError as unavailable:
            _log.warning("dead letter could not be kept; trying again", reason=str(unavailable))
            await message.nak(delay=OUTAGE_RETRY_S)
            return "retried"
        self._failures.pop(message.metadata.sequence.stream, None)
        await message.term()
        return "dead_lettered"


async def dead_letter(bus: Bus, durable: str, message: Msg, error: Exception) -> None:
    """Keep a message that cannot be handled (see `dead_letters.bury`); the caller terms it. Raises UnavailableError."""
    await dead_letters.bury(bus.js, bus.store, Letter.of(durable, message), error, source=bus.name)


async def ensure_consumer(
    js: JetStreamContext, stream: str, config: ConsumerConfig, *, create: bool = True
) -> ConsumerInfo:
    """Return the durable consumer as configured: updated when it differs, created when missing (if `create`).

    Where an existing one began stays. Raises NotFoundError when it is missing and not to be created.
    """
    try:
        info: ConsumerInfo = await js.consumer_info(stream, config.durable_name or "")
    except NotFoundError:
        if not create:
            raise
        return await js.add_consumer(stream, config)
    wanted = config.evolve(deliver_policy=info.config.deliver_policy, opt_start_seq=info.config.opt_start_seq)
    have = info.config.as_dict()
    differs = [key for key, value in wanted.as_dict().items() if value and _plain(have.get(key)) != _plain(value)]
    if not differs:
        return info
    _log.info("consumer has another configuration; updating", durable=config.durable_name, differing=differs)
    return await js.add_consumer(stream, wanted)


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, list) else value


@contextlib.asynccontextmanager
async def _in_progress(message: Msg) -> AsyncIterator[None]:
    """Tell the server that the message is being worked on, for as long as it is."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(ACK_WAIT_S / 3)
            try:
                await message.in_progress()
            except (nats.errors.Error, OSError) as error:
                _log.debug("heartbeat not sent", reason=str(error))

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()


def policy_of(durable: str, patterns: Sequence[str], handler: Handler, **options: object) -> Policy:
    """Return a policy after checking its name."""
    if subjects.token(durable) != durable:
        raise ValueError(f"a durable's name has only letters, digits, - and _: {durable!r}")
    return Policy(durable, tuple(patterns), handler, **options)  # type: ignore[arg-type]
