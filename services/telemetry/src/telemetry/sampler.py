"""Samples the host at a steady pace and publishes each sample as a reading."""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from modeldeck_events.readings import DiskSample, HostSample

from telemetry import probes
from telemetry.cgroups import Cgroups
from telemetry.gpus import Gpus
from telemetry.patience import NoAnswerError, Patient
from telemetry.probes import Volume
from telemetry.throughput import Throughput

FIRST_S = 0.25
"""The first sample comes this soon: a CPU share needs some time to be a share of."""
ANSWER_S = 1.0
"""What has not answered by then is said to give no answer, and the rest goes out."""
_log = structlog.get_logger(__name__)

Publish = Callable[[HostSample], Awaitable[None]]


class Sampler:
    """Samples this host; `volumes` are the folders whose disks matter, the models folder first.

    `mounts` returns, at any time, where further volumes begin that hold models.
    """

    def __init__(  # noqa: PLR0913 - by keyword, from the composition root only
        self,
        publish: Publish,
        *,
        host: str,
        pool: str,
        interval_s: float,
        volumes: Sequence[Path],
        gpus: Callable[[], Awaitable[Gpus]],
        mounts: Callable[[], Sequence[Path]] = tuple,
    ) -> None:
        self._publish = publish
        self._host = host
        self._pool = pool
        self._interval_s = interval_s
        self._volumes = tuple(volumes)
        self._mounts = mounts
        self._disks: dict[Path, Patient[Volume]] = {}
        self._gpus = gpus
        self._cgroups = Cgroups()
        self._cpu = probes.Cpu(self._cgroups)
        self._throughput = Throughput()
        self._said: dict[str, str] = {}

    async def run(self) -> None:
        """Sample for ever, at the start plus whole intervals: slow samples do not shift the later ones."""
        loop = asyncio.get_running_loop()
        due = loop.time() + FIRST_S
        while True:
            await asyncio.sleep(due - loop.time())
            await self._publish(await self.sample())
            due = next_due(due, loop.time(), self._interval_s)

    async def sample(self) -> HostSample:
        """Return one sample."""
        disks, gpus = await asyncio.gather(self._sample_disks(), self._sample_gpus())
        cpu = self._cpu.sample()
        return HostSample(
            host=self._host,
            pool=self._pool,
            at=datetime.now(UTC),
            interval_s=self._interval_s,
            cpu_percent=cpu.percent,
            cpu_count=cpu.processors,
            cpu_limit=cpu.limit,
            memory=probes.memory(self._cgroups),
            disks=disks,
            disk_io=self._throughput.disks(),
            network=self._throughput.network(),
            gpus=gpus.samples,
            gpu_status=gpus.status,
        )

    async def _sample_disks(self) -> tuple[DiskSample, ...]:
        """Return one sample per volume; a folder on the same volume as an earlier one adds nothing."""
        paths = tuple(dict.fromkeys((*self._volumes, *self._mounts())))
        self._disks = {path: self._disks.get(path) or self._disk(path) for path in paths}
        found = await asyncio.gather(*(self._ask_disk(path, disk) for path, disk in self._disks.items()))
        samples, devices = [], set()
        for volume in found:
            if volume.device is None or volume.device not in devices:
                samples.append(volume.sample)
            devices.add(volume.device)
        return tuple(samples)

    def _disk(self, path: Path) -> Patient[Volume]:
        return Patient(functools.partial(probes.volume, path), limit_s=patience_s(self._interval_s))

    async def _ask_disk(self, path: Path, disk: Patient[Volume]) -> Volume:
        try:
            volume = await disk.answer()
        except NoAnswerError as error:
            volume = Volume(DiskSample(path=str(path), error=str(error)))
        self._say(f"disk {path}", volume.sample.error or "ok")
        return volume

    async def _sample_gpus(self) -> Gpus:
        gpus = await self._gpus()
        self._say("GPUs", gpus.status)
        for gpu in gpus.samples:
            self._say(f"GPU {gpu.index}", gpu.error or "ok")
        return gpus

    def _say(self, what: str, status: str) -> None:
        """Log what a probe says when it says something else than before."""
        before, self._said[what] = self._said.get(what), status
        if before != status and (status != "ok" or before is not None):
            _log.info("probe", probe=what, status=status)


def patience_s(interval_s: float) -> float:
    """Return how long a sample waits for a probe: half an interval at most, so that samples stay evenly spaced."""
    return min(ANSWER_S, interval_s / 2)


def next_due(due: float, now: float, interval_s: float) -> float:
    """Return when the next sample is due: `due` plus so many whole intervals that it is not before `now`."""
    return due + max(1, math.ceil((now - due) / interval_s)) * interval_s
