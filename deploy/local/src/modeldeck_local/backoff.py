"""How long to wait before a crashed process is started again."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
HEALTHY_AFTER_S = 30.0


@dataclass
class Backoff:
    """Doubling delays; a run of `HEALTHY_AFTER_S` earns the first delay again."""

    delay_s: float = FIRST_DELAY_S

    def after_run_of(self, ran_s: float) -> float:
        """Return the delay before the next start, given how long the last run lasted."""
        if ran_s >= HEALTHY_AFTER_S:
            self.delay_s = FIRST_DELAY_S
        delay_s, self.delay_s = self.delay_s, min(self.delay_s * 2, LONGEST_DELAY_S)
        return delay_s
