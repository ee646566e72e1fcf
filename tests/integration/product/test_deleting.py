"""Deleting model files: what is needed stays, what was deleted comes back as the same bytes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.product.conftest import PRESETS
from tests.integration.product.workshop import HUB, State, Workshop, model, sha256
from tests.support.workflows import loading

pytestmark = pytest.mark.asyncio(loop_scope="module")


def files(states: State) -> dict[str, Any]:
    """Return the model files as the stream has them."""
    found: dict[str, Any] = states["models"]["models"]
    return found


async def install(shop: Workshop, *presets: str) -> dict[str, bytes]:
    """Install presets and wait until all their files are hashed; return the content by path."""
    content = {}
    for preset_id in presets:
        for path, url in PRESETS[preset_id].items():
            content[path] = shop.serve(url, path)
    async with shop.live("models", "presets") as live:
        for preset_id in presets:
            await shop.post(f"/presets/{preset_id}/install")
        await live.until(
            lambda states: (
                all(states["presets"]["presets"][one]["status"] == "installed" for one in presets)
                and all(files(states).get(path, {}).get("sha256") == sha256(content[path]) for path in content)
            )
        )
    return content


async def test_what_is_needed_is_refused_force_overrides_and_restore_brings_the_same_bytes(shop: Workshop) -> None:
    path = "vae/shared.safetensors"
    content = await install(shop, "ONE", "TWO")
    shop.put_workflow("needs.json", loading(path))
    async with shop.live("models", "templates") as live:
        await live.until(lambda states: len(files(states)[path]["needed_by"]) == 3)
        problem = await shop.delete(f"/models/{path}", 409)
        assert problem["code"] == "needed"
        needed = {(one["kind"], one["id"]) for one in problem["needed_by"]}
        assert needed == {("preset", "ONE"), ("preset", "TWO"), ("template", "workflows/needs.json")}
        assert (shop.models / path).read_bytes() == content[path]

        done = await shop.delete(f"/models/{path}", params={"force": "true"})
        assert (done["path"], done["freed_bytes"], done["restorable"]) == (path, len(content[path]), True)
        assert not (shop.models / path).exists()
        assert path in {one["path"] for one in (await shop.get("/models"))["deleted"]}
        await live.until(lambda states: path not in files(states))
        await live.until(lambda states: not states["templates"]["templates"]["workflows/needs.json"]["compatible"])
        assert (await shop.get("/presets/ONE"))["status"] != "installed"

        restored = await shop.post(f"/models/{path}/restore")
        assert restored["download_id"]
        await live.until(lambda states: files(states).get(path, {}).get("sha256") == sha256(content[path]))
        await live.until(lambda states: states["templates"]["templates"]["workflows/needs.json"]["compatible"])
    assert sha256((shop.models / path).read_bytes()) == sha256(content[path])
    assert path not in {one["path"] for one in (await shop.get("/models"))["deleted"]}
    assert (await shop.post(f"/models/{path}/restore", 409))["code"] == "present"


async def test_uninstalling_a_preset_keeps_what_another_one_needs(shop: Workshop) -> None:
    content = await install(shop, "ONE", "TWO")
    shop.workflows.joinpath("needs.json").unlink(missing_ok=True)
    async with shop.live("models", "presets", "templates") as live:
        await live.until(lambda states: "workflows/needs.json" not in states["templates"]["templates"])
        done = await shop.delete("/presets/TWO")
        assert done["deleted"] == ["checkpoints/two.safetensors"]
        assert done["freed_bytes"] == len(content["checkpoints/two.safetensors"])
        ((kept, needed_by),) = [(one["path"], one["needed_by"]) for one in done["kept"]]
        assert (kept, [one["id"] for one in needed_by]) == ("vae/shared.safetensors", ["ONE"])
        assert (shop.models / "vae/shared.safetensors").is_file()
        await live.until(lambda states: states["presets"]["presets"]["TWO"]["status"] == "available")
        assert live.states["presets"]["presets"]["ONE"]["status"] == "installed"
        again = await shop.delete("/presets/TWO")
        assert (again["deleted"], again["freed_bytes"]) == ([], 0)

        last = await shop.delete("/presets/ONE")
        assert sorted(last["deleted"]) == ["checkpoints/one.safetensors", "vae/shared.safetensors"]
        assert last["kept"] == []
        assert (await shop.delete("/presets/ONE", 404))["code"]
        for path in last["deleted"]:
            await shop.post(f"/models/{path}/restore")
        await live.until(lambda states: set(last["deleted"]) <= set(files(states)))
        await shop.post("/presets/ONE/install")
        await live.until(lambda states: states["presets"]["presets"]["ONE"]["status"] == "installed")
    for path in last["deleted"]:
        assert (shop.models / path).read_bytes() == content[path]


async def test_bytes_that_changed_at_the_source_are_not_taken_for_the_deleted_ones(shop: Workshop) -> None:
    url = f"{HUB}/org/changed/resolve/main/changed.safetensors"
    path = "loras/changed.safetensors"
    content = shop.serve(url, "first")
    workflow = loading(path, urls={path: url})
    async with shop.live("models") as live:
        (queued,) = (await shop.post("/workflows/install-missing", content=workflow))["queued"]
        assert (await until_ended(shop, queued["download_id"]))["status"] == "completed"
        await live.until(lambda states: files(states).get(path, {}).get("sha256") == sha256(content))
        await shop.delete(f"/models/{path}")
        shop.serve(url, "second")
        restored = await shop.post(f"/models/{path}/restore")
    ended = await until_ended(shop, restored["download_id"])
    assert ended["status"] == "failed"
    assert not (shop.models / path).exists()


async def until_ended(shop: Workshop, download_id: str) -> dict[str, Any]:
    """Return the queue's item of a download that ended."""

    def item(states: State) -> dict[str, Any]:
        found: dict[str, Any] = states["queue"]["completed"].get(download_id, {})
        return found

    async with shop.live("queue") as live:
        await live.until(lambda states: bool(item(states)))
        return item(live.states)


async def test_a_file_that_nobody_can_fetch_again_says_so_before_it_goes(shop: Workshop) -> None:
    path = "loras/made-by-hand.safetensors"
    shop.put_model(path, model("made by hand"))
    async with shop.live("models") as live:
        await live.until(lambda states: path in files(states))
        assert files(live.states)[path]["restorable"] is False
    done = await shop.delete(f"/models/{path}")
    assert done["restorable"] is False
    assert (await shop.post(f"/models/{path}/restore", 409))["code"] == "no_source"
    assert (await shop.delete(f"/models/{path}", 404))["code"]


async def test_two_who_delete_at_once_delete_once(shop: Workshop) -> None:
    path = "loras/both.safetensors"
    shop.put_model(path, model("both"))
    async with shop.live("models") as live:
        await live.until(lambda states: path in files(states))
    answers = await asyncio.gather(*(shop.client.delete(f"/api/v1/models/{path}") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404]


async def test_a_link_frees_nothing_and_its_content_stays(shop: Workshop) -> None:
    original = shop.put_model("loras/original.safetensors", model("original"))
    second = shop.models / "loras/second.safetensors"
    second.hardlink_to(original)
    async with shop.live("models") as live:
        await live.until(
            lambda states: {"loras/original.safetensors", "loras/second.safetensors"} <= set(files(states))
        )
    done = await shop.delete("/models/loras/second.safetensors")
    assert done["freed_bytes"] == 0
    assert original.read_bytes() == model("original")
