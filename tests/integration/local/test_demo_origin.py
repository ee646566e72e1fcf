"""The demo's origin over real HTTP."""

import hashlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from modeldeck_local.demo.content import GeneratedFile
from modeldeck_local.demo.origin import FLAKY_DROPS, Origin, Served

FILE = GeneratedFile("vae/x.safetensors", 600_000)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    served = {"/o/x": Served(FILE), "/o/flaky": Served(FILE, "flaky")}
    async with TestServer(Origin(served).app()) as server:
        yield str(server.make_url("/o/"))


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_whole_file_comes_with_the_hash_it_states(url: str, client: aiohttp.ClientSession) -> None:
    async with client.get(url + "x") as answer:
        body = await answer.read()
        assert answer.status == 200
        assert answer.headers["X-Linked-Size"] == str(len(body)) == str(FILE.size_bytes)
        assert answer.headers["X-Linked-ETag"] == f'"{hashlib.sha256(body).hexdigest()}"'


async def test_a_part_is_that_part(url: str, client: aiohttp.ClientSession) -> None:
    async with client.get(url + "x", headers={"Range": "bytes=1000-1999", "If-Range": f'"{FILE.sha256}"'}) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes 1000-1999/{FILE.size_bytes}"
        assert await answer.read() == FILE.read(1000, 2000)


async def test_another_validator_gets_the_whole_file(url: str, client: aiohttp.ClientSession) -> None:
    async with client.get(url + "x", headers={"Range": "bytes=1000-", "If-Range": '"other"'}) as answer:
        assert answer.status == 200


async def test_a_range_behind_the_end_is_refused(url: str, client: aiohttp.ClientSession) -> None:
    async with client.get(url + "x", headers={"Range": f"bytes={FILE.size_bytes}-"}) as answer:
        assert answer.status == 416
        assert answer.headers["Content-Range"] == f"bytes */{FILE.size_bytes}"


async def test_head_answers_without_a_body_and_the_unknown_is_404(url: str, client: aiohttp.ClientSession) -> None:
    async with client.head(url + "x") as answer:
        assert answer.headers["Content-Length"] == str(FILE.size_bytes)
    async with client.get(url + "unknown") as answer:
        assert answer.status == 404


async def test_a_flaky_file_arrives_when_one_goes_on_where_it_broke(url: str, client: aiohttp.ClientSession) -> None:
    async with client.get(url + "flaky") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"
    got, breaks = b"", 0
    while len(got) < FILE.size_bytes:
        async with client.get(url + "flaky", headers={"Range": f"bytes={len(got)}-"}) as answer:
            try:
                async for chunk in answer.content.iter_any():
                    got += chunk
            except aiohttp.ClientPayloadError:
                breaks += 1
    assert 1 <= breaks <= FLAKY_DROPS
    assert hashlib.sha256(got).hexdigest() == FILE.sha256
