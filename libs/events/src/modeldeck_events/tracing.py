"""OpenTelemetry traces through the bus: request, command, handler, appended facts, policies.

Off, and free, unless OTEL_EXPORTER_OTLP_ENDPOINT is set (the other OTEL_* variables mean what they mean everywhere)
and the extra `modeldeck-events[otel]` is installed. The context travels as a W3C `traceparent`: a header of HTTP
requests and of commands, the CloudEvents extension of that name in facts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import structlog

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADER = "traceparent"
FLUSH_MS = 2000
Kind = Literal["server", "client", "producer", "consumer", "internal"]
_OFF: AbstractContextManager[None] = nullcontext()
_log = structlog.get_logger(__name__)


class _Tracing:
    """What is on: the provider of spans, their tracer, and the format of the context. All None while off."""

    provider: Any = None
    tracer: Any = None
    propagator: Any = None


def configure(service: str) -> None:
    """Begin to send traces where the environment says; without the packages that takes, say so and go on."""
    if not os.environ.get(ENDPOINT):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        _log.warning("no traces: install modeldeck-events[otel]", reason=str(error))
        return
    collect(service, BatchSpanProcessor(OTLPSpanExporter()))


def collect(service: str, processor: Any) -> None:
    """Give every span of this process to an OpenTelemetry span processor."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415 - 50 ms, for those who want traces
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    _Tracing.provider = TracerProvider(resource=Resource.create({SERVICE_NAME: f"modeldeck-{service}"}))
    _Tracing.provider.add_span_processor(processor)
    _Tracing.tracer = _Tracing.provider.get_tracer("modeldeck")
    _Tracing.propagator = TraceContextTextMapPropagator()


def stop() -> None:
    """Send what is left, for at most 2 s, and collect no more."""
    provider, _Tracing.provider, _Tracing.tracer = _Tracing.provider, None, None
    if provider is not None:
        provider.force_flush(FLUSH_MS)


def span(
    name: str, *, kind: Kind = "internal", parent: str = "", **attributes: str | int
) -> AbstractContextManager[None]:
    """Return a context that is one span, below `parent` (a traceparent) or the present one; an exception marks it."""
    return _OFF if _Tracing.tracer is None else _span(name, kind, parent, attributes)


def note(name: str, value: str | int) -> None:
    """Write something to the present span."""
    if _Tracing.tracer is not None:
        from opentelemetry.trace import get_current_span  # noqa: PLC0415

        get_current_span().set_attribute(name, value)


def current() -> str:
    """Return the present span's traceparent, empty when there is none."""
    if _Tracing.tracer is None:
        return ""
    carrier: dict[str, str] = {}
    _Tracing.propagator.inject(carrier)
    return carrier.get(HEADER, "")


def headers() -> dict[str, str] | None:
    """Return the present context as headers of a message, None when there is none."""
    here = current()
    return {HEADER: here} if here else None


@contextlib.contextmanager
def _span(name: str, kind: Kind, parent: str, attributes: dict[str, str | int]) -> Iterator[None]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    above = _Tracing.propagator.extract({HEADER: parent}) if parent else None
    with _Tracing.tracer.start_as_current_span(name, context=above, kind=SpanKind[kind.upper()], attributes=attributes):
        yield
