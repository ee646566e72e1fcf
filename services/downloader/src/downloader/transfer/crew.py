"""The connections of one file: how many, who fetches which segment, and what happens when one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, thread_time

from downloader.errors import TransferError
from downloader.transfer.response import Response
from downloader.transfer.segments import Segment, SegmentPlan
from downloader.transfer.staging import ALIGNMENT

FIRST_SEGMENT_BYTES = 4 << 20
SMALLEST_SEGMENT_BYTES = 4 << 20
SHARED_SEGMENT_BYTES = 32 << 20
LONELY_SEGMENT_BYTES = 256 << 20
SEGMENT_S = 0.25
STEAL_BYTES = 2 << 20
FIRST_TICK_S = 0.02  # until it is known whether one connection is enough; each other tick is
TICK_S = 0.05
BUSY = 0.9  # of a core: the event loop has no time for more connections
FAST_BPS = 300_000_000  # what one connection brings alone: more of them would only cost
PROGRESS_BYTES = 1 << 20
MAX_SHORT_RUNS = 3
CROWDED = frozenset({"rate_limited", "server_error", "connection_failed"})

FetchSegment = Callable[[Segment, Response | None], Awaitable[None]]


class Crew:
    """Fetches a plan's segments over up to `connections` connections; begins with one and grows where that helps."""

    def __init__(
        self, plan: SegmentPlan, connections: int, fetch: FetchSegment, slowed_by_us: Callable[[], bool]
    ) -> None:
        self._plan = plan
        self._most = max(1, connections)
        self._fetch = fetch
        self._slowed_by_us = slowed_by_us
        self.working = 0
        self._over = asyncio.Event()
        self._received = 0
        self._short_runs = 0  # connections in a row that ended early with next to nothing

    async def run(self, segment: Segment, response: Response) -> None:
        """Fetch everything, the first segment out of `response`. Raises the error that mattered most."""
        if not self._plan.open_bytes and segment.left < STEAL_BYTES:  # nothing to share
            self.working = 1
            await self._work(segment, response)
            return
        try:
            async with asyncio.TaskGroup() as group:
                self._hire(group, segment, response)
                growth = group.create_task(self._grow(group))
                await self._over.wait()
                growth.cancel()
        except BaseExceptionGroup as errors:
            raise min(errors.exceptions, key=_rank) from None

    def _hire(self, group: asyncio.TaskGroup, segment: Segment | None = None, response: Response | None = None) -> None:
        self.working += 1
        group.create_task(self._work(segment, response))

    async def _grow(self, group: asyncio.TaskGroup) -> None:
        """Add connections while the ones there are do not fill the line and it is not us who is slow."""
        before, at, cpu_at, tick_s = self._total(), monotonic(), thread_time(), FIRST_TICK_S
        while True:
            await asyncio.sleep(tick_s)
            now, cpu_now, total = monotonic(), thread_time(), self._total()
            fast = total - before >= FAST_BPS * (now - at) or cpu_now - cpu_at >= BUSY * (now - at)
            before, at, cpu_at, tick_s = total, now, cpu_now, TICK_S
            if self.working < self._most and not fast and not self._short_runs and not self._slowed_by_us():
                wanted = min(self._most - self.working, -(-self._plan.open_bytes // SMALLEST_SEGMENT_BYTES))
                if wanted == 0 and self._plan.stealable(STEAL_BYTES):
                    wanted = 1
                for _ in range(wanted):
                    self._hire(group)

    def _total(self) -> int:
        return self._received + sum(segment.position - segment.start for segment in self._plan.active)

    async def _work(self, segment: Segment | None, response: Response | None) -> None:
        rate = 0.0
        try:
            while True:
                if segment is None:
                    segment = self._plan.take(self._size(rate), ALIGNMENT) or self._plan.steal(STEAL_BYTES, ALIGNMENT)
                if segment is None:
                    return
                began = monotonic()
                try:
                    await self._fetch(segment, response)
                    self._short_runs = 0
                except TransferError as error:
                    gained = segment.position - segment.start
                    self._short_runs = 0 if gained >= PROGRESS_BYTES else self._short_runs + 1
                    if not self._may_go_on(error):
                        return
                finally:
                    rate = (segment.position - segment.start) / max(monotonic() - began, 1e-4)
                    self._received += segment.position - segment.start
                    self._plan.give_back(segment)
                segment = response = None
        finally:
            self.working -= 1
            if not self.working:
                self._over.set()

    def _may_go_on(self, error: TransferError) -> bool:
        """Tell whether a connection that failed may try again; raise when no other is left, or there is no hope."""
        if error.code == "closed_early" and self._short_runs <= MAX_SHORT_RUNS:
            return True
        if not error.retryable or self.working == 1:
            raise error
        if error.code in CROWDED:
            self._most = self.working - 1
        return False

    def _size(self, rate: float) -> int:
        """Return how much to take: long enough to hide the way to the server, short enough to stay together."""
        most = LONELY_SEGMENT_BYTES if self.working == 1 else SHARED_SEGMENT_BYTES
        size = max(SMALLEST_SEGMENT_BYTES, min(most, int(rate * SEGMENT_S)))
        fair = -(-self._plan.open_bytes // self.working)
        return max(min(size, fair), 1 << 20)


def _rank(error: BaseException) -> int:
    if not isinstance(error, TransferError):
        return 0
    return 2 if error.retryable else 1
