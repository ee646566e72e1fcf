"""Workflow templates through a running catalog service: found, followed, bounded; and scans on request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest
from modeldeck_events.message import Event, Reply
from modeldeck_events.modelfiles import ModelFileFound
from modeldeck_events.templates import MAX_WORKFLOW_BYTES, ScanWorkflow, TemplateGone, TemplateScanned

from tests.integration.catalog.studio import Studio, studio
from tests.support.nats import LocalServer
from tests.unit.catalog.samples import until
from tests.unit.catalog.test_templates_bad_input import doubling
from tests.unit.catalog.workflows import editor, loader, model, node, subgraph

GOOD = editor(loader("good.safetensors", models=[model("good.safetensors")]))


@pytest.fixture
async def deck(nats_server: LocalServer, tmp_path: Path) -> AsyncIterator[Studio]:
    async with studio(nats_server.url, tmp_path) as deck:
        yield deck


def folder(deck: Studio) -> Path:
    found = deck.settings.templates["workflows"]
    found.mkdir(parents=True, exist_ok=True)
    return found


def now(events: list[Event]) -> dict[str, TemplateScanned]:
    """The templates as the facts leave them."""
    found: dict[str, TemplateScanned] = {}
    for event in events:
        if isinstance(event, TemplateScanned):
            found[event.template_id] = event
        elif isinstance(event, TemplateGone):
            del found[event.template_id]
    return found


async def scan(deck: Studio, data: bytes) -> Reply:
    return await deck.client.request(ScanWorkflow(pool=deck.settings.pool, data=data))


async def test_all_files_that_comfyui_ships_are_told_once(deck: Studio) -> None:
    shipped = resources.files("comfyui_workflow_templates_json").joinpath("templates")
    for file in shipped.iterdir():
        if file.name.endswith(".json"):
            (folder(deck) / file.name).write_bytes(file.read_bytes())
    async with deck.running() as service:
        found = now(await deck.wait_for(lambda events: len(now(events)) == 660))
        formats = [template.format for template in found.values()]
        assert (formats.count("editor"), formats.count("other")) == (644, 16)
        assert sum(template.warnings == () and template.complete for template in found.values()) == 660
        health = (await service.health()).data["detail"]
        assert isinstance(health, dict)
        assert (health["templates"], health["templates_problems"]) == (660, [])
    told = len(await deck.events())
    async with deck.running() as service:
        await until(lambda: service.detail()["templates_scanned"] is True)
        assert len(await deck.events()) == told


async def test_new_edited_renamed_and_deleted_files_are_followed(deck: Studio) -> None:
    async with deck.running():
        file = folder(deck) / "sub" / "a.json"
        file.parent.mkdir()
        file.write_bytes(GOOD)
        found = now(await deck.wait_for(lambda events: "workflows/sub/a.json" in now(events)))
        (reference,) = found["workflows/sub/a.json"].references
        assert (reference.path, reference.url) == (
            "checkpoints/good.safetensors",
            "https://huggingface.co/o/r/resolve/main/good.safetensors",
        )
        temporary = file.with_suffix(".tmp")
        temporary.write_bytes(editor(loader("other.safetensors")))
        temporary.replace(file)
        await deck.wait_for(
            lambda events: (
                [one.path for one in now(events)["workflows/sub/a.json"].references]
                == ["checkpoints/other.safetensors"]
            )
        )
        file.rename(file.with_name("b.json"))
        await deck.wait_for(lambda events: list(now(events)) == ["workflows/sub/b.json"])
        file.with_name("b.json").unlink()
        await deck.wait_for(lambda events: not now(events))


NASTY = {
    "deep nesting": (b'{"nodes":[],"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "too_deep"),
    "a subgraph in 2^30 places": (editor(node("level30"), subgraphs=doubling(31)), "too_many_nodes"),
    "cycles": (editor(node("a"), subgraphs=[subgraph("a", [node("b")]), subgraph("b", [node("a")])]), "cycle"),
    "invalid UTF-8": (GOOD.replace(b"good", b"g\xff\xfed"), "not_utf8"),
    "NaN": (GOOD.replace(b"0.4", b"NaN"), "not_strict_json"),
    "duplicate keys": (GOOD.replace(b'"version": 0.4', b'"version": 0.4, "nodes": []'), "duplicate_key"),
    "traversal names": (editor(loader("../../etc/passwd.safetensors")), "invalid_name"),
    "drive letters": (editor(loader("C:\\Windows\\x.safetensors")), "invalid_name"),
    "empty": (b"", "not_json"),
    "huge": (b'{"nodes": [' + b" " * (20 * 1024 * 1024) + b"]}", "too_large"),
    "wrong types": (b'{"nodes": 5, "links": "x", "definitions": []}', "wrong_type"),
}


def lay(root: Path) -> None:
    """Put every nasty input there, and a good one beside them."""
    for name, (data, _) in NASTY.items():
        (root / f"{name}.json").write_bytes(data)
        os.utime(root / f"{name}.json", (1_700_000_000, 1_700_000_000))
    (root / "links out of the root.json").symlink_to(resources.files("catalog").joinpath("data", "loaders.json"))  # type: ignore[arg-type]
    (root / "good.json").write_bytes(GOOD)


async def test_nasty_files_get_a_warning_and_harm_nobody(deck: Studio) -> None:
    lay(folder(deck))
    expected = {f"workflows/{name}.json": code for name, (_, code) in NASTY.items()}
    expected["workflows/links out of the root.json"] = "link_outside"
    assert len(expected) == 12
    async with deck.running() as service:
        found = now(await deck.wait_for(lambda events: len(now(events)) == 13))
        assert {name: found[name].warnings[0].code for name in expected} == expected
        assert {name: found[name].format for name in expected if found[name].format == "other"} == {}
        assert {name for name in expected if found[name].complete} == {
            "workflows/a subgraph in 2^30 places.json",  # it says too much, not too little
            "workflows/NaN.json",
            "workflows/duplicate keys.json",
        }
        good = found["workflows/good.json"]
        assert (good.complete, good.warnings, len(good.references)) == (True, (), 1)
        assert (await scan(deck, GOOD)).ok
        health = await service.health()
        assert health.ok
        assert "links out of the root" in json.dumps(health.data)


def test_memory_stays_bounded_for_nasty_files(tmp_path: Path) -> None:
    """In a process of its own, whose address space is limited."""
    lay(tmp_path)
    for number in range(8):
        one = b'{"type":"VAELoader","widgets_values":["%d.pt"]},' % number
        many = one * ((MAX_WORKFLOW_BYTES - 100) // len(one))
        (tmp_path / f"many{number}.json").write_bytes(b'{"nodes":[' + many + b"{}]}")
    code = textwrap.dedent("""
        import asyncio, resource, sys
        resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
        from pathlib import Path
        from catalog.workflows.fold import TemplatesFold
        from catalog.workflows.folders import Root
        from catalog.workflows.loaders import Loaders
        from catalog.workflows.watch import TemplateWatch
        from modeldeck_events.memory import MemoryStore

        root, fold = Path(sys.argv[1]), TemplatesFold("p")
        asyncio.run(TemplateWatch(MemoryStore(), fold, [Root("w", root)], Loaders(root / "none")).check())
        print("told", sum(1 for _ in fold.templates.live()))
    """)
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1:] == ["told 21"], done.stderr


async def test_a_workflow_that_is_not_stored_is_scanned_and_matched(deck: Studio) -> None:
    for path in ("vae/here.pt", "loras/x/elsewhere.pt", "a/two.pt", "b/two.pt"):
        file = deck.settings.models / path
        file.parent.mkdir(parents=True)
        file.write_bytes(path.encode())  # the same bytes twice would be one model, once they are hashed
        os.utime(file, (1_700_000_000, 1_700_000_000))
    async with deck.running():
        await deck.wait_for(lambda events: sum(isinstance(event, ModelFileFound) for event in events) == 4)
        nodes = [loader(name, node_type="VAELoader") for name in ("here.pt", "elsewhere.pt", "two.pt", "none.pt")]
        workflow = editor(*nodes, loader("off.pt", mode=4))
        reply = await scan(deck, workflow)
        assert (reply.ok, reply.data["format"], reply.data["complete"], reply.data["warnings"]) == (
            True,
            "editor",
            True,
            [],
        )
        found = reply.data["references"]
        assert isinstance(found, list)
        assert [(one["path"], one["status"], one.get("found_at"), one.get("candidates")) for one in found] == [
            ("vae/here.pt", "present", "vae/here.pt", None),
            ("vae/elsewhere.pt", "present_elsewhere", "loras/x/elsewhere.pt", None),
            ("vae/two.pt", "ambiguous", None, ["a/two.pt", "b/two.pt"]),
            ("vae/none.pt", "missing", None, None),
            ("checkpoints/off.pt", "missing", None, None),
        ]
        assert [one["active"] for one in found] == [True] * 4 + [False]
        assert {(one["node_type"], one["input_name"]) for one in found[:4]} == {("VAELoader", "vae_name")}
        assert (await scan(deck, b"no json")).data["format"] == "unreadable"
        assert (await scan(deck, b"[]")).data["format"] == "other"
        assert now(await deck.events()) == {}


async def test_custom_nodes_are_described_in_a_file(deck: Studio) -> None:
    data = editor(node("UnetLoaderGGUF", ["q.gguf"]))
    (folder(deck) / "a.json").write_bytes(data)
    async with deck.running():
        found = now(await deck.wait_for(lambda events: len(now(events)) == 1))
        assert [one.code for one in found["workflows/a.json"].warnings] == ["unknown_loader"]
        rule = {"loaders": {"UnetLoaderGGUF": {"unet_name": {"folder": "diffusion_models", "widget": 0}}}}
        deck.settings.loaders_file.write_text(json.dumps(rule))
        found = now(await deck.wait_for(lambda events: now(events)["workflows/a.json"].warnings == ()))
        assert [one.path for one in found["workflows/a.json"].references] == ["diffusion_models/q.gguf"]
        reply = await scan(deck, data)
        assert (reply.data["warnings"], len(reply.data["references"])) == ([], 1)  # type: ignore[arg-type]
