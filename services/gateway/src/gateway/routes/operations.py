"""What operators and supervisors ask: alive, ready, and the metrics. Not below `/api`."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from modeldeck_events.errors import UnavailableError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway import gauges
from gateway.context import GatewayDep, json_answer
from gateway.routes.shapes import Shape

HEAD_S = 0.5
"""How long a scrape waits to hear where the log ends; the lag is absent then."""

router = APIRouter(tags=["operations"])


class Alive(Shape):
    """The process lives."""

    status: Literal["ok"]


class ServiceReady(Shape):
    """Whether a service is ready."""

    ok: bool


class Readiness(Shape):
    """Whether the log answers, the read models have caught up, and every service is ready; `reasons` say why not."""

    status: Literal["ready", "not_ready"]
    reasons: list[str]
    services: dict[str, ServiceReady]


@router.get("/healthz", response_model=Alive)
async def healthz() -> Response:
    """Return 200 while the process lives and answers, whatever became of the rest."""
    return json_answer({"status": "ok"})


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(gateway: GatewayDep) -> Response:
    """Return 200 once the event log answers, the read models have caught up and every service is ready; else 503."""
    health = await gateway.health.check()
    ready = health["status"] == "ready"
    body = {
        "status": health["status"],
        "reasons": health["reasons"],
        "services": {name: {"ok": service["ok"]} for name, service in health["services"].items()},
    }
    return json_answer(body, 200 if ready else 503, None if ready else {"Retry-After": "1"})


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(gateway: GatewayDep) -> Response:
    """Return the metrics of this process, and what the read models know, for Prometheus."""
    try:
        async with asyncio.timeout(HEAD_S):
            head = (await gateway.store.head()).seq
    except (UnavailableError, TimeoutError):
        head = None
    return Response(generate_latest() + gauges.render(gateway.live, head=head), media_type=CONTENT_TYPE_LATEST)
