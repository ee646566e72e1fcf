"""The library's commands over a real bus, on real files, beside the watches of models and workflows."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from catalog.library import deleting
from modeldeck_events.message import Command, Event, Reply
from modeldeck_events.modelfiles import (
    DeleteModelFile,
    LinkModelFile,
    ModelFileDeleted,
    ModelFileFound,
    ModelFileGone,
    PlanRestore,
)
from modeldeck_events.presets import CatalogRefreshed, PresetUninstalled, UninstallPreset
from modeldeck_events.templates import LockWorkflow, PlanLock, PlanMissing, TemplateScanned

from tests.integration.catalog.studio import Studio, studio
from tests.support.nats import LocalServer
from tests.unit.catalog.workflows import loader

POOL = "default"
OLD_NS = 1_700_000_000 * 10**9
CATALOG = """
metadata: {version: 1.0.0}
presets:
  ONE:
    name: One
    category: c
    files:
    - {path: vae/shared.bin, url: 'https://h.example/o/r/resolve/main/shared.bin'}
    - {path: vae/one.bin, url: 'https://h.example/o/r/resolve/main/one.bin'}
  TWO:
    name: Two
    category: c
    files:
    - {path: vae/shared.bin, url: 'https://h.example/o/r/resolve/main/shared.bin'}
    - {path: checkpoints/two.bin, url: 'https://h.example/o/r/resolve/main/two.bin'}
"""


@pytest.fixture
async def deck(nats_server: LocalServer, tmp_path: Path) -> AsyncIterator[Studio]:
    catalog = tmp_path / "presets.yaml"
    catalog.write_text(CATALOG)
    async with studio(nats_server.url, tmp_path, presets_url=str(catalog)) as running:
        yield running


def put(deck: Studio, path: str, data: bytes | None = None) -> Path:
    file = deck.settings.models / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(path.encode() if data is None else data)
    os.utime(file, ns=(OLD_NS, OLD_NS))
    return file


def template(deck: Studio, name: str, *files: str) -> None:
    folder = deck.settings.data_dir / "workflows"
    folder.mkdir(parents=True, exist_ok=True)
    nodes = [loader(file, node_id=number) for number, file in enumerate(files, 1)]
    (folder / name).write_text(json.dumps({"nodes": nodes, "links": [], "version": 0.4}))


def seen(kind: type[Event], *paths: str) -> Any:
    return lambda events: {getattr(event, "path", "") for event in events if isinstance(event, kind)} >= set(paths)


async def ready(deck: Studio, *paths: str, templates: int = 0) -> None:
    def true(events: list[Event]) -> bool:
        scanned = {event.template_id for event in events if isinstance(event, TemplateScanned)}
        refreshed = any(isinstance(event, CatalogRefreshed) for event in events)
        return refreshed and seen(ModelFileFound, *paths)(events) and len(scanned) >= templates

    await deck.wait_for(true)


async def ask(deck: Studio, command: Command) -> Reply:
    return await deck.client.request(command)


async def missing(deck: Studio, template_id: str) -> list[dict[str, Any]]:
    reply = await ask(deck, PlanMissing(pool=POOL, template_id=template_id))
    assert reply.ok, reply
    return reply.data["files"]  # type: ignore[return-value]


async def test_a_needed_file_goes_only_by_force_and_can_be_restored(deck: Studio) -> None:
    file = put(deck, "vae/one.bin")
    put(deck, "vae/shared.bin")
    async with deck.running() as service:
        await ready(deck, "vae/one.bin", "vae/shared.bin")
        reply = await ask(deck, DeleteModelFile(pool=POOL, path="vae/one.bin"))
        assert (reply.status, reply.code) == (409, "needed")
        assert reply.data["needed_by"] == [{"kind": "preset", "id": "ONE", "name": "One"}]
        assert file.exists()
        reply = await ask(deck, DeleteModelFile(pool=POOL, path="vae/one.bin", force=True, command_id="c"))
        assert (reply.ok, reply.data["restorable"], file.exists()) == (True, True, False)
        again = await ask(deck, DeleteModelFile(pool=POOL, path="vae/one.bin", force=True, command_id="c"))
        assert again == reply
        plan = await ask(deck, PlanRestore(pool=POOL, path="vae/one.bin"))
        assert plan.data["file"] == {
            "path": "vae/one.bin",
            "url": "https://h.example/o/r/resolve/main/one.bin",
            "size_bytes": 11,
            "sha256": hashlib.sha256(b"vae/one.bin").hexdigest(),
        }
        assert service.projectors[0].errors == 0
    assert not any(isinstance(event, ModelFileGone) for event in await deck.events())


async def test_uninstalling_one_then_the_other_leaves_nothing(deck: Studio) -> None:
    for path in ("vae/shared.bin", "vae/one.bin", "checkpoints/two.bin"):
        put(deck, path)
    async with deck.running():
        await ready(deck, "vae/shared.bin", "vae/one.bin", "checkpoints/two.bin")
        reply = await ask(deck, UninstallPreset(pool=POOL, preset_id="ONE"))
        assert (reply.data["deleted"], reply.data["freed_bytes"]) == (["vae/one.bin"], 11)
        assert [kept["path"] for kept in reply.data["kept"]] == ["vae/shared.bin"]  # type: ignore[attr-defined]
        reply = await ask(deck, UninstallPreset(pool=POOL, preset_id="TWO"))
        assert reply.data["deleted"] == ["vae/shared.bin", "checkpoints/two.bin"]
        assert (await ask(deck, UninstallPreset(pool=POOL, preset_id="TWO"))).status == 404
    uninstalled = [event.preset_id for event in await deck.events() if isinstance(event, PresetUninstalled)]
    assert uninstalled == ["ONE", "TWO"]
    async with deck.running() as service:  # the facts fold back to the same state
        assert (await ask(deck, UninstallPreset(pool=POOL, preset_id="TWO"))).status == 404
        assert service.projectors[0].errors == 0


async def test_a_link_makes_what_a_workflow_misses_present(deck: Studio) -> None:
    put(deck, "checkpoints/xl/a.safetensors", whole_safetensors())
    template(deck, "t.json", "a.safetensors", "two.bin", "unknown.bin")
    async with deck.running():
        await ready(deck, "checkpoints/xl/a.safetensors", templates=1)
        one, two, three = await missing(deck, "workflows/t.json")
        assert (one["action"], one["from_path"]) == ("link", "checkpoints/xl/a.safetensors")
        assert (two["action"], two["source"]["kind"], two["source"]["name"]) == ("download", "preset", "Two")
        assert (three["action"], three["code"]) == ("none", "no_source")
        reply = await ask(deck, LinkModelFile(pool=POOL, path=one["path"], from_path=one["from_path"]))
        assert (reply.ok, reply.data["method"]) == (True, "hardlink")
        await deck.wait_for(seen(ModelFileFound, "checkpoints/a.safetensors"), timeout_s=2)
        assert [entry["path"] for entry in await missing(deck, "workflows/t.json")] == [two["path"], three["path"]]
        reply = await ask(deck, DeleteModelFile(pool=POOL, path="checkpoints/a.safetensors"))
        assert (reply.code, reply.data["needed_by"][0]["kind"]) == ("needed", "template")  # type: ignore[index]


async def test_a_lock_is_whole_elsewhere_and_empty_here(deck: Studio, tmp_path: Path) -> None:
    put(deck, "checkpoints/a.bin", b"aaaaa")
    put(deck, "checkpoints/two.bin", b"two")
    template(deck, "t.json", "two.bin", "a.bin")
    async with deck.running():
        await ready(deck, "checkpoints/a.bin", "checkpoints/two.bin", templates=1)
        lock = await locked(deck)
        assert [(file["path"], file.get("url")) for file in lock["files"]] == [
            ("checkpoints/a.bin", None),
            ("checkpoints/two.bin", "https://h.example/o/r/resolve/main/two.bin"),
        ]
        data = json.dumps(lock).encode()
        assert (await ask(deck, PlanLock(pool=POOL, lock=data))).data["files"] == []
        assert (await ask(deck, PlanLock(pool=POOL, lock=data[:-2]))).code == "bad_lock"
        for path in ("checkpoints/a.bin", "checkpoints/two.bin"):
            assert (await ask(deck, DeleteModelFile(pool=POOL, path=path, force=True))).ok
        files: Any = (await ask(deck, PlanLock(pool=POOL, lock=data))).data["files"]
    assert [(file["path"], file["action"]) for file in files] == [
        ("checkpoints/a.bin", "none"),
        ("checkpoints/two.bin", "download"),
    ]
    assert files[1]["source"]["sha256"] == hashlib.sha256(b"two").hexdigest()


async def test_a_deletion_that_crashed_half_way_is_healed_and_can_be_restored(
    deck: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(deck, "vae/one.bin")
    crashed = asyncio.Event()

    async def never(*_args: object, **_kwargs: object) -> None:
        crashed.set()  # simulated: the process dies after the name is gone and before the fact is written
        await asyncio.sleep(3600)

    async with deck.running():
        await ready(deck, "vae/one.bin")
        with monkeypatch.context() as patch:
            patch.setattr(deleting, "execute", never)
            asked = asyncio.create_task(ask(deck, DeleteModelFile(pool=POOL, path="vae/one.bin", force=True)))
            await crashed.wait()
        asked.cancel()
    assert not file.exists()
    async with deck.running():
        await deck.wait_for(seen(ModelFileGone, "vae/one.bin"))
        plan = await ask(deck, PlanRestore(pool=POOL, path="vae/one.bin"))
        assert plan.data["file"]["url"] == "https://h.example/o/r/resolve/main/one.bin"  # type: ignore[index]
    assert not any(isinstance(event, ModelFileDeleted) for event in await deck.events())


async def test_nothing_is_deleted_while_the_log_is_away(deck: Studio, nats_server: LocalServer) -> None:
    file = put(deck, "vae/one.bin")
    async with deck.running() as service:
        await ready(deck, "vae/one.bin")
        handler = service._commands[DeleteModelFile]  # as the bus calls it: the bus itself is away
        await nats_server.stop()
        message = type("Message", (), {"headers": None, "data": b'{"pool":"default","path":"vae/one.bin"}'})()
        reply = json.loads(await handler(message))
        assert (reply["status"], reply["code"]) == (503, "unavailable")
        assert file.exists()
        await nats_server.start()


def whole_safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + b"\0" * 4


async def locked(deck: Studio) -> dict[str, Any]:
    """Return the template's lock, once the hashes that it asks for are there."""
    async with asyncio.timeout(20):
        while True:
            reply = await ask(deck, LockWorkflow(pool=POOL, template_id="workflows/t.json"))
            if reply.ok:
                return reply.data["lock"]  # type: ignore[return-value]
            assert reply.code == "hash_pending", reply
            await asyncio.sleep(0.05)
