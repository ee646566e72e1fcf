"""What a cgroup v2 lets this process use, by the kernel's files (kernel: cgroup-v2.rst). A limit of any group above it
counts; without cgroups, and in the older version 1, there are no limits to tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_NO_LIMIT = "max"


class CpuLimit(NamedTuple):
    """So many processors' worth of time (`cpus`), used up in `folder`; `processors` can work at a time."""

    cpus: float
    processors: int
    folder: Path


class MemoryLimit(NamedTuple):
    """Bytes that may be used, and bytes that are, less what the kernel can take back: file pages, reclaimable slab."""

    limit_bytes: int
    used_bytes: int


class Cgroups:
    """The groups of this process, from its own up to the topmost that can be seen."""

    def __init__(self, proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> None:
        self._groups = tuple(_groups(proc, root))

    def memory(self, *, below: int) -> MemoryLimit | None:
        """Return the tightest limit that is smaller than `below` bytes, None when there is none."""
        found = None
        for folder in self._groups:
            limit = _number(folder / "memory.max")
            if limit is not None and 0 < limit < below:
                used = _used(folder)
                if used is not None:
                    below, found = limit, MemoryLimit(limit, used)
        return found

    def cpu(self, *, below: int) -> CpuLimit | None:
        """Return the tightest limit, by time (cpu.max) or by processors (cpuset), None without one below `below`."""
        found = self._cpuset(below)
        for folder in self._groups:
            cpus = _quota(folder)
            if cpus is not None and cpus < (found.cpus if found else below):
                found = CpuLimit(cpus, min(found.processors if found else below, max(1, -int(-cpus // 1))), folder)
        return found

    def _cpuset(self, below: int) -> CpuLimit | None:
        """Return the topmost group with the processors that this process may use, when these are not all."""
        own = next((text for folder in self._groups if (text := _text(folder / "cpuset.cpus.effective"))), "")
        count = count_of(own)
        if not 0 < count < below:
            return None
        same = [folder for folder in self._groups if _text(folder / "cpuset.cpus.effective") == own]
        return CpuLimit(float(count), count, same[-1])


def used_cpu_s(folder: Path) -> float | None:
    """Return the seconds of processor time that a group has used, None when it does not tell."""
    for line in _text(folder / "cpu.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "usage_usec" and value.isdecimal():
            return int(value) / 1_000_000
    return None


def count_of(text: str) -> int:
    """Return how many processors a list such as `0-3,8` names, 0 when it is none."""
    count = 0
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            return 0
        count += max(0, int(last) - int(first) + 1) if dash else 1
    return count


def _groups(proc: Path, root: Path) -> list[Path]:
    own = next((line[3:] for line in _text(proc).splitlines() if line.startswith("0::")), None)
    if own is None:
        return []
    folder = root / own.strip("/")
    return [group for group in (folder, *folder.parents) if group.is_relative_to(root) and ".." not in group.parts]


def _quota(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not quota.isdecimal() or not period.isdecimal() or int(quota) < 1 or int(period) < 1:
        return None
    return int(quota) / int(period)


def _used(folder: Path) -> int | None:
    current = _number(folder / "memory.current")
    if current is None:
        return None
    try:
        stat = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
        cache = sum(int(stat.get(name, 0)) for name in ("inactive_file", "active_file", "slab_reclaimable"))
    except ValueError:
        cache = 0
    return max(0, current - cache)


def _number(file: Path) -> int | None:
    text = _text(file)
    try:
        return None if text == _NO_LIMIT else int(text)
    except ValueError:
        return None


def _text(file: Path) -> str:
    """Return what stands in a file of the kernel's, "" when it cannot be read."""
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
