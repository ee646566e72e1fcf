"""The store in memory: passes the same suite as the one on JetStream, for tests and tools that need no server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from modeldeck_events import envelope
from modeldeck_events import subjects as subject_names
from modeldeck_events.errors import ConflictError, UnavailableError
from modeldeck_events.message import Event
from modeldeck_events.store import Batch, Entry, EpochChangedError, Meta, Position, Record, Stamp, check_entries

BATCH_RECORDS = 500


class MemoryStore:
    """An event store that lives as long as the process. Facts go through the envelope, so what comes back was JSON.

    `available` false makes every call raise UnavailableError, as while NATS is away; followers just wait.
    """

    def __init__(self, *, clock: Callable[[], datetime] = envelope.utc_now, epoch: str = "") -> None:
        self._available = True
        self._clock = clock
        self._epoch = epoch or str(uuid.uuid4())
        self._records: list[Record] = []
        self._last: dict[str, int] = {}
        self._ids: dict[str, int] = {}
        self._changed = asyncio.Event()

    @property
    def available(self) -> bool:
        """Whether the store answers; set it to false to see how a caller takes an outage."""
        return self._available

    @available.setter
    def available(self, value: bool) -> None:
        self._available = value
        self._wake()

    async def head(self) -> Position:
        """Return the log's epoch and last sequence."""
        self._check_available()
        return Position(self._epoch, len(self._records))

    async def last_seq(self, subject: str) -> int:
        """Return the last sequence of one subject, 0 when it has none."""
        self._check_available()
        return self._last.get(subject, 0)

    async def append(self, subject: str, events: Sequence[Event], *, expected_seq: int, meta: Meta) -> int:
        """Append as `EventStore.append` promises."""
        if not events:
            raise ValueError("nothing to append")
        self._check_available()
        seq = expected_seq
        for event, event_id in zip(events, envelope.event_ids(subject, events, meta), strict=True):
            seq = self._append_one(subject, event, event_id, seq, meta)
        return seq

    async def append_together(self, entries: Sequence[Entry]) -> int:
        """Append as `EventStore.append_together` promises."""
        check_entries(entries)
        self._check_available()
        ids = [envelope.event_ids(entry.subject, (entry.event,), entry.meta)[0] for entry in entries]
        for entry, event_id in zip(entries, ids, strict=True):
            last = self._last.get(entry.subject, 0)
            if event_id in self._ids or last != entry.expected_seq:
                raise ConflictError(f"{entry.subject}: expected sequence {entry.expected_seq}, the last one is {last}")
        for entry, event_id in zip(entries, ids, strict=True):
            self._append_one(entry.subject, entry.event, event_id, entry.expected_seq, entry.meta)
        return len(self._records)

    async def publish(self, subject: str, event: Event, stamp: Stamp) -> int:
        """Append unguarded, as `EventStore.publish` promises."""
        self._check_available()
        return self._store(subject, envelope.message_id(stamp), *envelope.pack_foreign(subject, event, stamp))

    async def read(self, *, after: int, limit: int, subjects: Sequence[str] = ("evt.>",)) -> list[Record]:
        """Return up to `limit` records with `seq > after`, in order."""
        self._check_available()
        match = subject_names.matcher(subjects)
        found = (record for record in self._records[max(after, 0) :] if match(record.subject))
        return [record for record, _ in zip(found, range(limit), strict=False)]

    async def follow(
        self, *, after: Position | None = None, subjects: Sequence[str] = ("evt.>",)
    ) -> AsyncIterator[Batch]:
        """Follow as `EventStore.follow` promises."""
        match = subject_names.matcher(subjects)
        epoch = after.epoch if after else self._epoch
        seq, target = (after.seq if after else 0), len(self._records)
        said_caught_up = False
        while True:
            if epoch != self._epoch or seq > len(self._records):
                raise EpochChangedError(f"the log is {self._epoch} now, not {epoch}")
            changed = self._changed
            part = self._records[seq : seq + BATCH_RECORDS] if self._available else []
            if part or (seq >= target and not said_caught_up and self._available):
                seq += len(part)
                said_caught_up = seq >= target
                yield Batch([record for record in part if match(record.subject)], seq, said_caught_up)
            else:
                await changed.wait()

    def lose(self, *, epoch: str = "") -> None:
        """Lose everything, as when the server's disk is replaced: the log is empty and has another epoch."""
        self._epoch = epoch or str(uuid.uuid4())
        for kept in (self._records, self._last, self._ids):
            kept.clear()
        self._wake()

    def _append_one(self, subject: str, event: Event, event_id: str, expected_seq: int, meta: Meta) -> int:
        last = self._last.get(subject, 0)
        if event_id not in self._ids and last != expected_seq:
            raise ConflictError(f"{subject}: expected sequence {expected_seq}, the last one is {last}")
        packed = envelope.pack(subject, event, event_id=event_id, time=self._clock(), meta=meta)
        return self._store(subject, event_id, *packed)

    def _store(self, subject: str, message_id: str, headers: dict[str, str], data: bytes) -> int:
        if message_id in self._ids:
            return self._ids[message_id]
        seq = len(self._records) + 1
        self._records.append(envelope.unpack_wire(seq, subject, envelope.wire_headers(headers), data))
        self._last[subject] = self._ids[message_id] = seq
        self._wake()
        return seq

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _check_available(self) -> None:
        if not self._available:
            raise UnavailableError("the event store is away")
