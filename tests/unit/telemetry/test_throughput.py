from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.readings import DiskIoSample, NetworkSample
from telemetry import throughput
from telemetry.throughput import Counters, Rates, Throughput, between

COUNTERS = st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(0, 2**64), st.integers(0, 2**64)))


class Nic(NamedTuple):
    bytes_recv: int
    bytes_sent: int


class Disk(NamedTuple):
    read_bytes: int
    write_bytes: int


def metered(network: list[Counters | Exception], disks: list[Counters | Exception]) -> Throughput:
    """A host whose counters are read once at the start, then once for each sample, two seconds apart."""

    def reads(answers: list[Counters | Exception]) -> Any:
        found: Iterator[Counters | Exception] = iter(answers)

        def read() -> Counters:
            answer = next(found)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return read

    clock = {"s": 0.0}

    def now_s() -> float:
        clock["s"] += 1.0  # the network and the disks are read in turns
        return clock["s"]

    return Throughput(reads(network), reads(disks), now_s=now_s)


def test_rates_are_bytes_per_second_over_all_devices() -> None:
    meter = metered(
        [{"eth0": (1000, 0), "eth1": (0, 0)}, {"eth0": (3000, 10), "eth1": (2000, 0)}],
        [{"sda": (0, 0)}, {"sda": (0, 8192)}],
    )
    assert meter.network() == NetworkSample(received_bps=2000, sent_bps=5)
    assert meter.disks() == DiskIoSample(read_bps=0, written_bps=4096)


def test_a_counter_that_goes_backwards_is_absent_once_and_never_negative() -> None:
    full = 2**32 - 1
    network: list[Counters | Exception] = [{"a": (full, 0)}, {"a": (10, 20)}, {"a": (30, 40)}]
    meter = metered(network, [{}, {}, {}])
    assert [meter.network(), meter.disks()] == [NetworkSample(received_bps=None, sent_bps=10), None]
    assert meter.network() == NetworkSample(received_bps=10, sent_bps=10)


def test_devices_that_come_and_go_add_only_what_was_seen_of_them() -> None:
    network: list[Counters | Exception] = [{"a": (0, 0)}, {"b": (9, 9)}, {"a": (5000, 0), "b": (29, 9)}, {}]
    meter = metered(network, [{}] * 4)
    told = []
    for _ in range(3):
        told.append(meter.network())
        meter.disks()
    assert told == [None, NetworkSample(received_bps=10, sent_bps=0), None]


@pytest.mark.parametrize("error", [OSError("no /proc"), NotImplementedError(), psutil.AccessDenied(1)])
def test_a_host_that_does_not_tell_has_no_rate(error: Exception) -> None:
    meter = metered([{"a": (0, 0)}, error, {"a": (4, 4)}, {"a": (8, 8)}], [error] * 4)
    told = []
    for _ in range(3):
        told.append(meter.network())
        assert meter.disks() is None
    assert told == [None, None, NetworkSample(received_bps=4, sent_bps=4)], "after a gap nothing is compared with"


@given(COUNTERS, COUNTERS, st.floats(-10, 10))
def test_no_rate_is_negative(before: Counters, after: Counters, seconds: float) -> None:
    assert all(rate is None or rate >= 0 for rate in between(before, after, seconds))


@given(COUNTERS)
def test_what_did_not_move_has_the_rate_zero(counters: Counters) -> None:
    assert between(counters, counters, 2.0) == (Rates(0, 0) if counters else Rates())


def test_only_physical_interfaces_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: Nic(10, 20) for name in ("lo", "eth0", "docker0", "wg0")}
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: found)
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "eth0" / "device").mkdir(parents=True)
    assert throughput.network_counters(tmp_path) == {"eth0": (10, 20)}
    assert set(throughput.network_counters(tmp_path / "none")) == {"eth0", "docker0", "wg0"}, "as in a container"


def test_only_whole_physical_disks_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: Disk(512, 1024) for name in ("nvme0n1", "nvme0n1p1", "dm-0", "md0", "loop0", "zram0", "cciss/c0d0")}
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: found)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("nvme0n1", "cciss!c0d0"):
        (tmp_path / name / "device").mkdir(parents=True)
    assert throughput.disk_counters(tmp_path) == {"nvme0n1": (512, 1024), "cciss/c0d0": (512, 1024)}
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: None)
    assert throughput.disk_counters(tmp_path) == {}
