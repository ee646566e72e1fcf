"""What the hubs answered a short while ago, bounded: an unchanged repository costs a 304, or no request at all."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from modeldeck_events.repositories import Repository

FRESH_S = 60.0
MAX_REPOSITORIES = 256
MAX_BYTES = 4 * 1024 * 1024
"""Of all repositories as JSON; in memory it is about five times that."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a hub said; `etag` names this answer, "" when the hub gave none."""

    repository: Repository
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer with the time at which the hub last said that it holds."""

    told: Told
    checked_at: datetime
    fresh_until: float
    size_bytes: int


class Memory:
    """The newest answers by what was asked for; the one that was not used for longest goes first."""

    def __init__(self, *, fresh_s: float = FRESH_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._size_bytes = 0
        self._fresh_s = fresh_s
        self._clock = clock

    def __len__(self) -> int:
        """Return how many answers are kept."""
        return len(self._kept)

    def get(self, asked: str) -> Kept | None:
        """Return what is known of it."""
        kept = self._kept.get(asked)
        if kept is not None:
            self._kept.move_to_end(asked)
        return kept

    def is_fresh(self, kept: Kept) -> bool:
        """Tell whether the hub need not be asked again yet."""
        return self._clock() < kept.fresh_until

    def keep(self, asked: str, told: Told, checked_at: datetime) -> Kept:
        """Keep an answer that the hub gave, or confirmed, now."""
        before = self._kept.pop(asked, None)
        self._size_bytes -= before.size_bytes if before else 0
        if before is not None and before.told is told:
            size_bytes = before.size_bytes
        else:
            size_bytes = len(msgspec.json.encode(told.repository))
        kept = Kept(told, checked_at, self._clock() + self._fresh_s, size_bytes)
        self._kept[asked] = kept
        self._size_bytes += size_bytes
        while len(self._kept) > MAX_REPOSITORIES or (self._size_bytes > MAX_BYTES and len(self._kept) > 1):
            _, dropped = self._kept.popitem(last=False)
            self._size_bytes -= dropped.size_bytes
        return kept
