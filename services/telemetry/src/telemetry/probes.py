"""CPU, memory and disks of this host. Absence and failure are values: a probe that fails never reads as zero."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil
from modeldeck_events.readings import DiskSample, MemorySample

_NO_LIMIT = "max"


class Cpu:
    """Share of all processors in use since the last call."""

    def __init__(self) -> None:
        self.count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        psutil.cpu_percent(interval=None)  # the first value has no beginning and means nothing

    def percent(self) -> float | None:
        """Return 0..100, None when the system does not tell."""
        try:
            return psutil.cpu_percent(interval=None)
        except (OSError, psutil.Error):
            return None


def memory(proc: Path = Path("/proc/self/cgroup"), cgroups: Path = Path("/sys/fs/cgroup")) -> MemorySample | None:
    """Return what this process may use of the RAM: the tightest cgroup v2 limit above it, else the whole machine's.

    Used is what cannot be taken back at once: page cache is available. None when the system does not tell.
    """
    try:
        host = psutil.virtual_memory()
    except (OSError, psutil.Error):
        return None
    total, available = host.total, min(host.available, host.total)
    group = _limited_group(proc, cgroups, below=total)
    if group is None:
        return _memory(total, total - available)
    limit, used = group
    return _memory(limit, max(used, limit - available))


def _memory(total: int, used: int) -> MemorySample:
    used = min(used, total)
    percent = round(100 * used / total, 1)
    return MemorySample(total_bytes=total, used_bytes=used, available_bytes=total - used, percent=percent)


def _limited_group(proc: Path, cgroups: Path, *, below: int) -> tuple[int, int] | None:
    """Return limit and use of the cgroup whose limit is the smallest (kernel: cgroup-v2.rst, memory.max)."""
    try:
        own = next(line[3:].strip() for line in proc.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    folder, found = cgroups / own.strip("/"), None
    while folder.is_relative_to(cgroups):
        limit = _number(folder / "memory.max")
        if limit is not None and 0 < limit < below:
            used = _used(folder)
            if used is not None:
                below, found = limit, (limit, used)
        if folder == cgroups:
            break
        folder = folder.parent
    return found


def _used(folder: Path) -> int | None:
    """Return what the group holds less what the kernel can take back: its file pages and reclaimable slab."""
    current = _number(folder / "memory.current")
    if current is None:
        return None
    try:
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        cache = sum(int(stat.get(name, 0)) for name in ("inactive_file", "active_file", "slab_reclaimable"))
    except (OSError, ValueError):
        cache = 0
    return max(0, current - cache)


def _number(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
        return None if text == _NO_LIMIT else int(text)
    except (OSError, ValueError):
        return None


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
