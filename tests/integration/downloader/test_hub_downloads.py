"""From a repository's name to verified bytes: catalog, bus, downloader process and a stand-in for the hub.

That the stand-in is one which huggingface_hub itself takes for the hub is shown here too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from catalog.app import build
from catalog.settings import Settings
from downloader.sources import Sources
from downloader.transfer import FileRequest, Transfer, TransferError
from modeldeck_events import downloads as d
from modeldeck_events.repositories import DescribeRepository, Repository, Variant

from tests.support.hub import TOKEN, Hub, hub
from tests.support.studio import POOL, Studio, studio

MODEL = b"GGUF\x03\0\0\0" + bytes(16) + b"old weights " * 20_000
NEWER = b"GGUF\x03\0\0\0" + bytes(16) + b"new weights " * 20_000
NAME = "tiny-Q4_K_M.gguf"


@pytest.fixture
async def origin() -> AsyncIterator[Hub]:
    async with hub() as running:
        running.add("org/tiny", {NAME: MODEL, "README.md": b"# Tiny"})
        yield running


@pytest.fixture
async def s(tmp_path: Path, origin: Hub) -> AsyncIterator[Studio]:
    async with studio(tmp_path) as made:
        settings: dict[str, Any] = {"data_dir": tmp_path / "data", "hf_endpoint": origin.url}
        catalog = build(Settings(nats_url=made.nats.url, **settings))
        await catalog.start()
        try:
            async with asyncio.timeout(10):
                await catalog.ready()
            made.downloader(allowed_hosts=f"{origin.host},{origin.cdn}")
            yield made
        finally:
            await catalog.stop()


async def variant(s: Studio, text: str) -> tuple[Repository, Variant]:
    """Ask the catalog; return the repository and the file that the text names."""
    reply = await s.ask(DescribeRepository(text=text))
    assert reply.ok, reply
    found = msgspec.convert(reply.data["repository"], Repository)
    return found, next(each for each in found.variants if each.filename == reply.data["selected"])


async def download(s: Studio, chosen: Variant, *, sha256: str | None) -> d.DownloadEvent:
    """Queue the file; return the fact that ends it."""
    target = d.Target(id=f"file:{chosen.path}", kind="file", name=chosen.filename)
    spec = d.FileSpec(path=chosen.path, url=chosen.url, size_bytes=chosen.size_bytes, sha256=sha256)
    command = d.QueueDownload(
        pool=POOL, target_id=target.id, target=target, files=(spec,), command_id=str(uuid.uuid4())
    )
    assert (await s.ask(command)).ok

    def ended() -> list[d.DownloadEvent]:
        subject = d.subject(POOL, target.id)
        kinds = (d.DownloadFileCompleted, d.DownloadFileFailed)
        return [
            record.event for record in s.seen.records if record.subject == subject and isinstance(record.event, kinds)
        ]

    await s.until(lambda _: ended())
    return ended()[-1]


async def test_a_file_of_a_repository_arrives_verified_by_what_the_hub_states(s: Studio, origin: Hub) -> None:
    found, chosen = await variant(s, f"{origin.url}/org/tiny/blob/main/{NAME}")
    sha256 = hashlib.sha256(MODEL).hexdigest()
    assert (chosen.sha256, chosen.size_bytes, chosen.path) == (sha256, len(MODEL), f"llm/org/tiny/{NAME}")
    done = await download(s, chosen, sha256=chosen.sha256)
    assert isinstance(done, d.DownloadFileCompleted), done
    assert (done.sha256, done.verified, done.url) == (sha256, "sha256", chosen.url)
    assert (s.models / chosen.path).read_bytes() == MODEL
    assert found.revision in chosen.url


async def test_a_revision_stays_what_it_was_when_the_repository_goes_on(s: Studio, origin: Hub) -> None:
    repo = origin.repos["org/tiny"]
    old = repo.head
    _, chosen = await variant(s, f"hf://org/tiny@{old}/{NAME}")
    repo.commit({NAME: NEWER})
    done = await download(s, chosen, sha256=None)  # the expected hash is the linked ETag of that revision
    assert isinstance(done, d.DownloadFileCompleted), done
    assert (done.sha256, done.verified) == (hashlib.sha256(MODEL).hexdigest(), "sha256")
    assert (s.models / chosen.path).read_bytes() == MODEL
    found, newer = await variant(s, f"{origin.url}/org/tiny/blob/main/{NAME}")
    assert (found.revision, newer.sha256) == (repo.head, hashlib.sha256(NEWER).hexdigest())


@pytest.mark.parametrize("stated_by", ["catalog", "linked etag"])
async def test_other_bytes_than_the_hub_states_are_refused(s: Studio, origin: Hub, stated_by: str) -> None:
    origin.repos["org/tiny"].corrupt = True
    _, chosen = await variant(s, f"{origin.url}/org/tiny/blob/main/{NAME}")
    ended = await download(s, chosen, sha256=chosen.sha256 if stated_by == "catalog" else None)
    assert isinstance(ended, d.DownloadFileFailed), ended
    assert ended.failure.code == "hash_mismatch"
    assert not (s.models / chosen.path).exists()
    assert s.leftovers() == []


async def test_a_gated_file_says_what_to_do_and_comes_once_access_is_granted(tmp_path: Path, origin: Hub) -> None:
    repo = origin.add("org/gated", {NAME: MODEL}, gated="manual")
    url = f"{origin.url}/org/gated/resolve/{repo.head}/{NAME}"

    async def fetch(**sources: Any) -> str | None:
        allowed = Sources(allowed_hosts=[origin.host, origin.cdn], hf_endpoint=origin.url, **sources)
        async with Transfer(models_dir=tmp_path, sources=allowed, disk_reserve_bytes=0) as transfer:
            return (await transfer.fetch(FileRequest("llm/a.gguf", url))).sha256

    for token in (None, TOKEN):
        with pytest.raises(TransferError) as refused:
            await fetch(hf_token=token)
        assert refused.value.code == "license_not_accepted"
        assert "/org/gated" in refused.value.message
    repo.granted = True
    assert await fetch(hf_token=TOKEN) == hashlib.sha256(MODEL).hexdigest()
    assert {request.authorization for request in origin.asked("/cdn/")} == {None}


async def test_huggingface_hub_itself_takes_the_stand_in_for_the_hub(tmp_path: Path, origin: Hub) -> None:
    repo = origin.repos["org/tiny"]
    origin.add("org/gated", {NAME: MODEL}, gated="auto")
    origin.add("org/old", {}, renamed_to="org/tiny")
    old = repo.head
    repo.commit({NAME: NEWER})
    program = f"""
import hashlib, json
from huggingface_hub import HfApi, errors, get_hf_file_metadata, hf_hub_download, hf_hub_url

def code(call):
    try:
        call()
    except errors.HfHubHTTPError as error:
        return type(error).__name__, error.response.status_code

def sha256(**which):
    with open(hf_hub_download("org/tiny", **which), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()

api = HfApi()
info = api.model_info("org/tiny", files_metadata=True)
stated = get_hf_file_metadata(hf_hub_url("org/tiny", "{NAME}", revision="{old}"))
print(json.dumps({{
    "id": info.id, "sha": info.sha, "lfs": info.siblings[1].lfs.sha256, "size": info.siblings[1].size,
    "renamed": api.model_info("org/old").id,
    "tree": [(entry.path, entry.lfs is not None) for entry in api.list_repo_tree("org/tiny", recursive=True)],
    "etag": stated.etag, "commit": stated.commit_hash, "bytes": stated.size,
    "old": sha256(filename="{NAME}", revision="{old}"),
    "new": sha256(filename="{NAME}"),
    "small": sha256(filename="README.md"),
    "unknown": code(lambda: api.model_info("org/nothing")),
    "gated": code(lambda: hf_hub_download("org/gated", "{NAME}")),
    "revision": code(lambda: api.model_info("org/tiny", revision="v9")),
    "entry": code(lambda: hf_hub_download("org/tiny", "other.gguf")),
}}))
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": origin.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    before, after = hashlib.sha256(MODEL).hexdigest(), hashlib.sha256(NEWER).hexdigest()
    assert told == {
        "id": "org/tiny",
        "sha": repo.head,
        "lfs": after,
        "size": len(NEWER),
        "renamed": "org/tiny",
        "tree": [["README.md", False], [NAME, True]],
        "etag": before,
        "commit": old,
        "bytes": len(MODEL),
        "old": before,
        "new": after,
        "small": hashlib.sha256(b"# Tiny").hexdigest(),
        "unknown": ["RepositoryNotFoundError", 401],
        "gated": ["GatedRepoError", 401],
        "revision": ["RevisionNotFoundError", 404],
        "entry": ["RemoteEntryNotFoundError", 404],
    }
