"""CPU, memory and disks of this host. Absence and failure are values: a probe that fails never reads as zero."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil
from modeldeck_events.readings import DiskSample, MemorySample

from telemetry.cgroups import Cgroups, CpuLimit, used_cpu_s


class CpuSample(NamedTuple):
    """`percent` is 0..100 of what may be used, None when that cannot be told; `limit` is in processors, None: none."""

    percent: float | None
    processors: int
    limit: float | None


class Cpu:
    """The share of the processors in use since the last call: of the cgroup's where one limits this process (its own
    share then, whatever else the machine does), else of all.
    """

    def __init__(self, cgroups: Cgroups | None = None, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._cgroups = cgroups or Cgroups()
        self._now_s = now_s
        self._machine = os.cpu_count() or 1
        self._allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else self._machine
        self._before: tuple[Path, float, float] | None = None
        self.sample()  # the first value has no beginning and means nothing

    def sample(self) -> CpuSample:
        """Return the share since the last call."""
        limit = self._cgroups.cpu(below=self._machine)
        if limit is None:
            self._before = None
            return CpuSample(_machine_percent(), self._allowed, None)
        return CpuSample(self._share(limit), min(limit.processors, self._allowed), limit.cpus)

    def _share(self, limit: CpuLimit) -> float | None:
        used_s, now_s = used_cpu_s(limit.folder), self._now_s()
        before, self._before = self._before, None if used_s is None else (limit.folder, used_s, now_s)
        if used_s is None or before is None or before[0] != limit.folder:
            return None
        of_s, worked_s = (now_s - before[2]) * limit.cpus, used_s - before[1]
        if of_s <= 0 or worked_s < 0:
            return None
        return round(min(100.0, 100 * worked_s / of_s), 1)


def _machine_percent() -> float | None:
    try:
        return psutil.cpu_percent(interval=None)
    except (OSError, psutil.Error):
        return None


def memory(cgroups: Cgroups) -> MemorySample | None:
    """Return what this process may use of the RAM: the tightest cgroup limit above it, else the whole machine's.

    Used is what cannot be taken back at once: page cache is available. None when the system does not tell.
    """
    try:
        host = psutil.virtual_memory()
    except (OSError, psutil.Error):
        return None
    total, available = host.total, min(host.available, host.total)
    limit = cgroups.memory(below=total)
    if limit is None:
        return _memory(total, total - available)
    return _memory(limit.limit_bytes, max(limit.used_bytes, limit.limit_bytes - available))


def _memory(total: int, used: int) -> MemorySample:
    used = min(used, total)
    percent = round(100 * used / total, 1)
    return MemorySample(total_bytes=total, used_bytes=used, available_bytes=total - used, percent=percent)


@dataclass(frozen=True, slots=True)
class Volume:
    """A disk's sample; `device` tells two folders of one volume from two volumes, None when it could not be asked."""

    sample: DiskSample
    device: int | None = None


def volume(path: Path) -> Volume:
    """Return the volume that `path` lies on; blocks for as long as a dead network volume does.

    A path that is not there yet stands for the volume on which it would be made.
    """
    try:
        existing = next(folder for folder in (path, *path.parents) if folder.exists())
        device = existing.stat().st_dev
        usage = psutil.disk_usage(str(existing))
    except OSError as error:
        return Volume(DiskSample(path=str(path), error=error.strerror or str(error)))
    sample = DiskSample(
        path=str(path),
        total_bytes=usage.total,
        used_bytes=usage.used,
        free_bytes=usage.free,
        percent=round(usage.percent, 1),
    )
    return Volume(sample, device)
