"""Ids of the stream's events: the log's epoch and a position in it, opaque to clients.

`EPOCH.SEQ` means: everything up to and including SEQ was delivered. `EPOCH.SEQ.1` stands on an activity entry for a
client that follows `events` too: the event of the same fact, which comes right after it, was not delivered yet.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ID = re.compile(r"([A-Za-z0-9_-]{1,64})\.(0|[1-9][0-9]{0,17})(\.1)?")


class EventId(NamedTuple):
    """A parsed id; `event_due`: the event of `seq` itself is still to come."""

    epoch: str
    seq: int
    event_due: bool = False

    @property
    def seen(self) -> int:
        """The last position of which everything was delivered."""
        return self.seq - 1 if self.event_due else self.seq

    def __str__(self) -> str:
        return f"{self.epoch}.{self.seq}.1" if self.event_due else f"{self.epoch}.{self.seq}"


def parse(text: str) -> EventId | None:
    """Return the id, None for anything that this module never wrote."""
    match = _ID.fullmatch(text)
    return EventId(match[1], int(match[2]), match[3] is not None) if match else None
