"""The hub's client against servers that misbehave: conditional requests, caps, time limits, nonsense."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from catalog.hubs.hosts import HUGGING_FACE, hub_host
from catalog.hubs.huggingface import AT_ONCE, HuggingFace
from catalog.hubs.links import HuggingFaceLink
from catalog.hubs.problems import HubError

from tests.support.hub import Hub, hub

LINK = HuggingFaceLink("org/tiny")
ANSWER = {"id": "org/tiny", "sha": "c" * 40, "siblings": [{"rfilename": "a.gguf"}], "cardData": {"description": "d"}}


@pytest.fixture
async def origin() -> AsyncIterator[Hub]:
    async with hub() as running:
        running.add("org/tiny", {"a-Q4_0.gguf": b"GGUF", "README.md": b"Words that describe the model."})
        yield running


def client(url: str, limit_s: float | None = None) -> HuggingFace:
    return HuggingFace(hub_host(HUGGING_FACE, endpoint=url), limit_s=limit_s)


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve every path with one answer."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def refused(url: str, limit_s: float = 5.0) -> HubError:
    with pytest.raises(HubError) as caught:
        await client(url, limit_s).ask(LINK, None)
    return caught.value


async def test_an_unchanged_repository_answers_304_and_keeps_what_was_told(origin: Hub) -> None:
    asking = client(origin.url)
    first = await asking.ask(LINK, None)
    assert first.etag.startswith('W/"')
    assert await asking.ask(LINK, first) is first
    assert [(request.path.rpartition("/")[2], request.status) for request in origin.requests] == [
        ("tiny", 200),
        ("README.md", 206),
        ("tiny", 304),
    ]
    assert origin.requests[-1].if_none_match == first.etag
    origin.repos["org/tiny"].facts["likes"] = 99
    liked = await asking.ask(LINK, first)
    assert (liked.repository.likes, liked.repository.description) == (99, "Words that describe the model.")
    assert len(origin.asked("/org/tiny/resolve")) == 1  # the same commit has the same README


async def test_requests_tell_no_more_than_they_must(origin: Hub) -> None:
    await client(origin.url).ask(LINK, None)
    told = origin.requests[0].user_agent
    assert told.startswith("modeldeck/")
    assert "torch" not in told
    assert "session" not in told


async def test_a_description_that_the_card_has_costs_no_request(origin: Hub) -> None:
    origin.repos["org/tiny"].facts["cardData"] = {"description": "What it is for."}
    assert (await client(origin.url).ask(LINK, None)).repository.description == "What it is for."
    assert len(origin.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>sign in</html>",
        b"",
        b"[]",
        b'"text"',
        b"null",
        b'{"sha": "x"}',
        b'{"id": "org/tiny", "siblings": [5]}',
        b'{"id": "org/tiny", "siblings": 5}',
        b'{"id": "org/tiny", "cardData": {"ignore_metadata_errors": 1}}',
        b'{"id": "org/tiny", "lastModified": "yesterday"}',
        b"[" * 200_000,
        b"\xff\xfe",
    ],
)
async def test_nonsense_is_a_bad_answer(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with serving(answer) as url:
        error = await refused(url)
    assert (error.code, error.status, error.away) == ("bad_answer", 502, False)


async def test_too_much_is_refused_before_it_is_taken() -> None:
    sent = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 1 << 30:
            await response.write(b" " * (1 << 20))
            sent += 1 << 20
        return response

    async with serving(answer) as url:
        error = await refused(url)
    assert (error.code, "bytes" in str(error)) == ("bad_answer", True)
    assert sent < 64 << 20


async def test_compressed_bytes_are_not_unpacked() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=gzip.compress(bytes(50 << 20)), headers={"Content-Encoding": "gzip"})

    async with serving(answer) as url:
        assert (await refused(url)).code == "bad_answer"


async def test_a_server_that_drips_is_given_up_in_time() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    async with serving(answer) as url:
        began = time.monotonic()
        error = await refused(url, limit_s=0.4)
        assert (error.code, error.away) == ("hub_unreachable", True)
        assert time.monotonic() - began < 3


async def test_only_so_many_are_asked_at_once_and_who_waits_keeps_the_time_limit() -> None:
    open_now, most = 0, 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.05)
        open_now -= 1
        return web.json_response(ANSWER)

    async with serving(answer) as url:
        asking = client(url)
        await asyncio.gather(*(asking.ask(HuggingFaceLink(f"org/{n}"), None) for n in range(12)))
    assert most == AT_ONCE


@pytest.mark.parametrize(
    ("headers", "retry_after_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"RateLimit": '"api";r=0;t=55', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}, 55),
        ({"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}, 86_400),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
async def test_how_long_to_wait(headers: dict[str, str], retry_after_s: int | None) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=429, headers=headers)

    async with serving(answer) as url:
        error = await refused(url)
    assert (error.code, error.retry_after_s, error.away) == ("rate_limited", retry_after_s, True)


async def test_endless_redirects_end() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": request.path_qs})

    async with serving(answer) as url:
        assert (await refused(url)).code == "bad_answer"


def test_the_library_is_not_loaded_before_it_is_needed(tmp_path: Path) -> None:
    program = """
import asyncio, json, sys
import catalog.app
from catalog.hubs.hosts import HUGGING_FACE, hub_host
from catalog.hubs.huggingface import HuggingFace
from catalog.hubs.links import HuggingFaceLink
from catalog.hubs.problems import HubError

async def ask():
    hub = HuggingFace(hub_host(HUGGING_FACE, endpoint="http://127.0.0.1:9"))
    before = [name for name in ("huggingface_hub", "httpx2", "tqdm") if name in sys.modules]
    try:
        await hub.ask(HuggingFaceLink("org/repo"), None)
    except HubError as error:
        return before, error.code, "huggingface_hub" in sys.modules

print(json.dumps(asyncio.run(ask())))
"""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment |= {"HF_HOME": str(tmp_path / "hf")}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told: Any = json.loads(ran.stdout.splitlines()[-1])
    assert told == [[], "hub_unreachable", True]
    assert list(tmp_path.iterdir()) == []  # nothing is written to the library's cache
