"""What operators and supervisors ask: alive, ready, and the metrics. Not below `/api`."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.context import GatewayDep, json_answer
from gateway.routes.shapes import Shape

router = APIRouter(tags=["operations"])


class Alive(Shape):
    """The process lives."""

    status: Literal["ok"]


class ServiceReady(Shape):
    """Whether a service is ready."""

    ok: bool


class Readiness(Shape):
    """Whether the read models have caught up and every service is ready."""

    status: Literal["ready", "not_ready"]
    services: dict[str, ServiceReady]


@router.get("/healthz", response_model=Alive)
async def healthz() -> Response:
    """Return 200 while the process lives and answers, whatever became of the rest."""
    return json_answer({"status": "ok"})


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(gateway: GatewayDep) -> Response:
    """Return 200 once the read models have caught up and every service is ready, else 503. Says nothing secret."""
    health = await gateway.health.check()
    ready = health["status"] == "ready"
    body = {
        "status": health["status"],
        "services": {name: {"ok": service["ok"]} for name, service in health["services"].items()},
    }
    return json_answer(body, 200 if ready else 503, None if ready else {"Retry-After": "1"})


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics() -> Response:
    """Return the metrics of this process for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
