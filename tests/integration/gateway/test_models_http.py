"""Model files and storage over HTTP and SSE: a gateway in this process, the catalog and the downloader simulated."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from modeldeck_events import downloads as d
from modeldeck_events.message import Event, Reply
from modeldeck_events.modelfiles import (
    DeleteModelFile,
    LinkModelFile,
    ModelFileDeleted,
    ModelFileFound,
    ModelFileLinked,
    PlanRestore,
    Provenance,
    inventory_subject,
)
from modeldeck_events.modelfiles import subject as modelfile_subject
from modeldeck_events.presets import PresetPublished, PresetUninstalled, UninstallPreset
from modeldeck_events.presets import subject as preset_subject
from modeldeck_events.readings import DiskSample, host_subject
from modeldeck_events.templates import subject as template_subject

from tests.integration.gateway.conftest import Product, caught_up
from tests.integration.gateway.fakes import FakeServices, eventually
from tests.integration.gateway.sse_client import Follower
from tests.unit.gateway.facts import file, found, hashed, host_sample, preset, reference, scanned, surveyed

ODD = [
    "loras/plain.safetensors",
    "loras/sub folder/a b.safetensors",
    "@comfy/loras/x.safetensors",
    "loras/100%25 #1?.safetensors",
    "loras/ünï/模型.gguf",
    "loras/restore",
    "loras/a+b&c=d.bin",
]
SHA = "ab" * 32


class FakeCatalog:
    """Simulates the catalog's commands on files: it appends their facts and touches no disk."""

    def __init__(self, services: FakeServices) -> None:
        self._services = services
        self.needed_by: dict[str, list[dict[str, str]]] = {}
        services.answers |= {
            DeleteModelFile: self._delete,
            LinkModelFile: self._link,
            PlanRestore: self._restore,
            UninstallPreset: self._uninstall,
        }
        self.there: dict[str, int] = {}
        self.gone: dict[str, Provenance | None] = {}

    async def find(self, *facts: ModelFileFound) -> None:
        for fact in facts:
            self.there[fact.path] = fact.size_bytes
            await self._services.append(modelfile_subject("default", fact.path), fact)

    async def _say(self, path: str, fact: Event) -> int:
        return await self._services.append(modelfile_subject("default", path), fact)

    async def _gone(self, path: str) -> int:
        provenance = self.gone[path] = Provenance(url=f"https://example.org/{path}", sha256=SHA)
        size = self.there.pop(path)
        return await self._say(
            path,
            ModelFileDeleted(pool="default", path=path, size_bytes=size, freed_bytes=size, provenance=provenance),
        )

    async def _delete(self, command: DeleteModelFile) -> Reply:
        if command.path not in self.there:
            return Reply(ok=False, code="unknown_file", message="There is no such file.", status=404)
        needed_by: list[Any] = self.needed_by.get(command.path, [])
        if needed_by and not command.force:
            data: dict[str, object] = {"path": command.path, "needed_by": needed_by}
            return Reply(ok=False, code="needed", message="It is needed.", status=409, data=data)
        size = self.there[command.path]
        answer = {"path": command.path, "size_bytes": size, "freed_bytes": size, "restorable": True}
        return Reply(ok=True, seq=await self._gone(command.path), data=answer | {"needed_by": needed_by})

    async def _link(self, command: LinkModelFile) -> Reply:
        if command.from_path not in self.there:
            return Reply(ok=False, code="unknown_file", message="There is no such file.", status=404)
        linked = ModelFileLinked(pool="default", path=command.path, from_path=command.from_path, method="hardlink")
        await self._say(command.path, linked)
        self.there[command.path] = self.there[command.from_path]
        seq = await self._say(command.path, found(command.path, self.there[command.path]))
        data: dict[str, object] = {"path": command.path, "from_path": command.from_path, "method": "hardlink"}
        return Reply(ok=True, seq=seq, data=data)

    async def _restore(self, command: PlanRestore) -> Reply:
        if command.path in self.there:
            return Reply(ok=False, code="present", message="It is there.", status=409)
        if command.path not in self.gone:
            return Reply(ok=False, code="unknown_file", message="Never heard of it.", status=404)
        provenance = self.gone[command.path]
        if provenance is None:
            return Reply(ok=False, code="no_source", message="Nobody knows.", status=409)
        back = command.path.partition("/")[2] if command.path.startswith("@") else command.path
        spec = d.FileSpec(path=back, url=provenance.url, sha256=provenance.sha256)
        return Reply(ok=True, data={"file": msgspec.to_builtins(spec)})

    async def _uninstall(self, command: UninstallPreset) -> Reply:
        if command.preset_id != "p":
            return Reply(ok=False, code="unknown_preset", message="There is no such preset.", status=404)
        if self.needed_by.get("p"):
            return Reply(ok=False, code="download_open", message="Cancel it first.", status=409)
        await self._gone("x/own")
        fact = PresetUninstalled(pool="default", preset_id="p", deleted=("x/own",), kept=("x/shared",), freed_bytes=100)
        kept = [{"path": "x/shared", "needed_by": [{"kind": "preset", "id": "q", "name": "Q"}]}]
        seq = await self._services.append(preset_subject("p"), fact)
        return Reply(ok=True, seq=seq, data={"preset_id": "p", "deleted": ["x/own"], "freed_bytes": 100, "kept": kept})


@pytest.fixture
def catalog(product: Product) -> FakeCatalog:
    return FakeCatalog(product.services)


async def settled(product: Product) -> None:
    await eventually(lambda: caught_up(product.app, product.services))


async def append(product: Product, subject: str, fact: Event) -> None:
    await product.services.append(subject, fact)


async def models(product: Product) -> dict[str, Any]:
    body = (await product.http.get("/api/models")).json()
    return {one["path"]: one for one in body["models"]}


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, response.headers["content-type"], body["code"]) == (
        status,
        "application/problem+json",
        code,
    ), response.text
    return body


async def test_the_list_is_there_under_every_spelling_and_before_any_file(product: Product) -> None:
    spellings = ("/api/v1/models", "/api/v1/models/", "/api/models", "/api/models/", "/api/models?limit=200")
    bodies = [(await product.http.get(path)).json() for path in spellings]
    assert bodies == [{"models": [], "total": 0, "deleted": []}] * len(spellings)
    for path in ("/api/v1/storage", "/api/storage/", "/api/storage"):
        assert (await product.http.get(path)).json()["model_count"] == 0


async def test_a_page_of_the_list_and_what_is_out_of_range(product: Product, catalog: FakeCatalog) -> None:
    await catalog.find(*(found(f"x/{n}") for n in range(5)))
    await settled(product)
    page = (await product.http.get("/api/models?limit=2&offset=3")).json()
    assert ([one["path"] for one in page["models"]], page["total"]) == (["x/3", "x/4"], 5)
    for wrong in ("limit=0", "limit=201", "offset=-1"):
        problem(await product.http.get(f"/api/models?{wrong}"), 422, "invalid_request")


async def test_an_unchanged_list_is_not_sent_again(product: Product, catalog: FakeCatalog) -> None:
    await catalog.find(found("x/a"))
    await settled(product)
    for path in ("/api/models", "/api/storage", "/api/models?limit=5"):
        first = await product.http.get(path)
        again = await product.http.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    before = (await product.http.get("/api/models")).headers["etag"]
    await catalog.find(found("x/b"))
    await settled(product)
    after = await product.http.get("/api/models", headers={"If-None-Match": before})
    assert (after.status_code, after.json()["total"]) == (200, 2)


@pytest.mark.parametrize("path", ODD)
async def test_odd_paths_reach_the_catalog_as_they_are(product: Product, catalog: FakeCatalog, path: str) -> None:
    await catalog.find(found(path, 7))
    await settled(product)
    assert (await models(product)).keys() == {path}
    url = f"/api/v1/models/{quote(path)}"
    deleted = await product.http.delete(url)
    assert deleted.json() == {
        "path": path,
        "size_bytes": 7,
        "freed_bytes": 7,
        "restorable": True,
        "needed_by": [],
    }
    listed = (await product.http.get("/api/models")).json()
    assert (listed["models"], [one["path"] for one in listed["deleted"]]) == ([], [path])
    restored = await product.http.post(f"{url}/restore")
    assert (restored.status_code, restored.json()["path"], restored.json()["status"]) == (200, path, "queued")
    queued = product.services.received[-1]
    assert isinstance(queued, d.QueueDownload)
    assert (queued.target_id, queued.files[0].sha256) == (f"file:{path.removeprefix('@comfy/')}", SHA)
    queue = (await product.http.get("/api/downloads/queue")).json()
    assert [item["download_id"] for item in queue["queue"]] == [restored.json()["download_id"]]


async def test_a_file_of_another_root_comes_back_below_the_models_folder(
    product: Product, catalog: FakeCatalog
) -> None:
    await catalog.find(found("@comfy/loras/x.bin"))
    await settled(product)
    await product.http.delete("/api/models/@comfy/loras/x.bin")
    restored = (await product.http.post("/api/models/@comfy/loras/x.bin/restore")).json()
    assert (restored["path"], restored["restored_as"]) == ("@comfy/loras/x.bin", "loras/x.bin")


@pytest.mark.parametrize("path", ["nope.bin", "loras/%2e%2e/etc/passwd", "a%00b", "C%3A/x", "%FF.bin", "x" * 1001])
async def test_what_names_no_file_is_not_found(product: Product, catalog: FakeCatalog, path: str) -> None:
    assert catalog.there == {}
    for response in (
        await product.http.delete(f"/api/models/{path}"),
        await product.http.post(f"/api/models/{path}/restore"),
    ):
        assert (response.status_code, response.json()["status"]) == (404, 404)


async def test_a_needed_file_stays_unless_by_force(product: Product, catalog: FakeCatalog) -> None:
    catalog.needed_by["x/a"] = [{"kind": "preset", "id": "p", "name": "P"}]
    await catalog.find(found("x/a"))
    await settled(product)
    body = problem(await product.http.delete("/api/models/x/a"), 409, "needed")
    assert body["needed_by"] == catalog.needed_by["x/a"]
    assert (await models(product)).keys() == {"x/a"}
    forced = await product.http.delete("/api/models/x/a?force=true")
    assert (forced.status_code, forced.json()["needed_by"]) == (200, catalog.needed_by["x/a"])
    assert await models(product) == {}


async def test_restoring_tells_why_it_cannot_be(product: Product, catalog: FakeCatalog) -> None:
    await catalog.find(found("x/a"))
    catalog.gone["x/lost"] = None
    await settled(product)
    problem(await product.http.post("/api/models/x/a/restore"), 409, "present")
    problem(await product.http.post("/api/models/x/lost/restore"), 409, "no_source")
    problem(await product.http.post("/api/models/x/never/restore"), 404, "unknown_file")


async def test_restoring_twice_with_one_key_is_one_download(product: Product, catalog: FakeCatalog) -> None:
    await catalog.find(found("x/a"))
    await settled(product)
    await product.http.delete("/api/models/x/a")
    key = {"Idempotency-Key": "once"}
    first, second = [await product.http.post("/api/models/x/a/restore", headers=key) for _ in range(2)]
    assert first.json() == second.json()
    asked = [one for one in product.services.received if isinstance(one, PlanRestore | d.QueueDownload)]
    assert [type(one) for one in asked] == [PlanRestore, d.QueueDownload]
    assert len({one.command_id for one in asked}) == 2


async def test_a_link_is_shown_at_once(product: Product, catalog: FakeCatalog) -> None:
    await catalog.find(found("x/a b", 9))
    await settled(product)
    linked = await product.http.post("/api/models/y/c%20d/link", json={"from_path": "x/a b"})
    assert linked.json() == {"path": "y/c d", "from_path": "x/a b", "method": "hardlink"}
    assert (await models(product)).keys() == {"x/a b", "y/c d"}
    problem(await product.http.post("/api/models/y/e/link", json={"from_path": "no"}), 404, "unknown_file")
    for wrong in ({}, {"from_path": "../x"}, {"from_path": "x/a b", "more": 1}):
        problem(await product.http.post("/api/models/y/e/link", json=wrong), 422, "invalid_request")
    problem(await product.http.post("/api/models/y%5Ce/link", json={"from_path": "x/a b"}), 422, "invalid_request")


async def test_needed_by_follows_presets_and_templates(product: Product, catalog: FakeCatalog) -> None:
    await append(product, preset_subject("p"), PresetPublished(preset=preset("p", file("vae/a"))))
    await append(product, template_subject("default", "w/t.json"), scanned("w/t.json", reference("vae/a"), name="T"))
    await catalog.find(found("vae/a"))
    await settled(product)
    assert (await models(product))["vae/a"]["needed_by"] == [
        {"kind": "preset", "id": "p", "name": "P"},
        {"kind": "template", "id": "w/t.json", "name": "T"},
    ]


async def test_storage_tells_of_volumes_and_duplicates(product: Product, catalog: FakeCatalog) -> None:
    await append(product, inventory_subject("default"), surveyed({"": "/big"}))
    await catalog.find(found("x/a"), found("y/a"))
    for inode, path in enumerate(("x/a", "y/a"), start=1):
        await append(product, modelfile_subject("default", path), hashed(path, SHA, inode=inode))
    disk = DiskSample(path="/folders/", total_bytes=1000, used_bytes=600, free_bytes=400)
    await product.services.bus.publish_reading(host_subject("box"), host_sample(disk))
    await settled(product)

    async def is_read() -> bool:
        return "total_bytes" in (await product.http.get("/api/storage")).json()

    await eventually(is_read)
    shown = (await product.http.get("/api/v1/storage")).json()
    assert {name: shown[name] for name in ("total_bytes", "used_bytes", "available_bytes", "model_count")} == {
        "total_bytes": 1000,
        "used_bytes": 600,
        "available_bytes": 400,
        "model_count": 2,
    }
    assert shown["volumes"][0]["mount"] == "/big"
    assert shown["duplicates"]["reclaimable_bytes"] == 100
    assert shown["unused"] == {"count": 2, "bytes": 200}
    assert (await models(product))["x/a"]["duplicates"] == ["y/a"]


async def test_the_past_is_the_past(product: Product, catalog: FakeCatalog) -> None:
    await catalog.find(found("x/a"), found("x/b"))
    await settled(product)
    then = (await product.services.bus.store.head()).seq
    await product.http.delete("/api/models/x/a")
    before = (await product.http.get(f"/api/models?at={then}")).json()
    assert ([one["path"] for one in before["models"]], before["deleted"]) == (["x/a", "x/b"], [])
    assert (await product.http.get(f"/api/storage?at={then}")).json()["models_bytes"] == 200
    assert (await models(product)).keys() == {"x/b"}


async def test_an_uninstalled_preset_is_available(product: Product, catalog: FakeCatalog) -> None:
    for name in ("p", "q"):
        own = [file("x/own")] if name == "p" else []
        await append(product, preset_subject(name), PresetPublished(preset=preset(name, *own, file("x/shared"))))
    await catalog.find(found("x/own"), found("x/shared"))
    await settled(product)
    assert (await product.http.get("/api/presets/p")).json()["status"] == "installed"
    answer = await product.http.delete("/api/v1/presets/p")
    assert answer.json() == {
        "preset_id": "p",
        "deleted": ["x/own"],
        "freed_bytes": 100,
        "kept": [{"path": "x/shared", "needed_by": [{"kind": "preset", "id": "q", "name": "Q"}]}],
    }
    shown = (await product.http.get("/api/presets/p")).json()
    assert (shown["status"], shown["installed"], shown["warnings"]) == ("available", False, [])
    assert (await product.http.get("/api/presets/q")).json()["status"] == "installed"
    assert (await models(product)).keys() == {"x/shared"}


async def test_an_uninstallation_is_refused_with_its_reason(product: Product, catalog: FakeCatalog) -> None:
    problem(await product.http.delete("/api/presets/nope"), 404, "unknown_preset")
    catalog.needed_by["p"] = [{"kind": "download", "id": "one"}]
    problem(await product.http.delete("/api/presets/p"), 409, "download_open")


async def test_a_stranger_changes_nothing(product: Product, catalog: FakeCatalog) -> None:
    await catalog.find(found("x/a"))
    await settled(product)
    for response in (
        await product.stranger.delete("/api/models/x/a?force=true"),
        await product.stranger.post("/api/models/x/a/restore"),
        await product.stranger.get("/api/models"),
        await product.stranger.get("/api/storage"),
        await product.stranger.delete("/api/presets/p"),
    ):
        assert response.status_code == 401
    assert product.services.received == []


async def test_the_stream_shows_each_change_as_a_small_delta(product: Product, catalog: FakeCatalog) -> None:
    await catalog.find(*(found(f"x/{n}") for n in range(20)))
    await settled(product)
    stream = Follower(product.http, "models")
    try:
        await stream.until(lambda s: s.named("snapshot"))
        assert stream.state("models")["models"].keys() == {f"x/{n}" for n in range(20)}
        assert stream.state("models")["total"] == 20
        await append(product, modelfile_subject("default", "x/7"), hashed("x/7", SHA, inode=7))
        await stream.until(lambda s: s.named("delta"))
        assert stream.named("delta")[0].data == {"topic": "models", "data": {"models": {"x/7": {"sha256": SHA}}}}
        await product.http.delete("/api/models/x/7")
        await stream.until(lambda s: len(s.named("delta")) > 1)
        delta = stream.named("delta")[1].data["data"]
        assert (delta["models"], delta["total"], delta["deleted"]["x/7"]["restorable"]) == ({"x/7": None}, 19, True)
        assert len(json.dumps(delta)) < 1000
        listed = (await product.http.get("/api/models")).json()
        assert sorted(stream.state("models")["models"]) == [one["path"] for one in listed["models"]]
        assert stream.state("models")["storage"] == (await product.http.get("/api/storage")).json()
    finally:
        await stream.stop()
