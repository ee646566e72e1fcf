"""What operators and supervisors ask: alive, ready, and the metrics. Not below `/api`."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.context import GatewayDep, json_answer

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> Response:
    """Return 200 while the process lives and answers, whatever became of the rest."""
    return json_answer({"status": "ok"})


@router.get("/readyz")
async def readyz(gateway: GatewayDep) -> Response:
    """Return 200 once the read models have caught up and every service is ready, else 503. Says nothing secret."""
    health = await gateway.health.check()
    ready = health["status"] == "ready"
    body = {
        "status": health["status"],
        "services": {name: {"ok": service["ok"]} for name, service in health["services"].items()},
    }
    return json_answer(body, 200 if ready else 503, None if ready else {"Retry-After": "1"})


@router.get("/metrics")
async def metrics() -> Response:
    """Return the metrics of this process for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
