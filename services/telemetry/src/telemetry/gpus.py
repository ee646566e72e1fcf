"""All GPUs of the host, of any vendor. One bad GPU never hides the others: each is asked in a thread of its own, so one
that hangs is an error beside the others' numbers.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import msgspec
import psutil
from modeldeck_events.readings import GpuProcess, GpuSample

from telemetry.patience import NoAnswerError, Patient

MAX_GPUS = 64
MAX_PROCESSES = 16
NO_DRIVER = "no driver"
NO_GPU = "no GPU"
ABSENT = frozenset({NO_DRIVER, NO_GPU})
"""States in which there is nothing wrong: this vendor's GPUs are just not here."""


@dataclass(frozen=True, slots=True)
class Gpus:
    """All GPUs; `status` is "ok", or why there are none to show, or why some may be missing."""

    samples: tuple[GpuSample, ...]
    status: str


class Vendor(Protocol):
    """One vendor's library. Both methods may block, are called from several threads, and never raise for anything that
    the library or its absence does.
    """

    def count(self) -> int | str:
        """Return how many GPUs there are, or why none can be asked."""
        ...

    def device(self, index: int) -> GpuSample:
        """Return a GPU, or its error."""
        ...


class GpuProbe:
    """Asks every GPU of every vendor, each for at most `limit_s`."""

    def __init__(self, *vendors: Vendor, limit_s: float) -> None:
        self._vendors = [_Asked(vendor, limit_s) for vendor in vendors]

    async def sample(self) -> Gpus:
        """Return all GPUs, numbered through in the order of the vendors."""
        return joined(await asyncio.gather(*(vendor.sample() for vendor in self._vendors)))


def joined(found: Iterable[Gpus]) -> Gpus:
    """Return the GPUs of all vendors; a vendor that is just not here does not count as trouble."""
    found = list(found)
    samples = [sample for one in found for sample in one.samples]
    samples = [msgspec.structs.replace(sample, index=index) for index, sample in enumerate(samples)]
    trouble = dict.fromkeys(one.status for one in found if not one.samples and one.status not in ABSENT)
    if trouble:
        return Gpus(tuple(samples), "; ".join(trouble))
    return Gpus(tuple(samples), "ok" if samples else next((one.status for one in found), NO_GPU))


class _Asked:
    def __init__(self, vendor: Vendor, limit_s: float) -> None:
        self._vendor = vendor
        self._limit_s = limit_s
        self._count = Patient(vendor.count, limit_s=limit_s)
        self._devices: list[Patient[GpuSample]] = []
        self._last: dict[int, GpuSample] = {}

    async def sample(self) -> Gpus:
        try:
            count = await self._count.answer()
        except NoAnswerError as error:
            return Gpus((), str(error))
        if isinstance(count, str):
            return Gpus((), count)
        if not count:
            return Gpus((), NO_GPU)
        indices = range(min(count, MAX_GPUS))
        for index in indices[len(self._devices) :]:
            self._devices.append(Patient(functools.partial(self._vendor.device, index), limit_s=self._limit_s))
        return Gpus(tuple(await asyncio.gather(*(self._ask(index) for index in indices))), "ok")

    async def _ask(self, index: int) -> GpuSample:
        try:
            sample = self._last[index] = await self._devices[index].answer()
        except NoAnswerError as error:
            last = self._last.get(index)
            return GpuSample(
                index=index, name=last.name if last else "GPU", uuid=last.uuid if last else "", error=str(error)
            )
        return sample


def top_processes(used: dict[int, int | None], names: dict[int, str]) -> tuple[GpuProcess, ...]:
    """Return the processes that hold the most memory, of all by id, with their names.

    `names` is what was found the last time: a name is looked up once, and forgotten with its process.
    """
    order = sorted(used, key=lambda pid: (-(used[pid] or 0), pid))[:MAX_PROCESSES]
    known = {pid: names.get(pid) or _name(pid) for pid in order}
    names.clear()
    names.update(known)
    return tuple(GpuProcess(pid=pid, name=known[pid], memory_used_bytes=used[pid]) for pid in order)


def _name(pid: int) -> str:
    """Return a process's name, "" for one that cannot be seen from here (in a container: those of others)."""
    try:
        return str(psutil.Process(pid).name())
    except (psutil.Error, OSError, ValueError):
        return ""
