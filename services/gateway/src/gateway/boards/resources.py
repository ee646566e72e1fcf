"""The hosts' resources, from their newest samples (R-120). A failed probe has an `error`, never a zero.

Nothing here comes from the log, so nothing is saved: samples come again every few seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

from modeldeck_events.readings import DiskSample, GpuSample, HostSample
from modeldeck_events.store import Record

from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.storage import Disk

SILENT_AFTER_SAMPLES = 2.5
"""A host that missed so many samples is silent, so that it is shown as that within three intervals."""
HISTORY_STEP_S = 10.0
HISTORY_POINTS = 360
MAX_HOSTS = 1000
MB = 1024 * 1024


class Resources:
    """The newest sample per host and an hour of history in steps of ten seconds."""

    VERSION = 1

    def __init__(self, *, pool: str) -> None:
        self._pool = pool
        self._samples: dict[str, HostSample] = {}
        self._stale: set[str] = set()
        self._history: dict[str, deque[Json]] = {}
        self._recorded: dict[str, datetime] = {}

    def apply(self, record: Record) -> bool:  # noqa: ARG002 - a board; this one lives from readings
        """Facts change nothing here."""
        return False

    def read(self, sample: HostSample) -> bool:
        """Take a host's sample unless a newer one is there."""
        before = self._samples.get(sample.host)
        if (before is not None and before.at > sample.at) or (before is None and len(self._samples) >= MAX_HOSTS):
            return False
        self._samples[sample.host] = sample
        self._stale.discard(sample.host)
        self._record(sample)
        return True

    def age(self, now: datetime) -> bool:
        """Mark hosts that fell silent as stale; return whether one changed."""
        stale = {host for host, sample in self._samples.items() if now - sample.at > _patience(sample)}
        changed = stale != self._stale
        self._stale = stale
        return changed

    def reporting(self) -> Iterator[tuple[HostSample, bool]]:
        """Yield the newest sample of every host, and whether it fell silent since."""
        return ((sample, host in self._stale) for host, sample in self._samples.items())

    def state(self) -> Json:
        """Return the resources of this pool's host at the top, and the same per host below `hosts`."""
        hosts = {host: self._host(sample) for host, sample in sorted(self._samples.items())}
        main = next((host for host, sample in sorted(self._samples.items()) if sample.pool == self._pool), None)
        main = main or next(iter(hosts), None)
        return (hosts[main] if main else {}) | {"hosts": hosts}

    def disks(self) -> list[Disk]:
        """Return the volumes of this pool's hosts as they were read last, the newest readings first."""
        samples = sorted((s for s in self._samples.values() if s.pool == self._pool), key=lambda s: s.at, reverse=True)
        return [Disk(disk, sample.host in self._stale) for sample in samples for disk in sample.disks]

    def history(self, minutes: int, now: datetime) -> Json:
        """Return each host's points of the last `minutes`, oldest first."""
        since = words.time(now - timedelta(minutes=minutes))
        return {
            "minutes": minutes,
            "step_s": HISTORY_STEP_S,
            "hosts": {host: [p for p in points if p["at"] >= since] for host, points in sorted(self._history.items())},
        }

    def reset(self) -> None:
        """Keep the samples: they do not depend on the log."""

    def dump(self) -> bytes:
        """Return nothing: samples come again by themselves."""
        return b"{}"

    def load(self, data: bytes) -> None:
        """Take nothing over."""

    def _record(self, sample: HostSample) -> None:
        last = self._recorded.get(sample.host)
        if last is not None and (sample.at - last).total_seconds() < HISTORY_STEP_S - 0.5:
            return
        self._recorded[sample.host] = sample.at
        disk = next(iter(sample.disks), None)
        self._history.setdefault(sample.host, deque(maxlen=HISTORY_POINTS)).append(
            known(
                at=words.time(sample.at),
                cpu_percent=sample.cpu_percent,
                memory_percent=sample.memory.percent if sample.memory else None,
                disk_percent=disk.percent if disk else None,
                gpu=[
                    known(index=g.index, memory_used=_mb(g.memory_used_bytes), utilization=g.utilization_percent)
                    for g in sample.gpus
                ]
                or None,
            )
        )

    def _host(self, sample: HostSample) -> Json:
        memory = sample.memory
        return known(
            host=sample.host,
            pool=sample.pool,
            at=words.time(sample.at),
            stale=True if sample.host in self._stale else None,
            cpu_percent=sample.cpu_percent,
            cpu_count=sample.cpu_count,
            memory={
                "total": memory.total_bytes,
                "used": memory.used_bytes,
                "available": memory.available_bytes,
                "percent": memory.percent,
            }
            if memory
            else None,
            disk=_disk(sample.disks[0]) if sample.disks else None,
            disks=[_disk(disk) for disk in sample.disks],
            gpu=known(devices=[_gpu(gpu) for gpu in sample.gpus], status=sample.gpu_status or None),
        )


def _patience(sample: HostSample) -> timedelta:
    return timedelta(seconds=SILENT_AFTER_SAMPLES * sample.interval_s)


def _disk(disk: DiskSample) -> Json:
    return known(
        path=disk.path,
        total=disk.total_bytes,
        used=disk.used_bytes,
        free=disk.free_bytes,
        percent=disk.percent,
        error=disk.error,
    )


def _gpu(gpu: GpuSample) -> Json:
    return known(
        index=gpu.index,
        name=gpu.name,
        memory_used=_mb(gpu.memory_used_bytes),
        memory_total=_mb(gpu.memory_total_bytes),
        memory_used_bytes=gpu.memory_used_bytes,
        memory_total_bytes=gpu.memory_total_bytes,
        utilization=gpu.utilization_percent,
        temperature_c=gpu.temperature_c,
        power_w=gpu.power_w,
        error=gpu.error,
    )


def _mb(size_bytes: int | None) -> int | None:
    return None if size_bytes is None else round(size_bytes / MB)
