"""The machine: resources now and over the last hour (R-120), and how the services are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

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

    total: int | None = None
    used: int | None = None
    free: int | None = None
    percent: float | None = None
    error: str | None = None


class Gpu(Shape):
    """One GPU; memory in MB (2^20 bytes) as the seeds have it, and in bytes."""

    name: str
    memory_used: int | None = None
    memory_total: int | None = None
    utilization: float | None = None
    error: str | None = None


class Gpus(Shape):
    """All GPUs of a host."""

    devices: list[Gpu]


class HostResources(Shape):
    """The newest sample of one host; `stale` when it fell silent."""

    at: str | None = None
    cpu_percent: float | None = None
    memory: Memory | None = None
    disk: Disk | None = None
    gpu: Gpus | None = None
    stale: bool | None = None


class Resources(HostResources):
    """This pool's host, and every host by name."""

    hosts: dict[str, HostResources] = Field(default_factory=dict)


class ResourceHistory(Shape):
    """Points of each host, oldest first."""

    minutes: int
    step_s: float
    hosts: dict[str, list[dict[str, Any]]]


class SystemHealth(Shape):
    """Whether everything is ready, per service."""

    status: str
    epoch: str
    seq: int
    services: dict[str, dict[str, Any]]


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
    return json_answer(await gateway.health.check())
