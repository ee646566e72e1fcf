"""When a host joins and a disk fills up is said once, and not again and again at the edge of a threshold."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.hosts import DiskLevel, DiskLevelChanged, HostJoined
from modeldeck_events.memory import MemoryStore
from modeldeck_events.readings import DiskSample, HostSample
from telemetry.host_facts import MARGIN_PERCENT, HostLog, HostState, decide, level


def disk(percent: float | None) -> DiskSample:
    return DiskSample(path="/models", percent=percent, free_bytes=1, error=None if percent is not None else "gone")


def sample(percent: float | None) -> HostSample:
    return HostSample(
        host="box",
        pool="default",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        interval_s=2.0,
        cpu_percent=None,
        cpu_count=2,
        memory=None,
        disks=(disk(percent),),
    )


@pytest.mark.parametrize(
    ("percent", "before", "after"),
    [
        (79.9, "ok", "ok"),
        (80.0, "ok", "warning"),
        (90.0, "ok", "critical"),
        (78.5, "warning", "warning"),
        (77.9, "warning", "ok"),
        (88.5, "critical", "critical"),
        (87.9, "critical", "warning"),
        (78.5, "critical", "warning"),
        (10.0, "critical", "ok"),
        (None, "critical", "critical"),
    ],
)
def test_levels_have_a_margin_on_the_way_down(percent: float | None, before: DiskLevel, after: DiskLevel) -> None:
    assert level(disk(percent), before) == after


@given(st.lists(st.floats(79.0, 81.0), min_size=2, max_size=20))
def test_a_disk_at_the_edge_of_a_threshold_is_told_of_at_most_once(percents: list[float]) -> None:
    now: DiskLevel = "ok"
    changes = 0
    for percent in percents:
        before, now = now, level(disk(percent), now)
        changes += before != now
    assert MARGIN_PERCENT > 1.0
    assert changes <= 1


async def test_a_host_joins_once_and_its_disk_is_remembered_over_a_restart() -> None:
    store = MemoryStore()
    for _ in range(2):
        state = HostState("box")
        log = HostLog(store, state)
        for percent in (50.0, 85.0, 85.0):
            for record in await store.read(after=state.seq, limit=9):
                state.apply(record)
            await log.note(sample(percent))
    facts = [record.event for record in await store.read(after=0, limit=9)]
    assert [type(fact) for fact in facts] == [HostJoined, DiskLevelChanged, DiskLevelChanged, DiskLevelChanged]
    assert [fact.level for fact in facts if isinstance(fact, DiskLevelChanged)] == ["warning", "ok", "warning"]


async def test_a_log_that_is_away_is_no_error() -> None:
    store = MemoryStore()
    store.available = False
    await HostLog(store, HostState("box")).note(sample(95.0))
    store.available = True
    assert await store.read(after=0, limit=9) == []
    assert len(decide(sample(95.0), HostState("box"))) == 2
