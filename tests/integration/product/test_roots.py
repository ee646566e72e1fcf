"""Several model folders, storage and duplicates: what is told agrees with the file system."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.product.workshop import Workshop, model, put, sha256, workshop
from tests.support.workflows import loading

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workshop]:
    """A product with a second model folder, as ComfyUI's extra_model_paths.yaml names it."""
    folder = tmp_path_factory.mktemp("roots")
    other = folder / "other"
    other.mkdir()
    extra = put(folder / "extra_model_paths.yaml", f"nas:\n  base_path: {other}\n  vae: |\n    my/vae\n".encode())
    put(other / "my/vae/deep/early.safetensors", model("early"))
    async with workshop(folder, settings={"MODELDECK_EXTRA_MODEL_PATHS": str(extra)}) as running:
        yield running


async def test_a_file_of_another_root_makes_a_workflow_ready(shop: Workshop) -> None:
    async with shop.live("templates", "models") as live:
        shop.put_workflow("early.json", loading("vae/deep/early.safetensors"))
        await live.until(
            lambda states: bool(states["templates"]["templates"].get("workflows/early.json", {}).get("compatible"))
        )
        assert live.states["models"]["models"]["@nas/vae/deep/early.safetensors"]["size_bytes"] == 200_000

        shop.put_workflow("late.json", loading("vae/late.safetensors"))
        await live.until(lambda states: "workflows/late.json" in states["templates"]["templates"])
        assert not live.states["templates"]["templates"]["workflows/late.json"]["compatible"]
        put(shop.folder / "other/my/vae/late.safetensors", model("late"))
        await live.until(lambda states: states["templates"]["templates"]["workflows/late.json"]["compatible"], 2.0)
        (reference,) = live.states["templates"]["templates"]["workflows/late.json"]["references"]
        assert reference["found_at"] == "@nas/vae/late.safetensors"


async def test_a_file_of_another_root_in_the_wrong_folder_is_linked(shop: Workshop) -> None:
    original = put(shop.folder / "other/my/vae/wrong.safetensors", model("wrong"))
    async with shop.live("templates") as live:
        shop.put_workflow("wrong.json", loading("loras/wrong.safetensors"))
        await live.until(
            lambda states: (
                [
                    one["found_at"]
                    for one in states["templates"]["templates"]
                    .get("workflows/wrong.json", {})
                    .get("missing_models", [])
                    if one["status"] == "present_elsewhere"
                ]
                == ["@nas/vae/wrong.safetensors"]
            )
        )
        done = await shop.post("/workflows/templates/workflows/wrong.json/install-missing")
        assert [one["path"] for one in done["linked"]] == ["loras/wrong.safetensors"]
        await live.until(lambda states: states["templates"]["templates"]["workflows/wrong.json"]["compatible"])
    assert (shop.models / "loras/wrong.safetensors").samefile(original)


async def test_storage_and_duplicates_agree_with_the_file_system(shop: Workshop) -> None:
    twin = model("twin", 300_000)
    paths = [shop.put_model(f"checkpoints/twin-{number}.safetensors", twin) for number in range(3)]
    (shop.models / "checkpoints/twin-link.safetensors").hardlink_to(paths[0])
    async with shop.live("models") as live:
        await live.until(
            lambda states: [file.get("sha256") for file in states["models"]["models"].values()].count(sha256(twin)) == 4
        )
    storage = await shop.get("/storage")
    on_disk = [
        path
        for root in (shop.models, shop.folder / "other")
        for path in root.rglob("*.safetensors")
        if path.is_file() and not path.name.startswith(".")
    ]
    assert storage["model_count"] == len(on_disk) == (await shop.get("/models"))["total"]
    distinct = {(path.stat().st_dev, path.stat().st_ino): path.stat().st_size for path in on_disk}
    assert storage["models_bytes"] == sum(distinct.values())
    (volume,) = storage["volumes"]
    room = os.statvfs(shop.models)
    assert volume["total_bytes"] == room.f_frsize * room.f_blocks
    assert abs(volume["free_bytes"] - room.f_frsize * room.f_bavail) < 1_000_000_000  # others use the disk too
    assert volume["mount"] == str(mount_of(shop.models))
    assert (volume["model_count"], volume["models_bytes"]) == (storage["model_count"], storage["models_bytes"])
    folders = {one["folder"]: one["count"] for one in storage["folders"]}
    assert folders["checkpoints"] == 4
    (group,) = [one for one in storage["duplicates"]["groups"] if one["sha256"] == sha256(twin)]
    assert len(group["paths"]) == 4
    assert group["reclaimable_bytes"] == 2 * len(twin), "the hard link frees nothing"
    unused = [one for one in (await shop.get("/models"))["models"] if not one["needed_by"]]
    assert storage["unused"]["count"] == len(unused)


def mount_of(path: Path) -> Path:
    """Return the mount point of the volume on which a path lies."""
    while not path.is_mount():
        path = path.parent
    return path


async def test_a_file_of_another_root_is_never_deleted_for_a_preset_and_can_be_by_name(shop: Workshop) -> None:
    path = put(shop.folder / "other/my/vae/gone.safetensors", model("gone"))
    async with shop.live("models") as live:
        await live.until(lambda states: "@nas/vae/gone.safetensors" in states["models"]["models"])
        done = await shop.delete("/models/@nas/vae/gone.safetensors")
        assert done["freed_bytes"] == 200_000
        assert not path.exists()
        await live.until(lambda states: "@nas/vae/gone.safetensors" not in states["models"]["models"])
