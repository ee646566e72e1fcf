"""How fast each caller may go: token buckets by name, bounded."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

MAX_NAMES = 1000


class Pace:
    """At most `burst` at once and `rate` a second in the long run, for each name."""

    def __init__(self, *, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, wanted: Mapping[str, int]) -> float:
        """Take so many for each name, all or nothing; return 0, or after how many seconds to ask again.

        More than `burst` for a name at once is as good as `burst`: it empties the bucket.
        """
        now = self._clock()
        left = {name: self._left(name, now) - min(count, self._burst) for name, count in wanted.items()}
        short = min(left.values(), default=0.0)
        if short < 0:
            return -short / self._rate
        for name, tokens in left.items():
            self._buckets.pop(name, None)
            self._buckets[name] = (tokens, now)
        while len(self._buckets) > MAX_NAMES:
            self._buckets.popitem(last=False)
        return 0.0

    def _left(self, name: str, now: float) -> float:
        tokens, at = self._buckets.get(name, (float(self._burst), now))
        return min(float(self._burst), tokens + (now - at) * self._rate)
