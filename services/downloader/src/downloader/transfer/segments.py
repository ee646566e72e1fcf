"""Which bytes are safe, which are being fetched, which are open: pure, so that any interleaving can be tried.

Ranges are half-open `[start, end)` and sorted; touching ranges are one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


class ByteRanges:
    """A set of bytes as sorted, disjoint, half-open ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total = 0
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    def add(self, start: int, end: int) -> int:
        """Add a range; return how many of its bytes are new."""
        if start < 0 or end <= start:
            return 0
        low = bisect_right(self._ends, start - 1)  # the first range that ends at or after start: it touches
        high = bisect_right(self._starts, end)  # one past the last range that starts at or before end
        swallowed = sum(self._ends[i] - self._starts[i] for i in range(low, high))
        if low < high:
            start, end = min(start, self._starts[low]), max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]
        gained = end - start - swallowed
        self.total += gained
        return gained

    def end_of_run(self, position: int) -> int:
        """Return where the range that holds `position` ends; `position` itself when none holds it."""
        index = bisect_right(self._starts, position) - 1
        return self._ends[index] if index >= 0 and self._ends[index] > position else position

    def next_start(self, position: int) -> int | None:
        """Return the start of the first range at or after `position`."""
        index = bisect_right(self._starts, position - 1)
        return self._starts[index] if index < len(self._starts) else None

    def gaps(self, size: int) -> list[tuple[int, int]]:
        """Return what is missing of `[0, size)`."""
        missing, position = [], 0
        for start, end in zip(self._starts, self._ends, strict=True):
            if start >= size:
                break
            if start > position:
                missing.append((position, start))
            position = end
        if position < size:
            missing.append((position, size))
        return missing


@dataclass(slots=True, eq=False)
class Segment:
    """A run of bytes that one connection fetches: `position` is the next byte, `end` may be moved down by a steal."""

    start: int
    end: int
    position: int

    @property
    def left(self) -> int:
        """Bytes still to come."""
        return self.end - self.position


class SegmentPlan:
    """Hands out the missing bytes of a file in order, each byte to one connection at a time."""

    def __init__(self, size: int, done: ByteRanges) -> None:
        self.size = size
        self._open = done.gaps(size)
        self.active: list[Segment] = []

    @property
    def open_bytes(self) -> int:
        """Bytes that nobody fetches yet."""
        return sum(end - start for start, end in self._open)

    @property
    def finished(self) -> bool:
        """True when nothing is open and nobody is fetching."""
        return not self._open and not self.active

    def take(self, limit: int, align: int = 1) -> Segment | None:
        """Hand out the lowest open bytes, about `limit` of them (at least one), cut at a multiple of `align`."""
        if not self._open:
            return None
        start, end = self._open[0]
        stop = start + max(1, limit)
        straight = stop - stop % align
        stop = min(end, straight if straight > start else stop)
        stop = end if end - stop < align else stop
        if stop == end:
            self._open.pop(0)
        else:
            self._open[0] = (stop, end)
        segment = Segment(start, stop, start)
        self.active.append(segment)
        return segment

    def stealable(self, smallest: int) -> bool:
        """Tell whether `steal` may find something."""
        return not self._open and any(segment.left >= smallest for segment in self.active)

    def steal(self, smallest: int, align: int) -> Segment | None:
        """Take the upper half of the longest segment in work, if at least `smallest` bytes of it are left.

        The victim's `end` moves down, so its connection stops early; the cut is a multiple of `align`.
        """
        victim = max(self.active, key=lambda segment: segment.left, default=None)
        if victim is None or self._open or victim.left < smallest:
            return None
        cut = (victim.position + victim.left // 2) // align * align
        if not victim.position < cut < victim.end:
            return None
        segment = Segment(cut, victim.end, cut)
        victim.end = cut
        self.active.append(segment)
        return segment

    def give_back(self, segment: Segment) -> None:
        """End a segment: what it did not reach is open again."""
        self.active.remove(segment)
        if segment.position < segment.end:
            self._open.append((segment.position, segment.end))
            self._open.sort()
