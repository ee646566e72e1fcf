"""What a workflow misses is found, had in one call, and noticed when it comes and goes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.integration.product.workshop import HUB, Live, State, Workshop, model, put, sha256
from tests.support.workflows import loading, packaged, stated_files

pytestmark = pytest.mark.asyncio(loop_scope="module")

REAL = "image_anima_preview.json"
"""Its three loaders stand in a subgraph."""
NOTICED_WITHIN_S = 2.0


def template(states: State, name: str) -> dict[str, Any]:
    """Return the template as the stream has it, {} until it is there."""
    found: dict[str, Any] = states["templates"]["templates"].get(f"workflows/{name}", {})
    return found


async def until_misses(live: Live, name: str, count: int, within_s: float = 20.0) -> float:
    return await live.until(lambda states: template(states, name).get("missing_count") == count, within_s)


async def test_a_real_workflow_becomes_ready_in_one_call_and_follows_the_disk(shop: Workshop) -> None:
    workflow = packaged()[REAL]
    urls = stated_files(workflow)
    content = {path: shop.serve(url, path, 200_000 + number) for number, (path, url) in enumerate(urls.items())}
    async with shop.live("templates") as live:
        shop.put_workflow(REAL, workflow)
        await until_misses(live, REAL, 3, NOTICED_WITHIN_S)
        assert {one["path"] for one in template(live.states, REAL)["missing_models"]} == set(urls)

        plan = await shop.get(f"/workflows/templates/workflows/{REAL}/plan")
        assert {file["path"]: file["source"]["kind"] for file in plan["files"]} == dict.fromkeys(urls, "workflow")
        assert all(volume["fits"] for volume in plan["volumes"])

        done = await shop.post(f"/workflows/templates/workflows/{REAL}/install-missing")
        assert {one["path"] for one in done["queued"]} == set(urls)
        assert (done["linked"], done["unresolved"]) == ([], [])
        await live.until(lambda states: bool(template(states, REAL).get("compatible")))
        assert {path: (shop.models / path).read_bytes() for path in content} == content
        again = await shop.post(f"/workflows/templates/workflows/{REAL}/install-missing")
        assert (again["status"], again["queued"]) == ("compatible", [])

        path = next(iter(content))
        (shop.models / path).unlink()
        await until_misses(live, REAL, 1, NOTICED_WITHIN_S)
        assert not template(live.states, REAL)["compatible"]
        shop.put_model(path, content[path])
        await until_misses(live, REAL, 0, NOTICED_WITHIN_S)

        answer = await shop.get(f"/workflows/templates/workflows/{REAL}/missing-models")
        assert answer == {"template_id": f"workflows/{REAL}", "missing_models": [], "can_generate": True}


async def test_an_edited_workflow_is_shown_and_a_deleted_one_goes(shop: Workshop) -> None:
    async with shop.live("templates") as live:
        path = shop.put_workflow("deep/er/edited.json", loading("vae/edit-1.safetensors"))
        await until_misses(live, "deep/er/edited.json", 1, NOTICED_WITHIN_S)
        put(path, loading("vae/edit-1.safetensors", "loras/edit-2.safetensors"))
        await until_misses(live, "deep/er/edited.json", 2, NOTICED_WITHIN_S)
        put(path, b'{"nodes": [')
        await live.until(lambda states: template(states, "deep/er/edited.json")["format"] == "unreadable")
        assert template(live.states, "deep/er/edited.json")["warnings"]
        path.unlink()
        await live.until(lambda states: not template(states, "deep/er/edited.json"), NOTICED_WITHIN_S)


async def test_a_file_under_another_name_is_linked_and_not_fetched(shop: Workshop) -> None:
    content = shop.put_model("downloads/elsewhere.safetensors", model("elsewhere"))
    async with shop.live("templates") as live:
        shop.put_workflow("link.json", loading("vae/elsewhere.safetensors"))
        await live.until(
            lambda states: (
                [one["status"] for one in template(states, "link.json").get("missing_models", [])]
                == ["present_elsewhere"]
            )
        )
        done = await shop.post("/workflows/templates/workflows/link.json/install-missing")
        assert done["linked"] == [{"path": "vae/elsewhere.safetensors", "from_path": "downloads/elsewhere.safetensors"}]
        assert (done["queued"], done["unresolved"]) == ([], [])
        await until_misses(live, "link.json", 0)
    assert (shop.models / "vae/elsewhere.safetensors").samefile(content)


async def test_a_preset_is_a_source_for_a_workflow_that_names_none(shop: Workshop) -> None:
    content = shop.serve(f"{HUB}/org/one/resolve/main/one.safetensors", "one")
    async with shop.live("templates") as live:
        shop.put_workflow("preset.json", loading("checkpoints/one.safetensors"))
        await until_misses(live, "preset.json", 1)
        done = await shop.post("/workflows/templates/workflows/preset.json/install-missing")
        (queued,) = done["queued"]
        assert queued["source"]["kind"] == "preset"
        await until_misses(live, "preset.json", 0)
    assert (shop.models / "checkpoints/one.safetensors").read_bytes() == content


async def test_what_has_no_source_is_a_refusal_that_names_it(shop: Workshop) -> None:
    async with shop.live("templates") as live:
        shop.put_workflow("nobody.json", loading("loras/nobody-has-it.safetensors"))
        await until_misses(live, "nobody.json", 1)
    problem = await shop.post("/workflows/templates/workflows/nobody.json/install-missing", 409)
    assert problem["code"] == "no_source"
    assert [one["path"] for one in problem["unresolved"]] == ["loras/nobody-has-it.safetensors"]


async def test_a_workflow_that_is_not_stored_is_scanned_and_installed(shop: Workshop) -> None:
    url = f"{HUB}/org/unstored/resolve/main/unstored.safetensors"
    content = shop.serve(url, "unstored")
    workflow = loading("vae/unstored.safetensors", urls={"vae/unstored.safetensors": url})
    before = (await shop.get("/workflows/templates"))["total"]
    found = await shop.post("/workflows/scan", content=workflow)
    assert (found["compatible"], found["missing_count"], found["references"][0]["url"]) == (False, 1, url)
    async with shop.live("models") as live:
        done = await shop.post("/workflows/install-missing", content=workflow)
        assert [one["path"] for one in done["queued"]] == ["vae/unstored.safetensors"]
        await live.until(lambda states: "vae/unstored.safetensors" in states["models"]["models"])
    assert (shop.models / "vae/unstored.safetensors").read_bytes() == content
    found = await shop.post("/workflows/scan", content=workflow)
    assert (found["compatible"], found["missing_count"]) == (True, 0)
    assert (await shop.get("/workflows/templates"))["total"] == before


async def test_pressed_twice_at_once_it_is_one_download(shop: Workshop) -> None:
    url = f"{HUB}/org/twice/resolve/main/twice.safetensors"
    content = shop.serve(url, "twice", 400_000)
    workflow = loading("vae/twice.safetensors", urls={"vae/twice.safetensors": url})
    answers = await asyncio.gather(*(shop.post("/workflows/install-missing", content=workflow) for _ in range(4)))
    ids = {one["download_id"] for done in answers for one in done["queued"] if "download_id" in one}
    assert len(ids) == 1
    async with shop.live("models") as live:
        await live.until(lambda states: "vae/twice.safetensors" in states["models"]["models"])
        item = live.states["models"]["models"]["vae/twice.safetensors"]
        assert item["size_bytes"] == len(content)
        await live.until(
            lambda states: states["models"]["models"]["vae/twice.safetensors"].get("sha256") == sha256(content)
        )
    assert sum(request.sent for request in shop.origin.requests if "twice" in request.path) < 2 * len(content)


async def test_nasty_workflows_are_warnings_on_themselves_only(shop: Workshop) -> None:
    nasty = {
        "empty.json": b"",
        "deep.json": b"[" * 100_000,
        "nan.json": b'{"nodes": [NaN]}',
        "latin.json": b'{"nodes": ["\xff"]}',
        "types.json": json.dumps({"nodes": {"1": 2}, "links": 7}).encode(),
        "traversal.json": loading("vae/../../../etc/passwd", "vae/C:\\x.safetensors"),
        "huge.json": b'{"nodes": [' + b" " * 8_000_000 + b"]}",
    }
    async with shop.live("templates") as live:
        for name, content in nasty.items():
            shop.put_workflow(f"nasty/{name}", content)
        shop.put_workflow("nasty/well.json", loading())

        def all_told(states: State) -> bool:
            told = {*states["templates"]["templates"], *states["templates"]["skipped"]}
            return told >= {f"workflows/nasty/{name}" for name in (*nasty, "well.json")}

        await live.until(all_told)
        for name in nasty:
            shown = template(live.states, f"nasty/{name}")
            assert shown.get("warnings") or live.states["templates"]["skipped"][f"workflows/nasty/{name}"]["message"]
            assert not shown.get("missing_models"), name
        assert template(live.states, "nasty/well.json")["compatible"]
    assert await shop.product.ready()
