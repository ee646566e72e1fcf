"""One bucket for all: the sum keeps to the limit, and changing it takes effect at once."""

from __future__ import annotations

import asyncio

import pytest
from downloader.limits import BandwidthLimiter


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_limit_nobody_waits() -> None:
    limiter = BandwidthLimiter(None, Clock())
    assert all(limiter.spend(1 << 30) for _ in range(10))


def test_the_debt_is_paid_at_the_rate() -> None:
    clock = Clock()
    limiter = BandwidthLimiter(1000, clock)
    assert not limiter.spend(500)
    clock.now += 0.4
    assert not limiter.spend(1)
    clock.now += 0.2
    assert limiter.spend(0)


def test_an_idle_time_saves_up_only_a_short_burst() -> None:
    clock = Clock()
    limiter = BandwidthLimiter(1000, clock)
    clock.now += 3600
    assert limiter.spend(100)
    assert not limiter.spend(1)


async def test_all_waiters_wake_when_the_limit_goes() -> None:
    limiter = BandwidthLimiter(1)
    woken: list[str] = []
    assert not limiter.spend(10_000)
    limiter.call_when_free(lambda: woken.append("a"))
    limiter.call_when_free(lambda: woken.append("b"))
    assert limiter.throttled
    limiter.set_limit(None)
    assert woken == ["a", "b"]
    assert not limiter.throttled


async def test_a_forgotten_waiter_is_not_woken_and_leaves_no_timer() -> None:
    limiter = BandwidthLimiter(1000)

    def resume() -> None:
        raise AssertionError

    limiter.spend(50)
    limiter.call_when_free(resume)
    limiter.forget(resume)
    await asyncio.sleep(0.1)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_positive(limit: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        BandwidthLimiter().set_limit(limit)
