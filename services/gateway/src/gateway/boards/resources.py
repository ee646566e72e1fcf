"""The hosts' resources, from their newest samples (R-120). A failed probe has an `error`, never a zero.

Nothing here comes from the log, so nothing is saved: samples come again every few seconds, and READINGS keeps an hour.

Whether a host is silent is told by when its samples arrive here, not by the times in them: the hosts' clocks may be
wrong, and ours may jump. A sample that was read back from READINGS arrived before we listened; until the next one comes
it is as old as it says.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec
from modeldeck_events.readings import HISTORY_STEP_S, DiskSample, GpuProcess, GpuSample, HostSample, is_kept
from modeldeck_events.store import Record

from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.storage import Disk

SILENT_AFTER_SAMPLES = 2.5
"""A host that missed so many samples is silent, so that it is shown as that within three intervals."""
DEAF_S = 1.5
"""Who has not looked for so long (frozen, suspended) has not listened either."""
HISTORY_POINTS = 360
KEPT_BYTES = 32 * 1024 * 1024
"""Whole samples of the history, as much as READINGS holds of all readings; beyond that the oldest go."""
_HISTORY = timedelta(seconds=HISTORY_POINTS * HISTORY_STEP_S)
MAX_HOSTS = 1000
MB = 1024 * 1024


class _Heard(msgspec.Struct):
    """When a host's newest sample arrived here (monotonic seconds); `live` once samples arrive as they are made."""

    at_s: float
    live: bool = False


class Resources:
    """The newest sample per host and an hour of history in steps of ten seconds."""

    VERSION = 1
    FOLDS = ()

    def __init__(self, *, pool: str) -> None:
        self._pool = pool
        self._samples: dict[str, HostSample] = {}
        self._stale: set[str] = set()
        self._heard: dict[str, _Heard] = {}
        self._listening_s: float | None = None
        self._aged_s = -math.inf
        self._history: dict[str, deque[tuple[datetime, msgspec.Raw]]] = {}
        self._recorded: dict[str, datetime] = {}
        self._kept: deque[tuple[datetime, str, bytes]] = deque()
        self._kept_bytes = 0

    def apply(self, record: Record) -> bool:  # noqa: ARG002 - a board; this one lives from readings
        """Facts change nothing here."""
        return False

    def read(self, sample: HostSample, now_s: float | None = None) -> bool:
        """Take a host's sample, arrived at `now_s`, unless it is only repeated."""
        before = self._samples.get(sample.host)
        if (before is not None and before.at == sample.at) or (before is None and len(self._samples) >= MAX_HOSTS):
            return False
        if now_s is not None:
            heard = self._heard.get(sample.host)
            live = heard is not None and (heard.live or now_s - heard.at_s >= sample.interval_s / 2)
            self._heard[sample.host] = _Heard(now_s, live)
        self._samples[sample.host] = sample
        self._stale.discard(sample.host)
        self._record(sample)
        return True

    def age(self, now: datetime, now_s: float | None = None, *, deaf: bool = False) -> bool:
        """Mark hosts that fell silent as stale; return whether one changed. `deaf`: nothing can arrive at present."""
        if now_s is not None:
            if deaf or self._listening_s is None or now_s - self._aged_s > DEAF_S:
                self._listening_s = now_s
            self._aged_s = now_s
        stale = {host for host, sample in self._samples.items() if self._is_silent(sample, now, now_s)}
        changed = stale != self._stale
        self._stale = stale
        return changed

    def next_silence_s(self, now_s: float) -> float:
        """Return in how many seconds the next host falls silent if none is heard, infinity when there is none."""
        waited = (
            heard.at_s + _patience_s(self._samples[host]) - now_s
            for host, heard in self._heard.items()
            if host not in self._stale
        )
        return max(0.0, min(waited, default=math.inf))

    def reporting(self) -> Iterator[tuple[HostSample, bool]]:
        """Yield the newest sample of every host of which it is known whether it fell silent since, and whether.

        It is not known while nobody could have been heard: right after the start, an outage or a freeze of our own.
        """
        for host, sample in self._samples.items():
            silent = host in self._stale
            if self._is_judged(sample, silent=silent):
                yield sample, silent

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
        """Return each host's points of the last `minutes`, oldest first, each encoded as JSON."""
        since = now - timedelta(minutes=minutes)
        return {
            "minutes": minutes,
            "step_s": HISTORY_STEP_S,
            "hosts": {
                host: [point for at, point in points if at >= since] for host, points in sorted(self._history.items())
            },
        }

    def kept_at(self, moment: datetime) -> list[HostSample]:
        """Return each host's newest sample of a past moment, as far as they are kept: an hour, and KEPT_BYTES."""
        found = {host: data for at, host, data in self._kept if at <= moment}
        return [msgspec.json.decode(data, type=HostSample) for data in found.values()]

    def look_back(self, samples: Iterable[HostSample], moment: datetime) -> None:
        """Hold these samples alone, as if it were that moment."""
        self.__init__(pool=self._pool)  # type: ignore[misc]
        for sample in samples:
            self._samples[sample.host] = sample
            patience_s = max(_patience_s(sample), SILENT_AFTER_SAMPLES * HISTORY_STEP_S)
            if (moment - sample.at).total_seconds() > patience_s:
                self._stale.add(sample.host)

    def reset(self) -> None:
        """Keep the samples: they do not depend on the log."""

    def dump(self) -> bytes:
        """Return nothing: samples come again by themselves."""
        return b"{}"

    def load(self, data: bytes) -> None:
        """Take nothing over."""

    def _is_silent(self, sample: HostSample, now: datetime, now_s: float | None) -> bool:
        heard, patience_s = self._heard.get(sample.host), _patience_s(sample)
        is_old = (now - sample.at).total_seconds() > patience_s
        if heard is None or now_s is None:
            return is_old
        return now_s - heard.at_s > patience_s or (is_old and not heard.live)

    def _is_judged(self, sample: HostSample, *, silent: bool) -> bool:
        heard = self._heard.get(sample.host)
        if heard is None or self._listening_s is None:
            return True
        return self._aged_s - self._listening_s > _patience_s(sample) if silent else heard.live

    def _record(self, sample: HostSample) -> None:
        if not is_kept(sample, self._recorded.get(sample.host)):
            return
        self._recorded[sample.host] = sample.at
        points = self._history.setdefault(sample.host, deque(maxlen=HISTORY_POINTS))
        points.append((sample.at, msgspec.Raw(msgspec.json.encode(_point(sample)))))
        data = msgspec.json.encode(sample)
        self._kept.append((sample.at, sample.host, data))
        self._kept_bytes += len(data)
        while self._kept_bytes > KEPT_BYTES or sample.at - self._kept[0][0] > _HISTORY:
            self._kept_bytes -= len(self._kept.popleft()[2])

    def _host(self, sample: HostSample) -> Json:
        memory = sample.memory
        return known(
            host=sample.host,
            pool=sample.pool,
            at=words.time(sample.at),
            stale=True if sample.host in self._stale else None,
            cpu_percent=sample.cpu_percent,
            cpu_count=sample.cpu_count,
            cpu_limit=sample.cpu_limit,
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
            **_throughput(sample),
            gpu=known(devices=[_gpu(gpu) for gpu in sample.gpus], status=sample.gpu_status or None),
        )


def _patience_s(sample: HostSample) -> float:
    return SILENT_AFTER_SAMPLES * sample.interval_s


def _point(sample: HostSample) -> Json:
    """Return a sample as a point of the history; one of hundreds, so only what has a course."""
    disk = next(iter(sample.disks), None)
    return known(
        at=words.time(sample.at),
        cpu_percent=sample.cpu_percent,
        memory_percent=sample.memory.percent if sample.memory else None,
        disk_percent=disk.percent if disk else None,
        **_throughput(sample),
        gpu=[
            known(
                index=gpu.index,
                memory_used=_mb(gpu.memory_used_bytes),
                memory_percent=_share(gpu),
                utilization=gpu.utilization_percent,
                temperature_c=gpu.temperature_c,
                power_w=gpu.power_w,
            )
            for gpu in sample.gpus
        ]
        or None,
    )


def _throughput(sample: HostSample) -> Json:
    network, disk_io = sample.network, sample.disk_io
    return known(
        network=known(received_bps=network.received_bps, sent_bps=network.sent_bps) if network else None,
        disk_io=known(read_bps=disk_io.read_bps, written_bps=disk_io.written_bps) if disk_io else None,
    )


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
        processes=None if gpu.processes is None else [_process(process) for process in gpu.processes],
        process_count=gpu.process_count,
    )


def _process(process: GpuProcess) -> Json:
    return known(pid=process.pid, name=process.name or None, memory_used_bytes=process.memory_used_bytes)


def _share(gpu: GpuSample) -> float | None:
    if gpu.memory_used_bytes is None or not gpu.memory_total_bytes:
        return None
    return round(100 * gpu.memory_used_bytes / gpu.memory_total_bytes, 1)


def _mb(size_bytes: int | None) -> int | None:
    return None if size_bytes is None else round(size_bytes / MB)
