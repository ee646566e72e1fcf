"""Traces, collected in memory: the tree of a request through the bus, and nothing at all while they are off."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from modeldeck_events import envelope, tracing
from modeldeck_events.pools import PoolConfigured
from modeldeck_events.store import Meta
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.collect("test", SimpleSpanProcessor(exporter))
    yield exporter
    tracing.stop()


def packed() -> dict[str, str]:
    event = PoolConfigured(pool="default", max_concurrent=1, bandwidth_limit_bps=None, paused=False)
    return envelope.pack("evt.pool.x", event, event_id="1", time=datetime.now(UTC), meta=Meta(source="t"))[0]


def test_off_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracing.ENDPOINT, raising=False)
    tracing.configure("test")
    with tracing.span("a", parent=GIVEN):
        assert tracing.current() == ""
        assert tracing.headers() is None
        assert "ce-traceparent" not in packed()


def test_without_its_packages_the_service_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(tracing.ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    tracing.configure("test")
    assert tracing.current() == ""
    said = capsys.readouterr()
    assert "modeldeck-events[otel]" in said.out + said.err


def test_spans_stand_below_what_called_them(spans: InMemorySpanExporter) -> None:
    with tracing.span("outer", kind="server", parent=GIVEN):
        tracing.note("answer", 42)
        with tracing.span("inner", subject="x"):
            assert tracing.headers() == {"traceparent": tracing.current()}
            assert packed()["ce-traceparent"] == tracing.current()
    inner, outer = spans.get_finished_spans()
    assert f"{outer.context.trace_id:032x}" == GIVEN.split("-")[1]
    assert outer.parent is not None
    assert f"{outer.parent.span_id:016x}" == GIVEN.split("-")[2]
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert outer.attributes is not None
    assert outer.attributes["answer"] == 42
    assert outer.resource.attributes["service.name"] == "modeldeck-test"


@pytest.mark.parametrize("garbage", ["", "garbage", "00-zz-zz-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_stranger_cannot_break_it_with_a_header(spans: InMemorySpanExporter, garbage: str) -> None:
    with tracing.span("a", parent=garbage):
        assert tracing.current()
    (found,) = spans.get_finished_spans()
    assert found.parent is None
