"""Describing repositories through the catalog service: a real bus, huggingface_hub itself, a stand-in for the hub."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from modeldeck_events.message import Reply
from modeldeck_events.repositories import DescribeRepository, Repository, RepositoryDescribed

from tests.integration.catalog.studio import Studio, studio
from tests.support.hub import TOKEN, Hub, hub
from tests.support.nats import LocalServer

ASK_S = 15.0
FILES = {
    "README.md": b"---\nlicense: mit\n---\n# Tiny\n\nA model that is small enough to be tested with.\n",
    "config.json": b"{}",
    "tiny-Q4_K_M.gguf": b"GGUF" + b"q" * 400,
    "tiny-Q8_0-00001-of-00002.gguf": b"GGUF" + b"a" * 500,
    "tiny-Q8_0-00002-of-00002.gguf": b"GGUF" + b"b" * 300,
    "mmproj-F16.gguf": b"GGUF" + b"m" * 90,
}
FACTS: dict[str, Any] = {
    "pipeline_tag": "text-generation",
    "tags": ["gguf", "license:mit", "arxiv:2302.13971"],
    "cardData": {"license": "mit", "base_model": "org/tiny-base"},
    "gguf": {"total": 8030261248, "architecture": "llama", "context_length": 131072},
    "likes": 12,
    "downloads": 3456,
}


@pytest.fixture
async def origin() -> AsyncIterator[Hub]:
    async with hub() as running:
        running.add("org/tiny", FILES, **FACTS)
        yield running


@pytest.fixture
async def deck(nats_server: LocalServer, tmp_path: Path, origin: Hub) -> AsyncIterator[Studio]:
    async with studio(nats_server.url, tmp_path, hf_endpoint=origin.url) as running, running.running():
        yield running


async def ask(deck: Studio, text: str, revision: str = "") -> Reply:
    return await deck.client.request(DescribeRepository(text=text, revision=revision, actor="anna"), ASK_S)


def repository(reply: Reply) -> Repository:
    assert reply.ok, reply
    return msgspec.convert(reply.data["repository"], Repository)


async def described(deck: Studio) -> list[Repository]:
    return [event.repository for event in await deck.events() if isinstance(event, RepositoryDescribed)]


async def test_a_repository_is_described_with_its_variants(deck: Studio, origin: Hub) -> None:
    reply = await ask(deck, "org/tiny")
    found = repository(reply)
    commit = origin.repos["org/tiny"].head
    assert (found.hub, found.repo, found.revision) == ("huggingface", "org/tiny", commit)
    assert (found.likes, found.downloads, found.license, found.gated) == (12, 3456, "mit", "")
    assert found.description == "A model that is small enough to be tested with."
    assert found.model_type == "text-generation"
    assert found.links == {"huggingface": f"{origin.url}/org/tiny", "paper": "https://arxiv.org/abs/2302.13971"}
    assert found.metadata is not None
    assert (found.metadata.architecture, found.metadata.family) == ("llama", "llama")
    assert (found.metadata.parameters, found.metadata.context_length) == (8030261248, 131072)
    assert [(v.filename, v.size_bytes, v.role, len(v.parts)) for v in found.variants] == [
        ("mmproj-F16.gguf", 94, "projector", 0),
        ("tiny-Q4_K_M.gguf", 404, "", 0),
        ("tiny-Q8_0-00001-of-00002.gguf", 808, "", 2),
    ]
    chosen = found.variants[1]
    assert chosen.url == f"{origin.url}/org/tiny/resolve/{commit}/tiny-Q4_K_M.gguf"
    assert chosen.path == "llm/org/tiny/tiny-Q4_K_M.gguf"
    assert chosen.quantization is not None
    assert (chosen.quantization.bits, chosen.quantization.method) == (4, "Q4_K_M")
    assert chosen.sha256 is not None
    assert "stale" not in reply.data
    assert str(reply.data["checked_at"]).endswith("Z")
    assert await described(deck) == [found]
    assert reply.seq > 0


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("{hub}/org/tiny/blob/main/tiny-Q4_K_M.gguf", "tiny-Q4_K_M.gguf"),
        ("{hub}/org/tiny/resolve/main/tiny-Q8_0-00002-of-00002.gguf?download=true", "tiny-Q8_0-00001-of-00002.gguf"),
        ("https://huggingface.co/org/tiny/blob/main/README.md", None),
        ("hf.co/org/tiny", None),
    ],
)
async def test_a_link_selects_its_file(deck: Studio, origin: Hub, text: str, selected: str | None) -> None:
    reply = await ask(deck, text.format(hub=origin.url))
    assert (reply.ok, reply.data.get("selected")) == (True, selected)


async def test_asked_again_it_costs_nothing_and_says_nothing_new(deck: Studio, origin: Hub) -> None:
    await ask(deck, "org/tiny")
    asked = len(origin.requests)
    replies = await asyncio.gather(*(ask(deck, text) for text in ("org/tiny", "org/tiny@main", "hf://org/tiny")))
    assert [reply.ok for reply in replies] == [True] * 3
    assert len(origin.requests) == asked
    assert len(await described(deck)) == 1


async def test_another_revision_is_answered_and_not_kept(deck: Studio, origin: Hub) -> None:
    repo = origin.repos["org/tiny"]
    first = repo.head
    repo.refs["refs/pr/1"] = first
    repo.commit({"tiny-IQ2_XS.gguf": b"GGUF1"})
    for reply in (
        await ask(deck, f"org/tiny@{first}"),
        await ask(deck, "org/tiny@refs/pr/1"),
        await ask(deck, "org/tiny", revision=first),
    ):
        assert repository(reply).revision == first
        assert len(repository(reply).variants) == 3
    assert await described(deck) == []
    assert repository(await ask(deck, "org/tiny")).revision == repo.head
    assert [found.revision for found in await described(deck)] == [repo.head]


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ("not a link", "bad_link", 422),
        ("https://huggingface.co/datasets/org/tiny", "bad_link", 422),
        ("org/tiny@../x", "bad_link", 422),
        ("org/nothing", "repository_not_found", 404),
        ("org/private", "repository_not_found", 404),
        ("org/tiny@v9", "revision_not_found", 404),
        ("https://huggingface.co/org/tiny/blob/main/other.gguf", "entry_not_found", 404),
        ("org/closed", "gated", 403),
    ],
)
async def test_what_cannot_be_had_is_said(deck: Studio, origin: Hub, text: str, code: str, status: int) -> None:
    origin.add("org/private", FILES, private=True)
    origin.add("org/closed", FILES, gated="manual", closed=True)
    reply = await ask(deck, text)
    assert (reply.ok, reply.code, reply.status) == (False, code, status), reply
    assert reply.message
    if code == "gated":
        assert f"{origin.url}/org/closed" in reply.message
        assert "HF_TOKEN" in reply.message


async def test_a_gated_repository_is_described_as_such(deck: Studio, origin: Hub) -> None:
    origin.add("org/gated", FILES, gated="auto")
    found = repository(await ask(deck, "org/gated"))
    assert (found.gated, found.description, len(found.variants)) == ("auto", None, 3)


async def test_a_hub_that_asks_to_slow_down_is_obeyed(deck: Studio, origin: Hub) -> None:
    origin.slow_down(30)
    reply = await ask(deck, "org/tiny")
    assert (reply.code, reply.status, reply.data) == ("rate_limited", 429, {"retry_after_s": 30})
    assert len(origin.requests) == 1


@pytest.mark.parametrize("how", ["down", "trouble", "silent", "limited"])
async def test_what_was_said_last_is_answered_while_the_hub_is_away(
    nats_server: LocalServer, tmp_path: Path, origin: Hub, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.hubs.huggingface.LIMIT_S", 0.5)
    async with studio(nats_server.url, tmp_path, hf_endpoint=origin.url) as deck:
        async with deck.running():
            known = repository(await ask(deck, "org/tiny"))
        if how == "down":
            await origin.stop()
        elif how == "silent":
            origin.hold = asyncio.Event()
        elif how == "trouble":
            origin.fail(503)
        else:
            origin.slow_down(60)
        async with deck.running():  # a new process: what it knows is in the log
            began = time.monotonic()
            reply = await ask(deck, "org/tiny")
            assert repository(reply) == known
            assert "127.0.0.1" in str(reply.data["stale"])
            away = await ask(deck, "org/other")
            expected = ("rate_limited", 429) if how == "limited" else ("hub_unreachable", 503)
            assert (away.code, away.status) == expected
            assert time.monotonic() - began < 5
        if origin.hold is not None:
            origin.hold.set()
        assert len(await described(deck)) == 1


async def test_the_hub_that_comes_back_is_asked_again(deck: Studio, origin: Hub) -> None:
    await origin.stop()
    assert (await ask(deck, "org/tiny")).code == "hub_unreachable"
    await origin.start()
    assert repository(await ask(deck, "org/tiny")).likes == 12


async def test_a_restart_adds_no_fact_for_what_is_the_same(
    nats_server: LocalServer, tmp_path: Path, origin: Hub
) -> None:
    async with studio(nats_server.url, tmp_path, hf_endpoint=origin.url) as deck:
        for likes in (12, 13):
            origin.repos["org/tiny"].facts["likes"] = likes
            async with deck.running():
                assert repository(await ask(deck, "org/tiny")).likes == likes
        assert [found.likes for found in await described(deck)] == [12]
        origin.repos["org/tiny"].commit({"tiny-Q2_K.gguf": b"GGUF2"})
        async with deck.running():
            await ask(deck, "org/tiny")
        assert [len(found.variants) for found in await described(deck)] == [3, 4]


async def test_the_token_goes_to_the_hub_and_an_expired_one_does_not_hide_what_is_public(
    nats_server: LocalServer, tmp_path: Path, origin: Hub
) -> None:
    origin.add("org/private", FILES, private=True)
    async with studio(nats_server.url, tmp_path, hf_endpoint=origin.url, hf_token=TOKEN) as deck, deck.running():
        assert repository(await ask(deck, "org/private")).private
        assert {request.authorization for request in origin.requests} == {f"Bearer {TOKEN}"}
    origin.tokens.clear()
    async with studio(nats_server.url, tmp_path, hf_endpoint=origin.url, hf_token=TOKEN) as deck, deck.running():
        assert repository(await ask(deck, "org/tiny")).likes == 12
        refused = await ask(deck, "org/private2")
        assert (refused.code, refused.status) == ("unauthorized", 401)
        assert TOKEN not in refused.message


async def test_an_untrusted_mirror_never_sees_the_token(nats_server: LocalServer, tmp_path: Path, origin: Hub) -> None:
    mirrored = {"mirrors": {"huggingface.co": origin.url}, "hf_token": TOKEN}
    async with studio(nats_server.url, tmp_path, **mirrored) as deck, deck.running():
        found = repository(await ask(deck, "org/tiny"))
        assert found.variants[0].url.startswith("https://huggingface.co/org/tiny/resolve/")
        assert {request.authorization for request in origin.requests} == {None}


async def test_a_renamed_repository_is_followed_and_a_redirect_elsewhere_is_not(deck: Studio, origin: Hub) -> None:
    origin.add("org/old", {}, renamed_to="org/tiny")
    assert repository(await ask(deck, "org/old")).repo == "org/tiny"
    origin.add("org/away", {}, renamed_to="org/tiny", redirect_to="http://localhost:9")
    refused = await ask(deck, "org/away")
    assert (refused.code, refused.status) == ("bad_answer", 502)
