"""A workflow's lock file: written by one product, installed by another one, byte for byte or not at all."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.product.workshop import HUB, Workshop, model, sha256, workshop
from tests.support.origin import Origin
from tests.support.workflows import loading

pytestmark = pytest.mark.asyncio(loop_scope="module")

URLS = {
    "vae/a.safetensors": f"{HUB}/org/a/resolve/main/a.safetensors",
    "loras/b.safetensors": f"{HUB}/org/b/resolve/main/b.safetensors",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as serving:
        yield serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path_factory.mktemp("first"), origin=origin) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def second(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path_factory.mktemp("second"), origin=origin) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lock(first: Workshop) -> dict[str, Any]:
    """The lock file of a workflow whose files are there, hashed."""
    for path, url in URLS.items():
        first.serve(url, path)
    async with first.live("templates") as live:
        first.put_workflow("locked.json", loading(*URLS, urls=URLS))
        await live.until(lambda states: "workflows/locked.json" in states["templates"]["templates"])
        refused = await first.get("/workflows/templates/workflows/locked.json/lock", 409)
        assert refused["code"] == "files_missing"
        await first.post("/workflows/templates/workflows/locked.json/install-missing")
        await live.until(lambda states: states["templates"]["templates"]["workflows/locked.json"]["compatible"])
    found: dict[str, Any] = await first.lock("workflows/locked.json")
    return found


async def test_it_states_path_size_hash_and_source_of_every_file(lock: dict[str, Any], first: Workshop) -> None:
    stated = {file["path"]: (file["size_bytes"], file["sha256"]) for file in lock["files"]}
    there = {path: (first.models / path).read_bytes() for path in URLS}
    assert stated == {path: (len(content), sha256(content)) for path, content in there.items()}
    assert str(first.folder) not in str(lock)


async def test_another_machine_gets_the_same_bytes(lock: dict[str, Any], first: Workshop, second: Workshop) -> None:
    assert not any(second.models.rglob("*.safetensors"))
    async with second.live("models") as live:
        done = await second.install_lock(lock)
        assert {one["path"] for one in done["queued"]} == set(URLS)
        await live.until(lambda states: set(URLS) <= set(states["models"]["models"]))
    for path in URLS:
        assert (second.models / path).read_bytes() == (first.models / path).read_bytes()
    again = await second.install_lock(lock)
    assert (again["status"], again["queued"]) == ("compatible", [])


async def test_bytes_that_are_not_those_of_the_lock_never_get_the_final_name(
    lock: dict[str, Any], second: Workshop
) -> None:
    path = "vae/a.safetensors"
    (second.models / path).unlink(missing_ok=True)
    second.serve(URLS[path], "tampered", 200_000, stated=False)
    async with second.live("queue", "models") as live:
        await live.until(lambda states: path not in states["models"]["models"])
        done = await second.install_lock(lock)
        (queued,) = [one for one in done["queued"] if one["path"] == path]
        download_id = queued["download_id"]
        await live.until(lambda states: download_id in states["queue"]["completed"])
        ended = live.states["queue"]["completed"][download_id]
    assert ended["status"] == "failed"
    assert "hash" in ended["error"].lower() or "sha-256" in ended["error"].lower()
    assert not (second.models / path).exists()


async def test_a_file_of_another_content_in_the_way_is_not_taken_for_the_right_one(
    lock: dict[str, Any], second: Workshop
) -> None:
    path = "loras/b.safetensors"
    other = model("other", 200_000)
    second.put_model(path, other)
    async with second.live("models") as live:
        await live.until(lambda states: states["models"]["models"].get(path, {}).get("sha256") == sha256(other))
    only = copy.deepcopy(lock) | {"files": [file for file in lock["files"] if file["path"] == path]}
    answer = await second.client.post("/api/v1/workflows/lock/install", json=only)
    assert path in answer.text
    if answer.status_code == 200:
        document = answer.json()
        assert document["status"] != "compatible"
    assert (second.models / path).read_bytes() == other, "nothing is overwritten"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"files": [{"path": "../x"}]}', b"\xff", b'{"files": 1}'])
async def test_what_is_no_lock_file_is_refused(second: Workshop, body: bytes) -> None:
    problem = await second.post("/workflows/lock/install", 422, content=body)
    assert problem["code"]
    assert problem["detail"]


async def test_a_lock_file_cannot_write_outside_of_the_models_folder(
    lock: dict[str, Any], second: Workshop, tmp_path: Path
) -> None:
    for path in ("../x.safetensors", str(tmp_path / "x.safetensors"), "vae/../../x.safetensors", "vae\\x", "C:/x"):
        forged = copy.deepcopy(lock)
        forged["files"][0]["path"] = path
        assert (await second.post("/workflows/lock/install", 422, json=forged))["code"]
