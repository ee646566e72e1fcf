"""What is counted and logged of every request: bounded label values, and never a query, where tokens may stand."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext

import structlog
from modeldeck_events import tracing
from prometheus_client import Counter, Gauge, Histogram

from gateway.asgi import Scope, header
from gateway.rights import API, SAFE_METHODS

REQUESTS = Counter("modeldeck_http_requests", "HTTP requests answered", ["group", "method", "status"])
SECONDS = Histogram(
    "modeldeck_http_request_seconds",
    "Time to answer a request; live streams are not in it",
    ["group"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
STREAMS = Gauge("modeldeck_sse_streams", "Open live streams")
GROUPS = frozenset(
    {
        "activity", "asyncapi.json", "dashboard", "downloads", "events", "featured-models", "hub", "modelfiles",
        "models", "presets", "schemas", "session", "state", "storage", "stream", "system", "user",
        "webhooks", "workflows",
    }
)  # fmt: skip
OPERATIONS = frozenset({"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})
_log = structlog.get_logger(__name__)


def group_of(path: str) -> str:
    """Return the group of routes that a path (in its one spelling) belongs to; a stranger cannot make up new ones."""
    if path.startswith(API):
        name = path[len(API) + 1 :].partition("/")[0]
        return name if name in GROUPS else "other"
    return "operations" if path in OPERATIONS else "page"


def traced(scope: Scope) -> AbstractContextManager[None]:
    """Return the span of a request, below the caller's own; a live stream, which may last for days, is none."""
    if scope["path"].rstrip("/").endswith("/stream"):
        return nullcontext()
    parent = header(scope, tracing.HEADER.encode()).decode("ascii", "replace")
    return tracing.span(f"HTTP {_method(scope)}", kind="server", parent=parent)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def answered(scope: Scope, status: int, started: float) -> None:
    """Count a request that began at `started` (`time.perf_counter`) and log it: writes as info, reads as debug."""
    method, group = _method(scope), group_of(scope["path"])
    seconds = time.perf_counter() - started
    tracing.note("http.route", group)
    tracing.note("http.response.status_code", status)
    REQUESTS.labels(group, method, status).inc()
    if group != "stream" or status != 200:
        SECONDS.labels(group).observe(seconds)
    is_write = method not in SAFE_METHODS
    say, text = (_log.info, "write answered") if is_write else (_log.debug, "read answered")
    say(text, method=method, path=scope["path"], status=status, ms=round(1000 * seconds, 1))
