"""One process's access to the bus: the store, requests to services, readings."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import nats.errors
import structlog
from nats.js import JetStreamContext

from modeldeck_events import dead_letters, envelope, registry, subjects, topology, tracing
from modeldeck_events.connection import Connection
from modeldeck_events.dead_letters import Letter
from modeldeck_events.errors import PoisonError, UnavailableError
from modeldeck_events.jetstream import RETRY_S, JetStreamStore
from modeldeck_events.message import UNREADABLE, Command, Reading, Reply
from modeldeck_events.ordered import OPEN_ERRORS, Delivered, OrderedConsumer

READINGS_AT_ONCE = 500
_REPLY = msgspec.json.Decoder(Reply)
_READING_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    reading.KIND: msgspec.json.Decoder(reading) for reading in registry.READINGS
}
_log = structlog.get_logger(__name__)


class Bus:
    """A connection and what is done over it. `name` is the service, the source of its readings."""

    def __init__(self, nc: Connection, name: str) -> None:
        self.nc = nc
        self.name = name
        self.js: JetStreamContext = nc.jetstream()
        self.store = JetStreamStore(nc, self.js)

    async def close(self) -> None:
        """Send what is buffered, then close."""
        if not self.nc.is_closed:
            try:
                if self.nc.is_connected:
                    await self.nc.flush(timeout=2)
            except (nats.errors.Error, OSError) as error:
                _log.debug("last flush failed", reason=str(error))
            await self.nc.close()

    async def request(self, command: Command, timeout_s: float = 5.0, *, service: str = "") -> Reply:
        """Ask the command's service (or `service`) and return its answer.

        Raises UnavailableError when none came within `timeout_s`. The service may have done it all the same: repeating
        the same command with the same `command_id` is safe.
        """
        name = service or command.SERVICE
        subject = subjects.command(name, command.VERB, command.key)
        deadline = asyncio.get_running_loop().time() + timeout_s
        await self.nc.wait_usable(timeout_s)
        left = max(0.05, deadline - asyncio.get_running_loop().time())
        try:
            with tracing.span(f"command {command.VERB}", kind="client", command_id=command.command_id):
                body, headers = registry.encode(command), tracing.headers()
                message = await self.nc.request(subject, body, timeout=left, headers=headers)
            return _REPLY.decode(message.data)
        except nats.errors.NoRespondersError as error:
            where = f" for the {command.KEY} {command.key}" if command.key else ""
            raise UnavailableError(f"the service {name} is not running{where}") from error
        except nats.errors.MaxPayloadError as error:
            raise UnavailableError(f"NATS takes no message as large as this one for {name} (max_payload)") from error
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"the service {name} did not answer within {timeout_s:g} s") from error
        except UNREADABLE as error:
            raise UnavailableError(f"the service {name} answered something else than a reply: {error}") from error

    async def publish_reading(
        self, subject: str, reading: Reading, *, latest_only: bool = False, ttl_s: int | None = None
    ) -> None:
        """Publish a measurement; with `latest_only` it replaces all earlier ones of its subject, with `ttl_s` it is
        forgotten after so many seconds.

        While NATS is away the reading is dropped: a newer one will come, and the newest counts.
        """
        if not self.nc.is_connected:
            return
        headers = {
            "ce-specversion": envelope.SPEC_VERSION,
            "ce-id": uuid.uuid4().hex,
            "ce-source": envelope.quote(self.name),
            "ce-type": f"modeldeck.reading.{reading.KIND}.v1",
            "ce-datacontenttype": envelope.CONTENT_TYPE,
        }
        if latest_only:
            headers["Nats-Rollup"] = "sub"
        if ttl_s is not None:
            headers["Nats-TTL"] = str(ttl_s)
        try:
            await self.nc.publish(subject, registry.encode(reading), headers=headers)
        except (nats.errors.Error, OSError) as error:
            _log.debug("reading dropped", subject=subject, reason=str(error))

    async def follow_readings(
        self, patterns: Sequence[str] = ("rdg.>",), *, history: bool = False
    ) -> AsyncIterator[Reading]:
        """Yield the newest reading of each subject, then every later one, for ever, through any outage.

        With `history` everything still kept (about an hour) comes first, in order. After an outage the newest ones are
        repeated. A reading of an unknown kind is skipped; a broken one goes to DEAD_LETTERS as `dead.readings`.
        """
        failures = 0
        seq = 0
        while True:
            try:
                await self.nc.wait_usable()
                newest_only = not history or seq > 0
                consumer = await OrderedConsumer.open(self.nc, topology.READINGS, patterns, newest_only=newest_only)
                try:
                    while True:
                        for message in await consumer.take(READINGS_AT_ONCE):
                            failures, seq = 0, message.seq
                            try:
                                reading = decode_reading(message.subject, message.data)
                            except PoisonError as error:
                                await self._bury_reading(message, error)
                                continue
                            if reading is not None:
                                yield reading
                finally:
                    await consumer.close()
            except (*OPEN_ERRORS, UnavailableError) as error:
                if self.nc.is_closed:
                    raise UnavailableError("the connection to NATS is closed") from error
                _log.debug("following readings again", reason=str(error))
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1

    async def _bury_reading(self, message: Delivered, error: PoisonError) -> None:
        headers = envelope.parse_headers(message.headers)
        letter = Letter("readings", topology.READINGS, message.seq, message.subject, headers, message.data)
        try:
            await dead_letters.bury(self.js, self.store, letter, error, source=self.name)
        except UnavailableError as unavailable:
            _log.warning("broken reading was not kept", subject=message.subject, reason=str(unavailable))


async def connect(url: str, name: str) -> Bus:
    """Connect as service `name`, waiting for as long as there is no NATS; streams are made by `topology.ensure`."""
    nc = Connection()
    await nc.open(url, name)
    return Bus(nc, name)


def decode_reading(subject: str, data: bytes) -> Reading | None:
    """Return the reading, None when its kind is unknown; raises PoisonError when it breaks its schema."""
    kind = subject.split(".", 2)[1] if subject.startswith("rdg.") else ""
    decoder = _READING_DECODERS.get(kind)
    if decoder is None:
        return None
    try:
        reading: Reading = decoder.decode(data)
    except UNREADABLE as error:
        raise PoisonError(f"reading {kind}: {error}") from error
    return reading
