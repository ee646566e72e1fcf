"""A value that facts in any order set: the newest one counts, by its time, then by its position in the log."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec
from modeldeck_events.store import Record

T = TypeVar("T")


class Newest(msgspec.Struct, Generic[T]):
    """The value of the newest fact so far; `at` is None as long as there was none.

    Of two facts of the same time the one with the higher `rank` counts (an end beats a beginning), then the one whose
    id sorts last: never the order in which they came.
    """

    value: T | None = None
    at: datetime | None = None
    tie: tuple[int, str] = (0, "")

    def put(self, value: T, record: Record, rank: int = 0) -> bool:
        """Take the value unless a newer one is there; return whether it was taken."""
        tie = (rank, record.id)
        if self.at is not None and (record.time, tie) <= (self.at, self.tie):
            return False
        self.value, self.at, self.tie = value, record.time, tie
        return True


class Name(msgspec.Struct):
    """A name that several facts may carry and some leave empty."""

    newest: Newest[str] = msgspec.field(default_factory=Newest)

    def put(self, text: str, record: Record) -> None:
        """Take a name, unless it is empty or an older one."""
        if text:
            self.newest.put(text, record)

    def __str__(self) -> str:
        """Return the name, "" when nobody said one."""
        return self.newest.value or ""


def key_of(record: Record) -> str:
    """Return what tells one thing from another: source and id, as the last two parts of the subject."""
    return ".".join(record.subject.rsplit(".", 2)[-2:])
