"""The event store on JetStream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import datetime

import nats.errors
import structlog
from nats import nuid
from nats.js import JetStreamContext
from nats.js.api import StreamInfo
from nats.js.errors import APIError, NotFoundError

from modeldeck_events import envelope, topology, tracing
from modeldeck_events.connection import Connection
from modeldeck_events.errors import ConflictError, UnavailableError
from modeldeck_events.message import Event
from modeldeck_events.ordered import OPEN_ERRORS, Delivered, OrderedConsumer
from modeldeck_events.store import Batch, Entry, EpochChangedError, Meta, Position, Record, Stamp, check_entries

BATCH_RECORDS = 500
"""Records of one batch: small enough that applying it does not hold up the event loop noticeably."""
ANSWER_TIMEOUT_S = 5.0
RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)

_WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
_REPEATED_IN_BATCH = 10201
_LOG_FULL = 10077
_NO_MESSAGE = 10037
_log = structlog.get_logger(__name__)


class JetStreamStore:
    """Append to and follow the stream EVENTS (see `store.EventStore` for the promises).

    A publish that timed out may be stored later all the same. Its id and its guard make repeating it safe: a repetition
    with the same `command_id` returns the sequence of the first, any other append is refused by the guard.
    """

    def __init__(
        self, nc: Connection, js: JetStreamContext, *, clock: Callable[[], datetime] = envelope.utc_now
    ) -> None:
        self._nc = nc
        self._js = js
        self._clock = clock

    async def head(self) -> Position:
        """Return the log's epoch and last sequence."""
        info = await self._stream_info()
        return Position(topology.epoch_of(info), info.state.last_seq)

    async def last_seq(self, subject: str) -> int:
        """Return the last sequence of one subject, 0 when it has none."""
        message = await self._message(subject)
        return 0 if message is None else message[0]

    async def append(self, subject: str, events: Sequence[Event], *, expected_seq: int, meta: Meta) -> int:
        """Append with both the event's id (deduplicated for 2 minutes) and the guard on the subject's last sequence."""
        if not events:
            raise ValueError("nothing to append")
        seq = expected_seq
        for event, event_id in zip(events, envelope.event_ids(subject, events, meta), strict=True):
            headers, data = self._guarded(Entry(subject, event, seq, meta), event_id)
            try:
                seq = await self._publish(subject, headers, data)
            except ConflictError:
                seq = await self._stored_before(subject, event_id, seq)
        return seq

    async def append_together(self, entries: Sequence[Entry]) -> int:
        """Append as one atomic batch (nats-architecture-and-design, ADR-50): one fsync for all of them."""
        check_entries(entries)
        await self._nc.wait_usable(ANSWER_TIMEOUT_S)
        batch, last = nuid.NUID().next().decode(), len(entries)
        for number, entry in enumerate(entries, start=1):
            event_id = envelope.event_ids(entry.subject, (entry.event,), entry.meta)[0]
            headers, data = self._guarded(entry, event_id)
            headers |= {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            if number == last:
                return await self._publish(entry.subject, headers | {"Nats-Batch-Commit": "1"}, data)
            try:
                await self._nc.publish(entry.subject, data, headers=headers)
            except (nats.errors.Error, OSError) as error:
                raise UnavailableError(f"the event log could not be reached: {error}") from error
        raise AssertionError  # the last one returned

    async def publish(self, subject: str, event: Event, stamp: Stamp) -> int:
        """Append unguarded; the server knows a repetition for 2 minutes."""
        headers, data = envelope.pack_foreign(subject, event, stamp)
        headers["Nats-Msg-Id"] = envelope.message_id(stamp)
        headers["Nats-Expected-Stream"] = topology.EVENTS
        return await self._publish(subject, headers, data)

    async def read(self, *, after: int, limit: int, subjects: Sequence[str] = ("evt.>",)) -> list[Record]:
        """Return up to `limit` records with `seq > after`, in order."""
        await self._nc.wait_usable(ANSWER_TIMEOUT_S)
        records: list[Record] = []
        try:
            consumer = await OrderedConsumer.open(self._nc, topology.EVENTS, subjects, after=after)
            try:
                pending = consumer.pending
                while pending and len(records) < limit:
                    for message in await consumer.take(limit - len(records)):
                        records.append(_record(message))
                        pending = message.pending
            finally:
                await consumer.close()
        except OPEN_ERRORS as error:
            raise UnavailableError(f"the event log could not be read: {error}") from error
        return records

    async def follow(
        self, *, after: Position | None = None, subjects: Sequence[str] = ("evt.>",)
    ) -> AsyncIterator[Batch]:
        """Follow without gaps: a consumer that breaks is replaced by one that starts after the last record taken."""
        course = _Course(after, subjects)
        failures = 0
        while True:
            try:
                await self._nc.wait_usable()
                async with contextlib.aclosing(self._follow_one(course)) as batches:
                    async for batch in batches:
                        failures = 0
                        yield batch
            except (*OPEN_ERRORS, UnavailableError) as error:
                if self._nc.is_closed:
                    raise UnavailableError("the connection to NATS is closed") from error
                if failures in (0, len(RETRY_S)):
                    _log.info("following the log again", after=course.seq, reason=str(error))
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1

    async def _follow_one(self, course: _Course) -> AsyncGenerator[Batch]:
        consumer = await OrderedConsumer.open(self._nc, topology.EVENTS, course.subjects, after=course.seq)
        try:
            # After the consumer stands: epochs never come back, so it reads from the log that is asked about here.
            course.check(await self.head())
            if consumer.pending == 0:
                yield course.arrive(course.target)
            while True:
                messages = await consumer.take(BATCH_RECORDS)
                if messages:
                    records = [_record(message) for message in messages]
                    if messages[-1].pending == 0:
                        yield course.arrive(messages[-1].seq, records)
                    else:
                        yield course.advance(messages[-1].seq, records)
                    await asyncio.sleep(0)  # a long backlog must not keep everything else from running
                elif consumer.skipped_to > course.seq:
                    yield course.advance(consumer.skipped_to)
        finally:
            await consumer.close()

    async def _stream_info(self) -> StreamInfo:
        await self._nc.wait_usable(ANSWER_TIMEOUT_S)
        try:
            return await self._js.stream_info(topology.EVENTS)
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"the event log did not answer: {error}") from error

    def _guarded(self, entry: Entry, event_id: str) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a fact that is refused unless its subject's last sequence is as expected."""
        headers, data = envelope.pack(
            entry.subject, entry.event, event_id=event_id, time=self._clock(), meta=entry.meta
        )
        headers["Nats-Msg-Id"] = event_id
        headers["Nats-Expected-Last-Subject-Sequence"] = str(entry.expected_seq)
        headers["Nats-Expected-Stream"] = topology.EVENTS
        return headers, data

    async def _publish(self, subject: str, headers: dict[str, str], data: bytes) -> int:
        # Not while reconnecting: nats-py would keep it and send it after the caller was told that it failed.
        await self._nc.wait_usable(ANSWER_TIMEOUT_S)
        try:
            with tracing.span(f"append {headers['ce-type']}", kind="producer", subject=subject):
                ack = await self._js.publish(subject, data, timeout=ANSWER_TIMEOUT_S, headers=headers)
        except APIError as error:
            if error.err_code in _WRONG_LAST_SEQUENCE or error.err_code == _REPEATED_IN_BATCH:
                raise ConflictError(f"{subject}: {error.description}") from error
            if error.err_code == _LOG_FULL:
                raise UnavailableError("the event log is full: raise max_bytes of the stream EVENTS") from error
            raise UnavailableError(f"the event log refused: {error}") from error
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"the event log did not answer: {error}") from error
        return ack.seq

    async def _stored_before(self, subject: str, event_id: str, expected_seq: int) -> int:
        """Return the sequence of our own event when it is what followed `expected_seq`; raises ConflictError otherwise.

        So a repeated command is recognised whatever came later, and beyond the deduplication window: nats-server 2.15
        checks the guard before the id (2.10 did it the other way round).
        """
        message = await self._message(subject, after=expected_seq)
        if message is not None and message[1] == event_id:
            return message[0]
        raise ConflictError(f"{subject}: the sequence is {message[0] if message else 0} and not {expected_seq}")

    async def _message(self, subject: str, *, after: int | None = None) -> tuple[int, str] | None:
        """Return sequence and id of a subject's last fact, or of its first one with a sequence > `after`."""
        await self._nc.wait_usable(ANSWER_TIMEOUT_S)
        try:
            if after is None:
                message = await self._js.get_last_msg(topology.EVENTS, subject)
            else:
                message = await self._js.get_msg(topology.EVENTS, seq=after + 1, subject=subject, next=True)
        except NotFoundError as error:
            if error.err_code == _NO_MESSAGE:
                return None
            raise UnavailableError(f"the event log is not there: {error}") from error
        except (nats.errors.Error, OSError) as error:
            raise UnavailableError(f"the event log did not answer: {error}") from error
        return message.seq or 0, (message.headers or {}).get("Nats-Msg-Id", "")


class _Course:
    """Where a follower is: the log's epoch, the last sequence seen, and the one that makes it caught up."""

    def __init__(self, after: Position | None, subjects: Sequence[str]) -> None:
        self.subjects = tuple(subjects)
        self.seq = after.seq if after else 0
        self.target = -1
        self._epoch = after.epoch if after else ""
        self._caught_up = False

    def check(self, head: Position) -> None:
        if self._epoch and head.epoch != self._epoch:
            raise EpochChangedError(f"the log is {head.epoch} now, not {self._epoch}")
        if head.seq < self.seq:
            raise EpochChangedError(f"the log ends at {head.seq}, before {self.seq}: it lost its end")
        self._epoch = head.epoch
        if self.target < 0:
            self.target = head.seq

    def advance(self, seq: int, records: Sequence[Record] = ()) -> Batch:
        self.seq = max(self.seq, seq)
        self._caught_up = self._caught_up or self.seq >= self.target
        return Batch(records, self.seq, self._caught_up)

    def arrive(self, seq: int, records: Sequence[Record] = ()) -> Batch:
        """Nothing that is followed stood between the records and the log's end."""
        return self.advance(max(seq, self.target), records)


def _record(message: Delivered) -> Record:
    return envelope.unpack_wire(message.seq, message.subject, message.headers, message.data)
