"""When a file is tried again: waits of base, 2 base, 4 base ... up to the cap, with jitter (product.md, C-11).

Pure and told by the caller what happened: tenacity would wrap the call, but here each wait is a fact in the log that
others see, and a pause in the middle of it is normal.
"""

from __future__ import annotations

from dataclasses import dataclass

JITTER = 0.1
"""Part of the wait that is added at random, so that many clients do not come back at the same moment."""


@dataclass(frozen=True, slots=True)
class RetryRules:
    """`attempts` tries in a row without progress end it."""

    base_s: float = 5.0
    cap_s: float = 60.0
    attempts: int = 3

    def delay_s(self, tries: int, *, retry_after_s: float | None, chance: float) -> float:
        """Return the wait after try number `tries` (from 1); never less than the server asked for.

        `chance` is a random number in [0, 1).
        """
        backoff = min(self.cap_s, self.base_s * 2.0 ** min(tries - 1, 32))
        return max(backoff * (1 + JITTER * chance), retry_after_s or 0.0)


class Budget:
    """Tries left for one file: bytes made safe beyond the furthest so far renew it.

    Beyond the furthest: a source that changes its content again and again makes the same bytes anew, for ever.
    """

    def __init__(self, rules: RetryRules) -> None:
        self.tries = 0
        self._rules = rules
        self._safe_bytes = 0
        self._furthest_bytes = 0
        self._renewed = False

    def progressed(self, done_bytes: int) -> None:
        """Take note of how many bytes of the file are safe."""
        self._safe_bytes = done_bytes
        if done_bytes > self._furthest_bytes:
            self._furthest_bytes = done_bytes
            self._renewed = True

    def failed(self, *, fetched_bytes: int = 0, discarded: bool = False) -> bool:
        """Count a failed try that made `fetched_bytes` safe, or lost everything; return whether another is allowed.

        Progress is told only 4 times a second: a try that ended sooner is known by its `fetched_bytes` alone.
        """
        if discarded:
            self._safe_bytes = 0
        elif not self._renewed:
            self.progressed(self._safe_bytes + fetched_bytes)
        self.tries = 1 if self._renewed else self.tries + 1
        self._renewed = False
        return self.tries < self._rules.attempts
