"""One trace from an HTTP request to the policy that its fact sets off, over a real bus; collected in memory."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from modeldeck_events import tracing
from modeldeck_events.message import Reply
from modeldeck_events.presets import CATALOG_SUBJECT, CatalogRefreshed, RefreshPresets
from modeldeck_events.runtime import Service
from modeldeck_events.settings import ServiceSettings
from modeldeck_events.store import Meta, Record
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.integration.gateway.conftest import Product
from tests.support.nats import NatsServer

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.collect("test", SimpleSpanProcessor(exporter))
    yield exporter
    tracing.stop()


async def test_one_trace_from_the_request_to_the_policy(
    product: Product, nats_server: NatsServer, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    await product.services.bus.close()  # a real service takes the place of the simulated ones
    catalog = Service("catalog", ServiceSettings(nats_url=nats_server.url, data_dir=tmp_path))
    seen = asyncio.Event()

    @catalog.command(RefreshPresets)
    async def refresh(command: RefreshPresets) -> Reply:
        fact = CatalogRefreshed(version="1", total_presets=2, published=0, withdrawn=0, source="s")
        meta = Meta(source="catalog", command_id=command.command_id)
        seq = await catalog.store.append(CATALOG_SUBJECT, [fact], expected_seq=0, meta=meta)
        return Reply(ok=True, seq=seq, data={"message": "read", "total_presets": 2, "version": "1"})

    @catalog.policy("catalog-follows", ["evt.catalog.>"])
    async def follow(_record: Record) -> None:
        seen.set()

    await catalog.start()
    await catalog.ready()
    answer = await product.http.post("/api/v1/presets/refresh", headers={"traceparent": CALLER})
    assert answer.status_code == 200, answer.text
    async with asyncio.timeout(5):
        await seen.wait()
    await catalog.stop()
    found = {span.name: span for span in spans.get_finished_spans() if f"{span.context.trace_id:032x}" == TRACE}
    request = found["HTTP POST"]
    assert request.attributes is not None
    assert (request.attributes["http.route"], request.attributes["http.response.status_code"]) == ("presets", 200)
    chain = ("HTTP POST", "command refresh-presets", "handle refresh-presets")
    for above, below in (*itertools.pairwise(chain), (chain[2], "append modeldeck.catalog.refreshed.v1")):
        assert is_below(found[below], found[above]), below
    assert is_below(found["policy catalog-follows"], found["handle refresh-presets"])


def is_below(span: ReadableSpan, other: ReadableSpan) -> bool:
    return span.parent is not None and span.parent.span_id == other.context.span_id


async def test_streams_and_reads_cost_no_trace_while_off(product: Product) -> None:
    assert (await product.http.get("/api/v1/presets", headers={"traceparent": CALLER})).status_code == 200
    assert tracing.current() == ""
