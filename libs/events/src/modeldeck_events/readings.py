"""Readings: the newest value counts. Subject `rdg.<kind>.<key...>`, memory only, never in EVENTS."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from modeldeck_events import subjects
from modeldeck_events.message import Message, Reading

HISTORY_STEP_S = 10.0
"""Of a host's samples one in so many seconds is kept for an hour, the others for SHORT_LIFE_S: at 2 s the whole hour of
a host with eight GPUs would take a quarter of what READINGS may hold.
"""
SHORT_LIFE_S = 30


class DownloadProgress(Reading, frozen=True, kw_only=True):
    """Where a running download stands; published with a rollup header so only the newest is kept, at most 4 a second.

    `downloaded_bytes` and `total_bytes` are of the whole download; `speed_bps` is bytes per second on the network.
    """

    KIND: ClassVar[str] = "progress"
    pool: str
    target_id: str
    download_id: str
    attempt: int
    stage: Literal["downloading", "verifying"]
    downloaded_bytes: int
    total_bytes: int | None
    speed_bps: float
    eta_s: float | None
    file_path: str
    file_kind: str
    file_index: int
    file_count: int
    at: datetime


class MemorySample(Message, frozen=True, kw_only=True):
    """Bytes of RAM; `used` leaves out what the system can take back (page cache)."""

    total_bytes: int
    used_bytes: int
    available_bytes: int
    percent: float


class DiskSample(Message, frozen=True, kw_only=True):
    """One volume by statvfs; either the numbers or `error` (a failed probe is never a zero)."""

    path: str
    total_bytes: int | None = None
    used_bytes: int | None = None
    free_bytes: int | None = None
    percent: float | None = None
    error: str | None = None


class NetworkSample(Message, frozen=True, kw_only=True):
    """Bytes per second over all physical interfaces since the sample before; None when it cannot be told."""

    received_bps: int | None = None
    sent_bps: int | None = None


class DiskIoSample(Message, frozen=True, kw_only=True):
    """Bytes per second over all physical disks since the sample before; None when it cannot be told."""

    read_bps: int | None = None
    written_bps: int | None = None


class GpuProcess(Message, frozen=True, kw_only=True):
    """A process that uses a GPU; `name` is "" and the memory None when the system does not tell."""

    pid: int
    name: str = ""
    memory_used_bytes: int | None = None


class GpuSample(Message, frozen=True, kw_only=True):
    """One GPU; a field that the device does not support is None, a device that fails carries `error`.

    `processes` are those of `process_count` that hold the most memory, at most 16.
    """

    index: int
    name: str
    uuid: str = ""
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    utilization_percent: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    error: str | None = None
    processes: tuple[GpuProcess, ...] | None = None
    process_count: int | None = None


class HostSample(Reading, frozen=True, kw_only=True):
    """What a host looks like at `at`. `gpu_status`: ok, or why there are none ("no driver" ...).

    `cpu_percent` is of what may be used: `cpu_limit` processors' worth of time where a limit is set (in a container its
    own share), else of the whole machine. `cpu_count` are the processors that can work for it at a time.
    """

    KIND: ClassVar[str] = "host"
    host: str
    pool: str
    at: datetime
    interval_s: float
    cpu_percent: float | None
    cpu_count: int
    memory: MemorySample | None
    disks: tuple[DiskSample, ...]
    gpus: tuple[GpuSample, ...] = ()
    gpu_status: str = ""
    cpu_limit: float | None = None
    network: NetworkSample | None = None
    disk_io: DiskIoSample | None = None


def is_kept(sample: HostSample, last: datetime | None) -> bool:
    """Tell whether a sample is one for the history, when the last such one was at `last`; clocks may jump."""
    return last is None or abs((sample.at - last).total_seconds()) >= HISTORY_STEP_S - sample.interval_s / 2


READINGS: tuple[type[Reading], ...] = (DownloadProgress, HostSample)


def progress_subject(pool: str, target_id: str) -> str:
    """Subject of one target's progress."""
    return subjects.reading(DownloadProgress.KIND, pool, target_id)


def host_subject(host: str) -> str:
    """Subject of one host's samples."""
    return subjects.reading(HostSample.KIND, host)
