"""What operators see: metrics with what is known, readiness that says why not, one line of log for each request."""

import re
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import TOKEN, Product
from tests.integration.gateway.fakes import eventually
from tests.integration.gateway.furnished import GB, furnish
from tests.support.nats import LocalServer

README = Path(__file__).resolve().parents[3] / "services" / "gateway" / "README.md"
SAMPLE = re.compile(r"^(modeldeck_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


async def samples(product: Product) -> dict[tuple[str, str], float]:
    """Name and labels to value."""
    answer = await product.http.get("/metrics")
    assert answer.status_code == 200
    return {(name, labels): float(value) for name, labels, value in SAMPLE.findall(answer.text)}


async def test_metrics_tell_what_the_read_models_know(product: Product) -> None:
    await furnish(product)
    found = await samples(product)
    assert found["modeldeck_published_seq", ""] == product.app.live.position.seq > 40
    assert found["modeldeck_fold_lag_events", ""] == 0
    assert found["modeldeck_queue_downloads", 'status="downloading"'] == 1
    assert found["modeldeck_queue_downloads", 'status="queued"'] == 1
    assert found["modeldeck_queue_downloads", 'status="paused"'] == 1
    assert found["modeldeck_download_bytes_per_second", ""] == 45_200_000
    gpu = 'gpu="0",host="box",name="RTX 4090"'
    assert found["modeldeck_gpu_memory_used_bytes", gpu] == 8 * 1024**3
    assert found["modeldeck_gpu_utilization_percent", gpu] == 50
    assert ("modeldeck_gpu_power_watts", gpu) not in found, "what the device does not tell is absent"
    assert found["modeldeck_disk_free_bytes", 'host="box",path="/"'] == 150 * GB


async def test_requests_are_counted_by_group_and_never_by_what_a_stranger_writes(product: Product) -> None:
    before = await samples(product)
    for path in ("/api/v1/presets", "/api/presets/a", "/api/v1/nope", "/api/v1/presets/made-up"):
        await product.http.get(path)
    await product.stranger.get("/api/v1/secret-path-of-a-stranger")
    after = await samples(product)

    def more(name: str, labels: str) -> float:
        return after.get((name, labels), 0) - before.get((name, labels), 0)

    assert more("modeldeck_http_requests_total", 'group="presets",method="GET",status="200"') == 2
    assert more("modeldeck_http_requests_total", 'group="presets",method="GET",status="404"') == 1
    assert more("modeldeck_http_request_seconds_count", 'group="presets"') == 3
    assert not any("nope" in labels or "stranger" in labels for _, labels in after)


async def test_every_metric_of_the_gateway_is_documented(product: Product) -> None:
    await furnish(product)
    text = README.read_text() + (README.parents[2] / "libs/events/src/modeldeck_events/metrics.py").read_text()
    downloaders = (README.parents[2] / "services/downloader/src/downloader/metrics.py").read_text()
    for name in {name for name, _ in await samples(product)}:
        stem = re.sub(r"_(bucket|sum|count|created|total)$", "", name)
        if f'"{stem}"' in downloaders:
            continue  # a test of the downloader ran in this process
        assert stem in text, f"{name} does not stand in the gateway's README"


async def test_metrics_need_the_right_to_read(product: Product) -> None:
    assert (await product.stranger.get("/metrics")).status_code == 401


async def test_readiness_says_why_not(product: Product) -> None:
    ready = await product.stranger.get("/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["reasons"]) == (200, "ready", [])
    product.services.healthy = False

    async def refused() -> bool:
        answer = await product.stranger.get("/readyz")
        return answer.status_code == 503 and len(answer.json()["reasons"]) == 3

    await eventually(refused)
    answer = (await product.stranger.get("/readyz")).json()
    assert "the service downloader is not ready" in answer["reasons"]
    assert answer["services"]["gateway"] == {"ok": True}


async def test_readiness_asks_the_store_itself(product: Product, nats_server: LocalServer) -> None:
    """A frozen server holds the connection open and answers nothing."""
    nats_server.freeze()
    try:

        async def refused() -> bool:
            answer = await product.stranger.get("/readyz")
            return answer.status_code == 503 and answer.json()["reasons"][0].startswith("the event log does not answer")

        await eventually(refused)
        assert (await product.stranger.get("/healthz")).status_code == 200
        metrics = (await product.http.get("/metrics")).text
        assert "modeldeck_published_seq" in metrics
        assert "modeldeck_fold_lag_events" not in metrics
    finally:
        nats_server.thaw()


async def test_one_line_for_each_request_and_no_query(product: Product, capsys: pytest.CaptureFixture[str]) -> None:
    await product.http.get(f"/api/v1/presets?token={TOKEN}&limit=1")
    await product.http.post("/api/v1/presets/nope/install?force=true")
    said = capsys.readouterr()
    lines = [line for line in (said.out + said.err).splitlines() if "answered" in line]
    assert len(lines) == 2
    assert "read answered" in lines[0]
    assert "path=/api/v1/presets " in lines[0]
    assert "write answered" in lines[1]
    assert "status=404" in lines[1]
    assert TOKEN not in said.out + said.err
    assert "force" not in said.out + said.err
