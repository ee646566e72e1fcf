"""Civitai's links through the catalog service, against a stand-in written from its public documentation."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from modeldeck_events.message import Reply
from modeldeck_events.repositories import DescribeRepository, Repository, RepositoryDescribed

from tests.integration.catalog.studio import Studio, studio
from tests.support.civitai import Civitai, civitai, file, version
from tests.support.nats import LocalServer

DATA = b"lora weights " * 1001


@pytest.fixture
async def origin() -> AsyncIterator[Civitai]:
    async with civitai() as running:
        running.versions[34] = version(34, 12, [file("moody.safetensors", DATA)])
        yield running


@pytest.fixture
async def deck(nats_server: LocalServer, tmp_path: Path, origin: Civitai) -> AsyncIterator[Studio]:
    mirrors = {"civitai.com": origin.url}
    async with studio(nats_server.url, tmp_path, mirrors=mirrors) as running, running.running():
        yield running


async def ask(deck: Studio, text: str, **more: Any) -> Reply:
    return await deck.client.request(DescribeRepository(text=text, **more), 15.0)


def repository(reply: Reply) -> Repository:
    assert reply.ok, reply
    return msgspec.convert(reply.data["repository"], Repository)


@pytest.mark.parametrize(
    "text",
    [
        "https://civitai.com/models/12",
        "https://civitai.com/models/12/moody?modelVersionId=34",
        "https://civitai.com/api/download/models/34?type=Model",
        "civitai:34",
        "civitai/12",
    ],
)
async def test_a_link_resolves_to_the_versions_files(deck: Studio, text: str) -> None:
    found = repository(await ask(deck, text))
    assert (found.hub, found.repo, found.revision, found.model_type) == ("civitai", "civitai/12", "34", "LORA")
    assert (found.downloads, found.likes, found.description) == (438, 21, "First & best .")
    assert found.links == {"civitai": "https://civitai.com/models/12?modelVersionId=34"}
    assert found.metadata is not None
    assert (found.metadata.name, found.metadata.family) == ("Moody v1.0", "SDXL 1.0")
    assert found.metadata.extra == {"trained_words": "moody light"}
    (lora,) = found.variants
    assert (lora.filename, lora.path) == ("moody.safetensors", "loras/moody.safetensors")
    assert (lora.size_bytes, lora.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert lora.url == "https://civitai.com/api/download/models/34"
    assert [e.repository for e in await deck.events() if isinstance(e, RepositoryDescribed)] == [found]


@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        ("Checkpoint", "checkpoints"),
        ("LORA", "loras"),
        ("LoCon", "loras"),
        ("VAE", "vae"),
        ("Controlnet", "controlnet"),
        ("TextualInversion", "embeddings"),
        ("Upscaler", "upscale_models"),
        ("Wildcards", "downloads/civitai/12"),
    ],
)
async def test_the_type_says_where_a_file_belongs(deck: Studio, origin: Civitai, kind: str, folder: str) -> None:
    origin.versions[34] = version(34, 12, [file("a.safetensors", DATA)], kind)
    assert [variant.path for variant in repository(await ask(deck, "civitai:34")).variants] == [
        f"{folder}/a.safetensors"
    ]


async def test_files_beside_the_model(deck: Studio, origin: Civitai) -> None:
    own = "https://civitai.com/api/download/models/34?type=VAE&format=SafeTensor"
    origin.versions[34] = version(
        34,
        12,
        [
            file("a.safetensors", DATA),
            file("a.vae.safetensors", DATA, "VAE", downloadUrl=own),
            file("training.zip", DATA, "Training Data"),
            file("a.yaml", DATA, "Config"),
            file("../b.safetensors", DATA, downloadUrl="https://evil.example/x"),
            file("c.ckpt", DATA, downloadUrl=f"{own}&token=secret", sizeKB=12.3456, hashes={"SHA256": "no"}),
        ],
        "Checkpoint",
    )
    found = {variant.filename: variant for variant in repository(await ask(deck, "civitai:34")).variants}
    assert {name: variant.path for name, variant in found.items()} == {
        "../b.safetensors": "",
        "a.safetensors": "checkpoints/a.safetensors",
        "a.vae.safetensors": "vae/a.vae.safetensors",
        "c.ckpt": "checkpoints/c.ckpt",
    }
    assert found["a.vae.safetensors"].url == own
    for name in ("../b.safetensors", "c.ckpt"):
        assert found[name].url == "https://civitai.com/api/download/models/34"
    assert (found["c.ckpt"].size_bytes, found["c.ckpt"].sha256) == (None, None)


async def test_the_newest_version_that_was_looked_at_stays_in_the_log(deck: Studio, origin: Civitai) -> None:
    origin.versions[35] = version(35, 12, [file("moody-2.safetensors", DATA)])
    assert repository(await ask(deck, "civitai/12")).revision == "35"
    assert repository(await ask(deck, "civitai/12@34")).revision == "34"
    assert repository(await ask(deck, "civitai/12", revision="34")).revision == "34"
    told = [e.repository.revision for e in await deck.events() if isinstance(e, RepositoryDescribed)]
    assert told == ["35"]


@pytest.mark.parametrize(
    ("status", "code", "answer"),
    [
        (401, "unauthorized", 401),
        (403, "forbidden", 403),
        (404, "repository_not_found", 404),
        (429, "rate_limited", 429),
        (503, "hub_unreachable", 503),
        (302, "bad_answer", 502),
    ],
)
async def test_refusals(deck: Studio, origin: Civitai, status: int, code: str, answer: int) -> None:
    origin.status, origin.headers = status, {"Retry-After": "9", "Location": "http://127.0.0.1:9/"}
    reply = await ask(deck, "civitai:34")
    assert (reply.ok, reply.code, reply.status) == (False, code, answer)
    assert reply.data == ({"retry_after_s": 9} if code == "rate_limited" else {})


async def test_what_is_not_there_or_not_its_own(deck: Studio, origin: Civitai) -> None:
    origin.versions[40] = {"id": 41, "modelId": 12}
    for text, code in (
        ("civitai:99", "repository_not_found"),
        ("civitai/99", "repository_not_found"),
        ("civitai/13@34", "revision_not_found"),
        ("civitai:40", "bad_answer"),
    ):
        reply = await ask(deck, text)
        assert (reply.ok, reply.code) == (False, code), text
    assert (await ask(deck, "civitai/12", revision="x")).code == "bad_link"


async def test_while_it_is_away_the_log_answers(deck: Studio, origin: Civitai) -> None:
    known = repository(await ask(deck, "civitai:34"))
    origin.status = 502
    reply = await ask(deck, "civitai/12")
    assert (repository(reply), "502" in str(reply.data["stale"])) == (known, True)
    assert repository(await ask(deck, "civitai/12@34")) == known
    assert (await ask(deck, "civitai/12@35")).code == "hub_unreachable"


async def test_the_token_is_sent_to_a_trusted_mirror_only(
    nats_server: LocalServer, tmp_path: Path, origin: Civitai
) -> None:
    settings: dict[str, Any] = {"mirrors": {"civitai.com": origin.url}, "civitai_token": "secret-token"}
    for trusted in ((), ("civitai.com",)):
        async with studio(nats_server.url, tmp_path, trusted_mirrors=trusted, **settings) as deck, deck.running():
            await ask(deck, "civitai:34")
    assert [authorization for _, authorization in origin.requests] == [None, "Bearer secret-token"]
