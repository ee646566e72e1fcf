"""A preset that its registry changes, through the whole product: told, planned, updated, and nothing fetched twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.support.origin import Origin, content, origin
from tests.support.product import running_product

SIZE = 400_000


def define(folder: Path, host: Origin, version: str, **files: str) -> None:
    """Write the registry of one preset; `files` are URLs' paths by the file's name."""
    lines = [f"- {{path: vae/{name}.bin, url: '{host.url}{path}'}}" for name, path in files.items()]
    (folder / "p.yaml").write_text("\n".join([f"version: {version}", "name: P", "category: C", "files:", *lines]))
    (folder / "registry.json").write_text(json.dumps({"presets": {"p": {"path": "p.yaml"}}}))


async def until(http: httpx.AsyncClient, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the preset once the condition holds for it."""
    async with asyncio.timeout(30):
        while True:
            answer = await http.get("/api/v1/presets/p")
            if answer.status_code == 200 and true(answer.json()):
                found: dict[str, Any] = answer.json()
                return found
            await asyncio.sleep(0.05)  # other processes make it so


async def test_an_update_from_the_registry_to_the_disk(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    folder.mkdir()
    async with origin() as host:
        for path, seed in (("/keep.bin", 1), ("/v1/x.bin", 2), ("/v2/x.bin", 3), ("/new.bin", 4)):
            host.add(path, size=SIZE, seed=seed)
        define(folder, host, "1.0.0", keep="/keep.bin", x="/v1/x.bin")
        settings = {"MODELDECK_PRESETS_URL": str(folder), "MODELDECK_ALLOWED_HOSTS": host.host}
        async with running_product(tmp_path / "data", settings=settings) as product, product.client() as http:
            await until(http, lambda preset: preset.get("version") == "1.0.0")
            assert (await http.post("/api/v1/presets/p/install")).status_code == 200
            await until(http, lambda preset: preset["status"] == "installed")
            define(folder, host, "2.0.0", keep="/keep.bin", x="/v2/x.bin", new="/new.bin")
            answer = (await http.post("/api/v1/presets/refresh")).json()
            assert (answer["status"], answer["total_presets"]) == ("success", 1)
            preset = (await http.get("/api/v1/presets/p")).json()
            assert (preset["status"], preset["update_available"]) == ("installed", True)
            assert (preset["installed_version"], preset["version"]) == ("1.0.0", "2.0.0")
            assert preset["changed_files"] == [
                {"path": "vae/x.bin", "change": "changed"},
                {"path": "vae/new.bin", "change": "new"},
            ]
            plan = (await http.get("/api/v1/presets/p/plan")).json()
            actions = {file["path"]: file["action"] for file in plan["files"]}
            assert actions == {"vae/keep.bin": "present", "vae/x.bin": "download", "vae/new.bin": "download"}
            assert (await http.post("/api/v1/presets/p/install")).json()["status"] == "queued"
            preset = await until(
                http, lambda preset: preset["status"] == "installed" and not preset["update_available"]
            )
            assert "changed_files" not in preset
            models = tmp_path / "data/models"
            assert (models / "vae/x.bin").read_bytes() == content(3, 0, SIZE)
            assert (models / "vae/new.bin").read_bytes() == content(4, 0, SIZE)
            assert host.sent("/keep.bin") == SIZE
            assert (await http.post("/api/v1/presets/p/install")).json()["status"] == "installed"
            featured = (await http.get("/api/v1/featured-models")).json()
            assert len(featured["models"]) >= 6
            assert featured["last_updated"]
