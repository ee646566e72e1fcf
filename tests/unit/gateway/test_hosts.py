"""Hosts that fall silent and come back: noticed within three intervals, said once, remembered by the log."""

from __future__ import annotations

from datetime import timedelta

from gateway.boards.fold import Boards
from gateway.host_watch import HostWatch
from modeldeck_events import hosts
from modeldeck_events.memory import MemoryStore
from modeldeck_events.readings import HostSample
from modeldeck_events.store import Meta

from tests.unit.gateway.facts import START


def sample(*, at_s: float = 0.0) -> HostSample:
    return HostSample(
        host="box",
        pool="default",
        at=START + timedelta(seconds=at_s),
        interval_s=2.0,
        cpu_percent=1.0,
        cpu_count=2,
        memory=None,
        disks=(),
    )


class World:
    """Boards that follow a log in memory, and a clock that a test sets."""

    def __init__(self) -> None:
        self.boards = Boards()
        self.store = MemoryStore()
        self.watch = HostWatch(self.boards, self.store)
        self.seen = 0

    async def look(self, now_s: float) -> list[str]:
        """Look at this time; return the types of the facts that came of it."""
        self.boards.resources.age(START + timedelta(seconds=now_s))
        await self.watch.look()
        records = await self.store.read(after=self.seen, limit=99)
        for record in records:
            self.boards.apply(record)
            self.seen = record.seq
        return [record.type for record in records]


async def test_silence_is_said_once_within_three_intervals_and_so_is_the_return() -> None:
    world = World()
    world.boards.read(sample())
    assert await world.look(4.9) == []
    assert await world.look(5.5) == [hosts.HostFellSilent.TYPE]
    assert await world.look(60) == []
    assert world.boards.hosts.state()["box"]["last_seen_at"] == "2026-01-02T03:04:05.000Z"
    assert world.boards.resources.state()["hosts"]["box"]["stale"] is True
    world.boards.read(sample(at_s=61))
    assert await world.look(61.5) == [hosts.HostReturned.TYPE]
    assert await world.look(62) == []
    assert "silent_since" not in world.boards.hosts.state()["box"]


async def test_two_gateways_say_it_once() -> None:
    one, other = World(), World()
    other.store = one.store
    other.watch = HostWatch(other.boards, one.store)
    for world in (one, other):
        world.boards.read(sample())
        world.boards.resources.age(START + timedelta(seconds=60))
    await one.watch.look()
    await other.watch.look()
    assert len(await one.store.read(after=0, limit=9)) == 1


async def test_a_disk_that_fills_up_is_told_in_words() -> None:
    world = World()
    changed = hosts.DiskLevelChanged(
        host="box", pool="default", path="/models", level="warning", percent=81.2, free_bytes=10_000_000_000
    )
    await world.store.append(hosts.subject("box"), [changed], expected_seq=0, meta=Meta(source="telemetry"))
    await world.look(0)
    [entry] = world.boards.activity.state()["activities"]
    assert entry["title"] == "/models on box is filling up"
    assert entry["subtitle"] == "81 % full, 10.0 GB free"
    assert (entry["status"], entry["category"], entry["source_entity_id"]) == ("warning", "system", "box")
    again = Boards()
    again.load(world.boards.dump())
    assert again.hosts.state() == {"box": {"pool": "default", "disks": {"/models": "warning"}}}
