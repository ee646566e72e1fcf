"""The machine: resources now and over the last hour (R-120), and how the services are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from gateway.boards.board import known
from gateway.context import GatewayDep, ReadyDep, json_answer, read_answer
from gateway.past import ViewDep
from gateway.problems import away
from gateway.routes.shapes import Shape

router = APIRouter(prefix="/system", tags=["system"])


class Memory(Shape):
    """Bytes of RAM, percent 0..100."""

    total: int
    used: int
    available: int
    percent: float


class Disk(Shape):
    """Bytes of the models folder's volume; `error` instead of numbers when it cannot be read."""

    path: str | None = None
    total: int | None = None
    used: int | None = None
    free: int | None = None
    percent: float | None = None
    error: str | None = None


class Network(Shape):
    """Bytes per second over all physical interfaces; a number that cannot be told is absent."""

    received_bps: int | None = None
    sent_bps: int | None = None


class DiskIo(Shape):
    """Bytes per second over all physical disks; a number that cannot be told is absent."""

    read_bps: int | None = None
    written_bps: int | None = None


class GpuProcess(Shape):
    """A process that uses a GPU."""

    pid: int
    name: str | None = None
    memory_used_bytes: int | None = None


class Gpu(Shape):
    """One GPU; memory in MB (2^20 bytes) as the seeds have it, and in bytes."""

    index: int
    name: str
    memory_used: int | None = None
    memory_total: int | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    utilization: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    error: str | None = None
    processes: list[GpuProcess] | None = Field(None, description="those that hold the most memory, at most 16")
    process_count: int | None = None


class Gpus(Shape):
    """All GPUs of a host."""

    devices: list[Gpu]
    status: str | None = Field(None, description='"ok", or why there are none ("no driver" ...) or some may be missing')


class HostResources(Shape):
    """The newest sample of one host; `stale` when it fell silent."""

    at: str | None = None
    cpu_percent: float | None = Field(None, description="of what may be used: in a container of its share")
    cpu_count: int | None = Field(None, description="processors that can work at a time")
    cpu_limit: float | None = Field(None, description="processors' worth of time that may be used, where limited")
    memory: Memory | None = None
    disk: Disk | None = None
    disks: list[Disk] | None = Field(None, description="every volume with models, the models folder's first")
    network: Network | None = None
    disk_io: DiskIo | None = None
    gpu: Gpus | None = None
    stale: bool | None = None


class Resources(HostResources):
    """This pool's host, and every host by name."""

    hosts: dict[str, HostResources] = Field(default_factory=dict)


class GpuPoint(Shape):
    """One GPU at a time of the past."""

    index: int
    memory_used: int | None = Field(None, description="MB")
    memory_percent: float | None = None
    utilization: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None


class ResourcePoint(Shape):
    """One host at a time of the past; what was not known then is absent."""

    at: str
    cpu_percent: float | None = None
    memory_percent: float | None = None
    disk_percent: float | None = Field(None, description="of the models folder's volume")
    network: Network | None = None
    disk_io: DiskIo | None = None
    gpu: list[GpuPoint] | None = None


class ResourceHistory(Shape):
    """Points of each host, oldest first."""

    minutes: int
    step_s: float
    hosts: dict[str, list[ResourcePoint]]


class SystemHealth(Shape):
    """Whether everything is ready, per service."""

    status: str
    epoch: str
    seq: int
    services: dict[str, dict[str, Any]]
    comfyui_url: str | None = Field(None, description="where a person opens the ComfyUI of MODELDECK_COMFYUI_URL")


@router.get("/resources", response_model=Resources)
async def resources(request: Request, view: ViewDep) -> Response:
    """Return the newest samples; 503 while no host has ever reported."""
    state = view.topic("resources")
    if not state.get("hosts"):
        raise away("No host has reported its resources yet.")
    return read_answer(request, state)


@router.get("/resources/history", response_model=ResourceHistory)
async def history(gateway: ReadyDep, minutes: Annotated[int, Query(ge=1, le=60)] = 60) -> Response:
    """Return the samples of the last minutes in steps of ten seconds."""
    return json_answer(gateway.boards.resources.history(minutes, datetime.now(UTC)))


@router.get("/health", response_model=SystemHealth)
async def health(gateway: GatewayDep) -> Response:
    """Return how every service is; 200 also when one is not well, so that it can be shown."""
    return json_answer(known(**await gateway.health.check(), comfyui_url=gateway.settings.comfyui_link or None))
