"""The hosts' resources by example: R-120's fields, an hour of history, who is silent."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from gateway.boards import words
from gateway.boards.fold import Boards
from gateway.frames import encode
from modeldeck_events.readings import (
    DiskIoSample,
    DiskSample,
    GpuProcess,
    GpuSample,
    HostSample,
    MemorySample,
    NetworkSample,
)

from tests.unit.gateway.facts import START


def sample(host: str = "box", *, at_s: float = 0, **changes: object) -> HostSample:
    fields: dict[str, object] = {
        "host": host,
        "pool": "default",
        "at": START + timedelta(seconds=at_s),
        "interval_s": 2.0,
        "cpu_percent": 12.5,
        "cpu_count": 2,
        "memory": MemorySample(total_bytes=100, used_bytes=40, available_bytes=60, percent=40.0),
        "disks": (DiskSample(path="/models", total_bytes=1000, used_bytes=10, free_bytes=990, percent=1.0),),
        "gpus": (
            GpuSample(
                index=0,
                name="G",
                memory_total_bytes=24 * 2**30,
                memory_used_bytes=2**30,
                utilization_percent=50.0,
            ),
        ),
        "network": NetworkSample(received_bps=2000, sent_bps=10),
        "disk_io": DiskIoSample(read_bps=0),
    }
    return HostSample(**(fields | changes))  # type: ignore[arg-type]


def test_have_the_literal_fields() -> None:
    boards = Boards()
    boards.read(sample())
    state = boards.resources.state()
    assert state["cpu_percent"] == 12.5
    assert state["memory"] == {"total": 100, "used": 40, "available": 60, "percent": 40.0}
    assert {k: state["disk"][k] for k in ("total", "used", "free", "percent")} == {
        "total": 1000,
        "used": 10,
        "free": 990,
        "percent": 1.0,
    }
    (device,) = state["gpu"]["devices"]
    assert (device["name"], device["memory_used"], device["memory_total"]) == ("G", 1024, 24576)
    assert "temperature_c" not in device
    assert set(state["hosts"]) == {"box"}


def test_are_empty_not_zero_before_anyone_reported() -> None:
    assert Boards().resources.state() == {"hosts": {}}


def test_a_failed_probe_is_an_error() -> None:
    boards = Boards()
    boards.read(sample(disks=(DiskSample(path="/models", error="gone"),)))
    assert boards.resources.state()["disk"] == {"path": "/models", "error": "gone"}


def test_silent_hosts_are_marked() -> None:
    boards = Boards()
    boards.read(sample())
    assert boards.resources.age(START + timedelta(seconds=5)) is False
    assert boards.resources.age(START + timedelta(seconds=60)) is True
    assert boards.resources.state()["hosts"]["box"]["stale"] is True
    boards.read(sample(at_s=61))
    assert "stale" not in boards.resources.state()["hosts"]["box"]


def test_history_steps_by_ten_seconds() -> None:
    boards = Boards()
    for at_s in range(0, 61, 2):
        boards.read(sample(at_s=at_s))
    points = history(boards, 60, START + timedelta(seconds=61))
    assert [point["at"][17:19] for point in points] == ["05", "15", "25", "35", "45", "55", "05"]
    assert points[-1] == {
        "at": "2026-01-02T03:05:05.000Z",
        "cpu_percent": 12.5,
        "memory_percent": 40.0,
        "disk_percent": 1.0,
        "network": {"received_bps": 2000, "sent_bps": 10},
        "disk_io": {"read_bps": 0},
        "gpu": [{"index": 0, "memory_used": 1024, "memory_percent": 4.2, "utilization": 50.0}],
    }
    assert len(history(boards, 1, START + timedelta(seconds=65))) == 6


def test_history_is_an_hour_and_goes_on_when_the_clock_jumps() -> None:
    boards = Boards()
    for at_s in range(0, 4000, 10):
        boards.read(sample(at_s=at_s))
    assert len(history(boards, 60, START + timedelta(seconds=4000))) == 360
    for at_s in range(100, 131, 10):
        boards.read(sample(at_s=at_s))
    assert history(boards, 60, START)[-1]["at"] == words.time(START + timedelta(seconds=130))


def history(boards: Boards, minutes: int, now: datetime) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = msgspec.json.decode(encode(boards.resources.history(minutes, now)))["hosts"]["box"]
    return points


def test_throughput_limits_and_processes_are_shown_as_far_as_they_are_known() -> None:
    boards = Boards()
    processes = (GpuProcess(pid=7, name="python", memory_used_bytes=2**30), GpuProcess(pid=9))
    gpus = (GpuSample(index=0, name="G", processes=processes, process_count=20), GpuSample(index=1, name="H"))
    boards.read(sample(gpus=gpus, cpu_limit=1.5, network=NetworkSample(sent_bps=0), disk_io=None))
    state = boards.resources.state()
    assert (state["cpu_limit"], state["network"]) == (1.5, {"sent_bps": 0})
    assert "disk_io" not in state
    first, second = state["gpu"]["devices"]
    named = {"pid": 7, "name": "python", "memory_used_bytes": 2**30}
    assert (first["processes"], first["process_count"]) == ([named, {"pid": 9}], 20)
    assert "processes" not in second


class World:
    """A gateway's boards, our clock's time, and seconds that nothing makes jump."""

    def __init__(self) -> None:
        self.boards = Boards()
        self.now_s = 100.0
        self.clock_ahead_s = 0.0

    def hear(self, at_s: float, *, after_s: float = 0.0, host: str = "box") -> None:
        """Take a sample that was made at `at_s` by the host's clock, arriving so many seconds later than before."""
        self.pass_by(after_s)
        self.boards.read(sample(host, at_s=at_s), self.now_s)

    def pass_by(self, seconds: float, *, deaf: bool = False) -> None:
        """Let time pass, looking twice a second as the gateway does."""
        for _ in range(int(seconds * 2)):
            self.now_s += 0.5
            self.look(deaf=deaf)

    def look(self, *, deaf: bool = False) -> None:
        now = START + timedelta(seconds=self.now_s - 100 + self.clock_ahead_s)
        self.boards.age(now, self.now_s, deaf=deaf)

    @property
    def stale(self) -> bool:
        """What is shown."""
        return "stale" in self.boards.resources.state()["hosts"]["box"]

    @property
    def known(self) -> bool | None:
        """Whether the host is known to be silent; None: it is not known."""
        told = {one.host: silent for one, silent in self.boards.resources.reporting()}
        return told.get("box")


def living(**clock: float) -> World:
    """A host that reports every two seconds, for a minute."""
    world = World()
    for n in range(30):
        world.hear(n * 2.0 + clock.get("host_ahead_s", 0.0), after_s=2 if n else 0)
    return world


def test_a_silent_host_is_marked_within_three_intervals_and_its_return_at_once() -> None:
    world = living()
    world.pass_by(5)
    assert (world.stale, world.known) == (False, False)
    assert world.boards.resources.next_silence_s(world.now_s) == 0
    world.pass_by(0.5)
    assert (world.stale, world.known) == (True, True)
    world.hear(200.0, after_s=60)
    assert (world.stale, world.known) == (False, False)
    assert world.boards.resources.next_silence_s(world.now_s) == 5.0


def test_a_host_whose_clock_is_wrong_is_not_silent_for_that() -> None:
    for ahead_s in (-86_400.0, 86_400.0):
        world = living(host_ahead_s=ahead_s)
        assert (world.stale, world.known) == (False, False)
        world.pass_by(5.5)
        assert (world.stale, world.known) == (True, True), "and it is silent when it is"


def test_no_host_is_silent_because_our_clock_jumps() -> None:
    world = living()
    world.clock_ahead_s = 3600.0
    world.pass_by(2)
    assert (world.stale, world.known) == (False, False)
    world.clock_ahead_s = -3600.0
    world.hear(60.0, after_s=0.5)
    assert (world.stale, world.known) == (False, False)


def test_a_host_that_died_before_we_started_is_silent_and_never_shown_as_alive() -> None:
    world = World()
    world.clock_ahead_s = 1800.0
    for n in range(30):  # all at once, as READINGS has kept them
        world.hear(n * 10.0)
    world.look()
    assert (world.stale, world.known) == (True, None), "old, but nobody could have been heard yet"
    world.pass_by(5.5)
    assert (world.stale, world.known) == (True, True)


def test_a_host_that_goes_on_after_we_started_again_was_never_silent() -> None:
    world = World()
    world.clock_ahead_s = 350.0  # the host's clock is a minute behind
    for n in range(30):
        world.hear(n * 10.0)
    world.look()
    assert (world.stale, world.known) == (True, None)
    world.hear(301.0, after_s=1.5)
    assert (world.stale, world.known) == (False, False)
    world.pass_by(2)
    assert (world.stale, world.known) == (False, False)


def test_nobody_fell_silent_while_we_could_not_hear() -> None:
    world = living()
    world.pass_by(60, deaf=True)
    assert (world.stale, world.known) == (True, None), "the numbers are old, and whose fault that is is not known"
    world.hear(122.0, after_s=1)
    assert (world.stale, world.known) == (False, False)


def test_nobody_fell_silent_while_we_were_frozen() -> None:
    world = living()
    world.now_s += 30  # nothing was looked at
    world.look()
    assert (world.stale, world.known) == (True, None)
    world.pass_by(5.5)
    assert world.known is True


def test_a_sample_that_is_repeated_is_no_sign_of_life() -> None:
    world = living()
    last = 58.0
    for _ in range(4):
        world.hear(last, after_s=2)
    assert (world.stale, world.known) == (True, True)
