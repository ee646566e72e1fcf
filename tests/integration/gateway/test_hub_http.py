"""Repositories, featured models and the preview of a hub, over HTTP and the stream."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from modeldeck_events.message import Event, Reply
from modeldeck_events.modelfiles import Quantization
from modeldeck_events.modelfiles import subject as modelfile_subject
from modeldeck_events.readings import GpuSample, HostSample, MemorySample, host_subject
from modeldeck_events.repositories import (
    FEATURED_SUBJECT,
    DescribeRepository,
    FeaturedModel,
    FeaturedPublished,
    Repository,
    RepositoryDescribed,
    Variant,
)
from modeldeck_events.repositories import subject as repository_subject

from tests.integration.gateway.conftest import Product, caught_up
from tests.integration.gateway.fakes import eventually
from tests.integration.gateway.sse_client import Follower
from tests.integration.gateway.test_workflows_http import canned, problem_of, received
from tests.unit.gateway.facts import START, found

GB = 10**9
REPOSITORY = Repository(
    hub="huggingface",
    repo="org/llama",
    revision="abc",
    likes=5,
    license="mit",
    tags=("chat",),
    description="A model.",
    gated="auto",
    links={"huggingface": "https://huggingface.co/org/llama"},
    variants=tuple(
        Variant(
            filename=f"llama-Q{bits}.gguf",
            url=f"https://huggingface.co/org/llama/resolve/abc/llama-Q{bits}.gguf",
            size_bytes=bits * GB,
            quantization=Quantization(bits=bits, method=f"Q{bits}_0"),
            path=f"llm/org/llama/llama-Q{bits}.gguf",
        )
        for bits in (2, 4, 8)
    ),
)


async def append(product: Product, subject: str, event: Event) -> None:
    await product.services.append(subject, event)
    await eventually(lambda: caught_up(product.app, product.services))


def answer(**more: object) -> Reply:
    data: dict[str, object] = {
        "repository": msgspec.to_builtins(REPOSITORY),
        "checked_at": "2026-01-02T03:04:05.000Z",
    }
    return Reply(ok=True, data=data | more)


async def test_a_preview_tells_what_is_here_and_what_suits_the_machine(product: Product) -> None:
    canned(product, DescribeRepository, answer())
    await append(
        product,
        modelfile_subject("default", "llm/org/llama/llama-Q2.gguf"),
        found("llm/org/llama/llama-Q2.gguf", 2 * GB),
    )
    body = (await product.http.get("/api/v1/hub/org/llama")).json()
    assert (body["repo"], body["revision"], body["gated"]) == ("org/llama", "abc", "auto")
    assert (body["likes"], body["license"], body["tags"]) == (5, "mit", ["chat"])
    assert body["metadata"]["links"] == {"huggingface": "https://huggingface.co/org/llama"}
    assert [(v["filename"], v["size_bytes"], v["status"]) for v in body["variants"]] == [
        ("llama-Q2.gguf", 2 * GB, "downloaded"),
        ("llama-Q4.gguf", 4 * GB, "available"),
        ("llama-Q8.gguf", 8 * GB, "available"),
    ]
    assert body["variants"][1]["quantization"] == {"bits": 4.0, "method": "Q4_0"}
    assert body["recommended"]["filename"] == "llama-Q4.gguf"
    assert "Nothing is known of this machine" in body["recommended"]["reason"]
    assert body["checked_at"] == "2026-01-02T03:04:05.000Z"
    assert {"stale", "selected"}.isdisjoint(body)

    sample = HostSample(
        host="box",
        pool="default",
        at=START,
        interval_s=2,
        cpu_percent=1,
        cpu_count=2,
        memory=MemorySample(total_bytes=64 * GB, used_bytes=0, available_bytes=64 * GB, percent=0),
        disks=(),
        gpus=(
            GpuSample(index=0, name="Old GPU", memory_total_bytes=2 * GB),
            GpuSample(index=1, name="RTX 4070", memory_total_bytes=12 * GB),
            GpuSample(index=2, name="Lost", error="gone"),
        ),
    )
    await product.services.bus.publish_reading(host_subject("box"), sample)

    async def known() -> bool:
        return bool(product.app.boards.resources.state()["hosts"])

    await eventually(known)
    body = (await product.http.get("/api/v1/hub/org/llama")).json()
    assert body["recommended"] == {
        "filename": "llama-Q8.gguf",
        "reason": "Q8_0 (8.0 GB) fits into the 12.0 GB of the RTX 4070 with room for the context.",
        "fits_in": "gpu",
    }


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co/org/llama/resolve/main/llama-Q4.gguf?download=true",
        "https://civitai.com/models/4384?modelVersionId=128713",
        "org/llama",
        "ünï/模型 x%20",
    ],
)
async def test_whatever_a_person_writes_reaches_the_catalog_as_it_is(product: Product, text: str) -> None:
    canned(product, DescribeRepository, answer(selected="llama-Q4.gguf", stale="the hub does not answer"))
    body = (await product.http.get(f"/api/v1/hub/{quote(text, safe='')}?revision=v1")).json()
    assert (body["selected"], body["stale"]) == ("llama-Q4.gguf", "the hub does not answer")
    [asked] = received(product, DescribeRepository)
    assert (asked.text, asked.revision) == (text, "v1")


async def test_a_pasted_link_keeps_its_query(product: Product) -> None:
    canned(product, DescribeRepository, answer())
    url = "/api/v1/hub/https://civitai.com/models/4384"
    await product.http.get(url, params={"modelVersionId": "128713", "revision": "v2"})
    [asked] = received(product, DescribeRepository)
    assert (asked.text, asked.revision) == ("https://civitai.com/models/4384?modelVersionId=128713", "v2")
    problem_of(await product.http.get(f"/api/v1/hub/{'x' * 3000}"), 422, "bad_link")


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (
            Reply(ok=False, status=404, code="repository_not_found", message="There is none."),
            404,
            "repository_not_found",
        ),
        (Reply(ok=False, status=403, code="gated", message="Accept its terms."), 403, "gated"),
        (Reply(ok=False, status=401, code="unauthorized", message="Set HF_TOKEN."), 403, "hub_unauthorized"),
        (Reply(ok=False, status=422, code="bad_link", message="No link."), 422, "bad_link"),
        (Reply(ok=False, status=503, code="hub_unreachable", message="Away."), 503, "hub_unreachable"),
        (Reply(ok=True, data={"repository": {"hub": "elsewhere"}}), 503, "service_unavailable"),
    ],
)
async def test_a_hub_that_refuses_says_why(product: Product, reply: Reply, status: int, code: str) -> None:
    canned(product, DescribeRepository, reply)
    problem_of(await product.http.get("/api/v1/hub/org/llama"), status, code)


async def test_a_hub_that_is_asked_too_often_says_when_to_come_back(product: Product) -> None:
    busy = Reply(ok=False, status=429, code="rate_limited", message="Slower.", data={"retry_after_s": 7})
    canned(product, DescribeRepository, busy)
    response = await product.http.get("/api/v1/hub/org/llama")
    problem_of(response, 429, "rate_limited")
    assert response.headers["retry-after"] == "7"


async def test_repositories_and_storage_in_one_call(product: Product) -> None:
    await append(product, repository_subject("huggingface", "org/llama"), RepositoryDescribed(repository=REPOSITORY))
    before = product.app.live.position.seq
    await append(product, modelfile_subject("default", "vae/v.pt"), found("vae/v.pt", 7))
    response = await product.http.get("/api/v1/modelfiles")
    body = response.json()
    assert body["storage"] == (await product.http.get("/api/v1/storage")).json()
    assert [view["repo"] for view in body["repositories"]] == ["org/llama", "local/vae"]
    assert body["repositories"][1]["variants"][0] | {"metadata": {}} == {
        "filename": "v.pt",
        "size": 7,
        "size_bytes": 7,
        "status": "downloaded",
        "whole": True,
        "path": "vae/v.pt",
        "metadata": {},
    }
    same = await product.http.get("/api/v1/modelfiles", headers={"If-None-Match": response.headers["etag"]})
    assert same.status_code == 304
    past = (await product.http.get(f"/api/v1/modelfiles?at={before}")).json()
    assert [view["repo"] for view in past["repositories"]] == ["org/llama"]

    metadata = (await product.http.get("/api/v1/modelfiles/org/llama/metadata")).json()
    assert (metadata["repo"], metadata["license"], metadata["tags"]) == ("org/llama", "mit", ["chat"])
    assert {"performance_metrics", "stars"}.isdisjoint(metadata)
    local: dict[str, Any] = (await product.http.get("/api/v1/modelfiles/local/vae/metadata")).json()
    assert local == {"repo": "local/vae", "tags": [], "links": {}}
    problem_of(await product.http.get("/api/v1/modelfiles/org/none/metadata"), 404, "repository_not_found")


async def test_featured_models_and_their_topic(product: Product) -> None:
    assert (await product.http.get("/api/v1/featured-models")).json() == {"models": []}
    model = FeaturedModel(id="llama", name="Llama", repo="org/llama", filename="llama-Q4.gguf", size_bytes=4 * GB)
    follower = Follower(product.http, "featured")
    fact = FeaturedPublished(models=(model,), last_updated=datetime(2026, 2, 1, tzinfo=UTC), warnings=("odd entry",))
    await append(product, FEATURED_SUBJECT, fact)
    await follower.until(lambda f: "llama" in (f.state("featured") or {}).get("models", {}))
    body = (await product.http.get("/api/featured-models")).json()
    assert body["last_updated"] == "2026-02-01T00:00:00.000Z"
    assert body["warnings"] == [{"code": "featured_list", "message": "odd entry"}]
    [shown] = body["models"]
    assert (shown["size_category"], shown["status"]) == ("M", "available")
    assert follower.state("featured")["models"]["llama"] == shown
    path = shown["path"]
    await append(product, modelfile_subject("default", path), found(path, 4 * GB))
    await follower.until(lambda f: f.state("featured")["models"]["llama"]["status"] == "downloaded")
    assert (await product.http.get("/api/v1/featured-models")).json()["models"][0]["status"] == "downloaded"
    await follower.stop()
