"""One bandwidth limit for all transfers: a token bucket that may be changed while bytes flow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

BURST_S = 0.1
SMALLEST_READ_BYTES = 4096
LARGEST_READ_BYTES = 1 << 20


class BandwidthLimiter:
    """Readers spend what they received; who drove the bucket below zero waits until it is above again.

    All readers share the debt, so the sum of all transfers keeps to the limit. Used on one event loop.
    """

    def __init__(self, limit_bps: int | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._limit_bps = limit_bps
        self._tokens = 0.0
        self._at = clock()
        self._waiting: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit_bps(self) -> int | None:
        """The limit in bytes per second; None is none."""
        return self._limit_bps

    @property
    def throttled(self) -> bool:
        """True while readers wait for the limit: more connections would not bring more."""
        return bool(self._waiting)

    def set_limit(self, limit_bps: int | None) -> None:
        """Change the limit at once, for transfers that are running too."""
        if limit_bps is not None and limit_bps <= 0:
            raise ValueError("a bandwidth limit is a positive number of bytes per second, or None for no limit")
        self._refill()
        self._limit_bps = limit_bps
        self._tokens = 0.0
        self._wake()

    def read_size(self) -> int:
        """Return how much one read may take, so that a slow limit stays smooth."""
        if self._limit_bps is None:
            return LARGEST_READ_BYTES
        return max(SMALLEST_READ_BYTES, min(LARGEST_READ_BYTES, int(self._limit_bps * BURST_S) // 4))

    def spend(self, size_bytes: int) -> bool:
        """Account for received bytes; False when the reader has to wait (see `call_when_free`)."""
        if self._limit_bps is None:
            return True
        self._refill()
        self._tokens -= size_bytes
        return self._tokens >= 0

    def call_when_free(self, resume: Callable[[], None]) -> None:
        """Call `resume` once, as soon as bytes may flow again."""
        self._waiting.append(resume)
        if self._timer is None:
            self._schedule()

    async def free(self) -> None:
        """Return when bytes may flow."""
        if self.spend(0):
            return
        freed = asyncio.Event()
        self.call_when_free(freed.set)
        try:
            await freed.wait()
        finally:
            self.forget(freed.set)

    def forget(self, resume: Callable[[], None]) -> None:
        """Drop a waiter whose connection is gone."""
        if resume in self._waiting:
            self._waiting.remove(resume)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refill(self) -> None:
        now = self._clock()
        if self._limit_bps is not None:
            self._tokens = min(self._tokens + (now - self._at) * self._limit_bps, self._limit_bps * BURST_S)
        self._at = now

    def _schedule(self) -> None:
        delay_s = max(0.0, -self._tokens / self._limit_bps) if self._limit_bps else 0.0
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._wake)

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for resume in waiting:
            resume()
