from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from modeldeck_events.message import Reading
from modeldeck_events.readings import HostSample
from telemetry.feed import Feed

START = datetime(2026, 1, 2, tzinfo=UTC)


def sample(at_s: float, interval_s: float) -> HostSample:
    return HostSample(
        host="box",
        pool="default",
        at=START + timedelta(seconds=at_s),
        interval_s=interval_s,
        cpu_percent=1.0,
        cpu_count=2,
        memory=None,
        disks=(),
    )


class Told:
    """What was published, and for how long."""

    def __init__(self) -> None:
        self.kept: list[float] = []
        self.published = 0

    async def publish(self, subject: str, reading: Reading, /, *, ttl_s: int | None = None) -> None:
        assert subject == "rdg.host.box"
        assert isinstance(reading, HostSample)
        assert ttl_s in {None, 30}
        self.published += 1
        if ttl_s is None:
            self.kept.append((reading.at - START).total_seconds())


@pytest.mark.parametrize(
    ("interval_s", "kept"),
    [(0.2, [0, 10, 20, 30]), (2, [0, 10, 20, 30]), (3, [0, 9, 18, 27]), (15, [0, 15, 30]), (60, [0])],
)
async def test_one_sample_in_ten_seconds_stays(interval_s: float, kept: list[float]) -> None:
    told = Told()
    feed = Feed(told.publish, "box")
    count = int(31 / interval_s) + 1
    for n in range(count):
        await feed.publish(sample(round(n * interval_s + 0.004 * (n % 3), 3), interval_s))
    assert told.published == count
    assert told.kept == pytest.approx(kept, abs=0.21)


async def test_a_clock_that_jumps_back_does_not_end_the_history() -> None:
    told = Told()
    feed = Feed(told.publish, "box")
    for at_s in (0, 2, -3600, -3598, -3590):
        await feed.publish(sample(at_s, 2))
    assert told.kept == [0, -3600, -3590]
