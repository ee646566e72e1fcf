"""The event store: a guarded append to one subject and a gap-proof way to read the total order.

Two implementations pass one test suite: `jetstream.JetStreamStore` and `memory.MemoryStore` (its twin for tests and
pure tools). `Record.seq` is the position in the log's total order; it means nothing without the log's `epoch`, which
changes when the log was lost or rebuilt (R: api.md, Live stream).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from modeldeck_events.errors import EventsError
from modeldeck_events.message import Event


class Position(NamedTuple):
    """A place in the log: everything up to and including `seq` of the log `epoch`."""

    epoch: str
    seq: int


class EpochChangedError(EventsError):
    """The log was replaced by another one: what was folded from it is worth nothing, start from zero."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What the appender knows beyond the facts. `source` is the service, `actor` who asked for it.

    With a `command_id` the ids of the appended events derive from it, so a repeated command appends nothing twice.
    """

    source: str
    actor: str = ""
    command_id: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who says a fact that needs no decision, and when it happened: `id` is unique for the `source` (CloudEvents).

    `time` is timezone-aware, and may lie long before the publication.
    """

    source: str
    id: str
    time: datetime
    actor: str = ""


class Entry(NamedTuple):
    """One fact to be appended together with others, guarded by the last sequence of its subject (0: none yet)."""

    subject: str
    event: Event
    expected_seq: int
    meta: Meta


MAX_TOGETHER = 1000
"""So many facts can be appended together (nats-server's limit for one atomic batch)."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One fact in the log. `event` is None for a type this version does not know; `data` is its JSON as stored."""

    seq: int
    subject: str
    id: str
    type: str
    source: str
    time: datetime
    data: bytes
    event: Event | None
    actor: str = ""
    correlation_id: str = ""
    causation_id: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of the followed subjects, maybe none.

    `seq` is how far the log has been seen (>= the last record's seq: other subjects are skipped), `caught_up` is true
    from the moment that everything was seen which the log held when following began.
    """

    records: Sequence[Record]
    seq: int
    caught_up: bool


class EventStore(Protocol):
    """Append and read facts. Every method raises UnavailableError when the bus does not answer in time."""

    async def head(self) -> Position:
        """Return the log's epoch and last sequence."""
        ...

    async def last_seq(self, subject: str) -> int:
        """Return the last sequence of one subject, 0 when it has none: what the guard compares with."""
        ...

    async def append(self, subject: str, events: Sequence[Event], *, expected_seq: int, meta: Meta) -> int:
        """Append `events` to `subject` if its last sequence is `expected_seq` (0: none yet); return the last seq.

        Repeating a call with the same `meta.command_id` returns the sequence of the first one. Several events are
        appended one after the other: a crash between them leaves a prefix. Raises ConflictError when someone else
        appended first, ValueError when there is nothing to append.
        """
        ...

    async def append_together(self, entries: Sequence[Entry]) -> int:
        """Append up to MAX_TOGETHER facts, each to a subject of its own, all or none; return the last one's sequence.

        They get consecutive sequences, in order, and cost one write to the disk: ten times as fast as one by one.
        Raises ConflictError, with nothing appended, when one of the guards does not hold or one of the facts was
        appended before (then append them singly, which tells which); ValueError for none, too many, one subject twice.
        """
        ...

    async def publish(self, subject: str, event: Event, stamp: Stamp) -> int:
        """Append a fact of another service, unguarded, and return its sequence.

        A repetition with the same source and id within two minutes returns the sequence of the first one; later ones
        stand in the log twice, and folds go by source and id.
        """
        ...

    async def read(self, *, after: int, limit: int, subjects: Sequence[str] = ("evt.>",)) -> list[Record]:
        """Return up to `limit` records with `seq > after`, in order."""
        ...

    def follow(self, *, after: Position | None = None, subjects: Sequence[str] = ("evt.>",)) -> AsyncIterator[Batch]:
        """Yield everything after `after` (None: from the start), for ever, without gaps, through any outage.

        At least one batch comes when the end is reached (perhaps empty). Raises EpochChangedError when the log is not
        the one that `after` names, or is replaced while following.
        """
        ...


def check_entries(entries: Sequence[Entry]) -> None:
    """Raise ValueError for what no store appends together."""
    if not 0 < len(entries) <= MAX_TOGETHER:
        raise ValueError(f"{len(entries)} facts cannot be appended together; 1 to {MAX_TOGETHER} can")
    if len({entry.subject for entry in entries}) < len(entries):
        raise ValueError("facts that are appended together need a subject each")
