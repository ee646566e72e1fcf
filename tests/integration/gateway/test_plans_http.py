"""Plans over HTTP, and installs of presets that the catalog changed."""

from __future__ import annotations

from typing import Any

from modeldeck_events import downloads as d
from modeldeck_events import templates
from modeldeck_events.message import Reply
from modeldeck_events.modelfiles import subject as modelfile_subject
from modeldeck_events.presets import PresetPublished
from modeldeck_events.presets import subject as preset_subject
from msgspec.structs import replace

from tests.integration.gateway.conftest import Product, caught_up
from tests.integration.gateway.fakes import eventually
from tests.unit.gateway.facts import file_completed, found, preset

PLAN = "/api/v1/downloads/plan"
SOURCE = {"kind": "workflow", "name": "w", "url": "https://hub.example/m.bin", "size_bytes": 7, "sha256": "ab" * 32}
MISSING: dict[str, list[dict[str, Any]]] = {
    "w/a.json": [
        {"path": "vae/m.bin", "status": "missing", "action": "download", "source": SOURCE},
        {"path": "vae/l.bin", "status": "present_elsewhere", "action": "link", "from_path": "other/l.bin"},
        {"path": "vae/c.bin", "status": "ambiguous", "action": "choose", "candidates": ["x/c.bin", "y/c.bin"]},
        {"path": "vae/n.bin", "status": "missing", "action": "none", "message": "Nobody has it."},
    ],
    "w/b.json": [{"path": "vae/m.bin", "status": "missing", "action": "download", "source": SOURCE}],
    "w/whole.json": [],
}


async def plan_missing(command: templates.PlanMissing) -> Reply:
    files = MISSING.get(command.template_id)
    if files is None:
        return Reply(ok=False, status=404, code="template_not_found", message="There is no such template.")
    return Reply(ok=True, data={"files": files})


def planned(product: Product) -> list[d.FileSpec]:
    commands = [command for command in product.services.received if isinstance(command, d.PlanFiles)]
    return list(commands[-1].files)


async def test_templates_are_planned_beside_presets_and_files(product: Product) -> None:
    product.services.answers[templates.PlanMissing] = plan_missing
    url = "https://hub.example/own.bin"
    body = {
        "presets": ["a", "a"],
        "templates": ["w/a.json", "w/b.json", "w/a.json"],
        "files": [{"url": url, "path": "own.bin"}],
    }
    answer = await product.http.post(PLAN, json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 200
    assert [spec.path for spec in planned(product)] == [
        "checkpoints/a.safetensors", "vae/m.bin", "vae/m.bin", "own.bin",
    ], "what two templates miss comes twice: the downloader counts it as shared"  # fmt: skip
    wanted = planned(product)[1]
    assert (wanted.url, wanted.size_bytes, wanted.sha256) == (SOURCE["url"], 7, "ab" * 32)
    found = answer.json()
    assert {"path": "vae/l.bin", "action": "link", "from_path": "other/l.bin"} in found["files"]
    assert found["unresolved"] == [
        {"template_id": "w/a.json", "path": "vae/c.bin", "action": "choose", "candidates": ["x/c.bin", "y/c.bin"]},
        {"template_id": "w/a.json", "path": "vae/n.bin", "action": "none", "message": "Nobody has it."},
    ]
    again = await product.http.post(PLAN, json=body, headers={"Idempotency-Key": "k"})
    assert again.json() == found


async def test_a_template_that_misses_nothing_needs_no_plan(product: Product) -> None:
    product.services.answers[templates.PlanMissing] = plan_missing
    answer = await product.http.post(PLAN, json={"templates": ["w/whole.json"]})
    assert answer.json() == {"volumes": [], "files": [], "unresolved": []}
    assert not any(isinstance(command, d.PlanFiles) for command in product.services.received)
    answer = await product.http.post(PLAN, json={"templates": ["w/nope.json"]})
    assert (answer.status_code, answer.json()["code"]) == (404, "template_not_found")
    answer = await product.http.post(PLAN, json={"templates": []})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_an_update_is_told_planned_and_installed_as_one(product: Product) -> None:
    services, http = product.services, product.http
    (old,) = preset("a").files
    await services.append_download(
        "a",
        d.DownloadQueued(
            download_id="a-1",
            pool="default",
            target=d.Target(id="preset:a", kind="preset", name="A", preset_id="a"),
            files=(old,),
        ),
        file_completed("a-1", old.path, 100),
        d.DownloadCompleted(download_id="a-1", attempt=1, total_bytes=100),
    )
    await services.append(modelfile_subject("default", old.path), found(old.path))
    new = replace(old, url="https://example.org/v2.safetensors", sha256="cd" * 32)
    definition = replace(preset("a", new), version="2.0.0", requirements={"vram_gb": "12"}, source="example")
    await services.append(preset_subject("a"), PresetPublished(preset=definition))
    await eventually(lambda: caught_up(product.app, services))
    seen = (await http.get("/api/v1/presets/a")).json()
    assert (seen["status"], seen["update_available"]) == ("installed", True)
    assert seen["changed_files"] == [{"path": old.path, "change": "changed"}]
    assert (seen["requirements"], seen["source"]) == ({"vram_gb": "12"}, "example")
    expected = [replace(new, replaces_url=old.url)]
    await http.get("/api/v1/presets/a/plan")
    assert planned(product) == expected
    await http.post(PLAN, json={"presets": ["a"]})
    assert planned(product) == expected
    assert (await http.post("/api/v1/presets/a/install")).json()["status"] == "queued"
    (command,) = [command for command in services.received if isinstance(command, d.QueueDownload)]
    assert (list(command.files), command.force) == (expected, False)
