"""How many bytes per second go through the host's network interfaces and disks, from the system's own counters.

Only physical devices are counted, so that a byte which also passes a bridge, a tunnel, a partition or a RAID is one
byte. In a container the interfaces are its own, and the disks are the host's, because the kernel keeps no others.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil
from modeldeck_events.readings import DiskIoSample, NetworkSample

Counters = Mapping[str, tuple[int, int]]
"""Bytes in (received, read) and out (sent, written) since some beginning, by device."""
_UNREADABLE = (OSError, psutil.Error, NotImplementedError, ValueError, RuntimeError)
"""What psutil raises where a platform has no such counters, or for a line of /proc that it does not know."""


class Rates(NamedTuple):
    """Bytes per second; None when it cannot be told."""

    inward: int | None = None
    outward: int | None = None


class Throughput:
    """The network's and the disks' throughput since the last call; the first call has nothing to compare with."""

    def __init__(
        self,
        network: Callable[[], Counters] | None = None,
        disks: Callable[[], Counters] | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._network = _Meter(network or network_counters, now_s)
        self._disks = _Meter(disks or disk_counters, now_s)

    def network(self) -> NetworkSample | None:
        """Return what came and went over the network."""
        rates = self._network.rates()
        return NetworkSample(received_bps=rates.inward, sent_bps=rates.outward) if any_told(rates) else None

    def disks(self) -> DiskIoSample | None:
        """Return what was read from and written to disks."""
        rates = self._disks.rates()
        return DiskIoSample(read_bps=rates.inward, written_bps=rates.outward) if any_told(rates) else None


class _Meter:
    def __init__(self, read: Callable[[], Counters], now_s: Callable[[], float]) -> None:
        self._read = read
        self._now_s = now_s
        self._before: tuple[float, Counters] | None = None
        self.rates()

    def rates(self) -> Rates:
        try:
            after = self._read()
        except _UNREADABLE:
            self._before = None
            return Rates()
        now_s = self._now_s()
        before, self._before = self._before, (now_s, after)
        return between(before[1], after, now_s - before[0]) if before else Rates()


SHORTEST_S = 0.001
"""Counters that were read closer together than this say nothing about a rate."""


def between(before: Counters, after: Counters, seconds: float) -> Rates:
    """Return the rates of all devices that were there both times.

    A counter that went backwards (it wrapped, or its device was made anew) has no rate, and a sum without it would be
    too low: that direction is None this once.
    """
    both = before.keys() & after.keys()
    if not both or seconds < SHORTEST_S:
        return Rates()
    inward = [after[name][0] - before[name][0] for name in both]
    outward = [after[name][1] - before[name][1] for name in both]
    return Rates(_rate(inward, seconds), _rate(outward, seconds))


def any_told(rates: Rates) -> bool:
    """Tell whether one of the directions is known."""
    return rates.inward is not None or rates.outward is not None


def _rate(grown: list[int], seconds: float) -> int | None:
    return None if min(grown) < 0 else round(sum(grown) / seconds)


def network_counters(sys_net: Path = Path("/sys/class/net")) -> Counters:
    """Return the counters of the physical interfaces; where there is none (a container), of all but the loopback."""
    found = psutil.net_io_counters(pernic=True, nowrap=False)
    counters = {name: (one.bytes_recv, one.bytes_sent) for name, one in found.items() if not name.startswith("lo")}
    if sys.platform == "darwin":
        return {name: one for name, one in counters.items() if name.startswith("en")}
    return {name: one for name, one in counters.items() if (sys_net / name / "device").exists()} or counters


def disk_counters(sys_block: Path = Path("/sys/block")) -> Counters:
    """Return the counters of whole physical disks, none where only others are to be seen."""
    found = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
    counters = {name: (one.read_bytes, one.write_bytes) for name, one in found.items()}
    if not sys.platform.startswith("linux"):
        return counters
    return {name: one for name, one in counters.items() if (sys_block / name.replace("/", "!") / "device").exists()}
