"""The catalog killed in the middle of its work: nothing is lost, nothing is told twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.integration.product.workshop import HUB, Workshop, model, workshop
from tests.support.workflows import loading

FILES = 3000


async def test_an_inventory_that_is_killed_again_and_again_tells_each_file_once(tmp_path: Path) -> None:
    content = model("many", 600)
    async with workshop(tmp_path) as shop:
        async with shop.live("models") as live:
            for number in range(FILES):
                path = shop.models / f"loras/{number % 20}/{number}.safetensors"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content[:-8] + number.to_bytes(8))
                if number in {FILES // 3, 2 * FILES // 3}:
                    await live.until(lambda states: states["models"]["total"] > 0)
                    await shop.product.kill("catalog")
            await live.until(lambda states: states["models"]["total"] > 0)
            await shop.product.kill("catalog")
            await live.until(lambda states: states["models"]["total"] == FILES, 60.0)
        log = await shop.log()
        found = Counter(entry["data"]["path"] for entry in log if entry["type"] == "modeldeck.modelfile.found.v1")
        assert len(found) == FILES
        assert set(found.values()) == {1}, found.most_common(3)
        assert not [entry for entry in log if entry["type"] == "modeldeck.modelfile.gone.v1"]
        served = {one["path"]: one["size_bytes"] for one in (await shop.get("/models"))["models"]}
        assert served == {str(path.relative_to(shop.models)): 600 for path in shop.models.rglob("*.safetensors")}


async def test_installing_what_is_missing_survives_a_killed_catalog_and_gateway(tmp_path: Path) -> None:
    urls = {f"loras/part-{n}.safetensors": f"{HUB}/org/parts/resolve/main/{n}.safetensors" for n in range(12)}
    async with workshop(tmp_path, settings={"MODELDECK_BANDWIDTH_LIMIT": "1MB/s"}) as shop:
        content = {path: shop.serve(url, path, 300_000) for path, url in urls.items()}
        async with shop.live("templates") as live:
            shop.put_workflow("parts.json", loading(*urls, urls=urls))
            await live.until(lambda states: "workflows/parts.json" in states["templates"]["templates"])
            done = await shop.post("/workflows/templates/workflows/parts.json/install-missing")
            assert len(done["queued"]) == len(urls)
            await live.until(
                lambda states: 0 < states["templates"]["templates"]["workflows/parts.json"]["missing_count"] < len(urls)
            )
            await shop.product.kill("catalog")
        await shop.product.kill("gateway")
        await shop.product.wait_ready()
        async with shop.live("templates") as live:
            await live.until(
                lambda states: states["templates"]["templates"]["workflows/parts.json"]["compatible"], 40.0
            )
        assert {path: (shop.models / path).read_bytes() for path in urls} == content
        before = await boards(shop)
        await shop.product.kill("gateway")
        await shop.product.kill("catalog")
        await shop.product.wait_ready()
        assert await boards(shop) == before
        log = await shop.log()
        found = Counter(entry["data"]["path"] for entry in log if entry["type"] == "modeldeck.modelfile.found.v1")
        assert set(found.values()) == {1}
        scanned = Counter(entry["data"]["template_id"] for entry in log if "template.scanned" in entry["type"])
        assert scanned == {"workflows/parts.json": 1}


async def boards(shop: Workshop) -> tuple[Any, Any, Any]:
    """Return what the read models say of model files and templates, without what the disk's fill changes."""
    storage = await shop.get("/storage")
    numbers = {name: storage[name] for name in ("model_count", "models_bytes", "folders", "unused", "duplicates")}
    return await shop.get("/models"), await shop.get("/workflows/templates"), numbers
