"""The demo's origin over real HTTP."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from huggingface_hub import HfApi, get_hf_file_metadata
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError
from modeldeck_local.demo.content import GeneratedFile
from modeldeck_local.demo.origin import FLAKY_DROPS, Origin, Served
from modeldeck_local.demo.shelf import Stated

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


@pytest.fixture
async def hub() -> AsyncIterator[str]:
    """The origin as a hub: one repository for all, one whose terms must be accepted."""
    served = {
        f"/{repo}/resolve/main/{name}": Served(GeneratedFile(name, 300_000))
        for repo in ("studio/Chat", "studio/Gated")
        for name in ("chat-Q4_K_M.gguf", "chat-Q8_0-00001-of-00002.gguf", "chat-Q8_0-00002-of-00002.gguf")
    }
    stated = {
        "studio/Chat": Stated("Talks about anything, at length.", "mit", facts={"likes": 7, "tags": ["gguf"]}),
        "studio/Gated": Stated(gated="manual"),
    }
    async with TestServer(Origin(served, stated).app()) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_huggingface_hub_reads_a_repository_and_its_files(hub: str) -> None:
    api = HfApi(endpoint=hub, token=False)
    info = await asyncio.to_thread(api.model_info, "studio/Chat", files_metadata=True)
    assert (info.likes, info.tags, info.gated) == (7, ["gguf"], False)
    found = {file.rfilename: file for file in info.siblings or ()}
    assert set(found) == {
        "README.md",
        "chat-Q4_K_M.gguf",
        "chat-Q8_0-00001-of-00002.gguf",
        "chat-Q8_0-00002-of-00002.gguf",
    }
    weights = GeneratedFile("chat-Q4_K_M.gguf", 300_000)
    lfs = found["chat-Q4_K_M.gguf"].lfs
    assert lfs is not None
    assert (lfs.size, lfs.sha256) == (300_000, weights.sha256)
    listed = await asyncio.to_thread(lambda: list(api.list_repo_tree("studio/Chat")))
    assert {entry.path for entry in listed} == set(found)
    at_commit = f"{hub}/studio/Chat/resolve/{info.sha}/chat-Q4_K_M.gguf"
    metadata = await asyncio.to_thread(get_hf_file_metadata, at_commit, token=False)
    assert (metadata.commit_hash, metadata.etag, metadata.size) == (info.sha, weights.sha256, 300_000)


async def test_huggingface_hub_understands_what_is_refused(hub: str, client: aiohttp.ClientSession) -> None:
    api = HfApi(endpoint=hub, token=False)
    gated = await asyncio.to_thread(api.model_info, "studio/Gated", files_metadata=True)
    assert gated.gated == "manual"
    assert len(gated.siblings or ()) == 4
    for path, refused in (
        ("studio/Gated/resolve/main/chat-Q4_K_M.gguf", GatedRepoError),
        ("studio/Chat/resolve/main/none.gguf", EntryNotFoundError),
        ("studio/None/resolve/main/none.gguf", RepositoryNotFoundError),
    ):
        with pytest.raises(refused):
            await asyncio.to_thread(get_hf_file_metadata, f"{hub}/{path}", token=False)
    async with client.get(f"{hub}/studio/Chat/resolve/main/README.md") as answer:
        assert "Talks about anything, at length." in await answer.text()
