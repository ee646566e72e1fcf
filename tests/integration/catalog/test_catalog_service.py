from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from catalog.watch import CHECK_S
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileFound, ModelFileGone
from modeldeck_events.presets import EVENTS as PRESET_EVENTS
from modeldeck_events.presets import (
    CatalogRefreshed,
    CatalogRefreshFailed,
    PresetPublished,
    PresetWithdrawn,
    RefreshPresets,
)
from modeldeck_events.repositories import FeaturedModel, FeaturedPublished, FeaturedRefreshFailed, RefreshFeatured
from modeldeck_events.system import Health

from tests.integration.catalog.studio import Studio, Upstream, studio, upstream, upstream_folder
from tests.support.nats import LocalServer
from tests.unit.catalog.samples import TRAPS, one_preset

ASK_S = 35.0
REGISTRY = '{"version": "9", "presets": {"a": {"path": "presets/a/preset.yaml"}, "b": {"path": "presets/b.yaml"}}}'
PRESET = "version: 1.1.0\nfiles:\n- {path: vae/x.bin, url: 'https://h.example/x.bin'}\n"


@pytest.fixture
async def origin() -> AsyncIterator[Upstream]:
    async with upstream() as running:
        running.data = TRAPS.encode()
        yield running


@pytest.fixture
async def deck(nats_server: LocalServer, tmp_path: Path, origin: Upstream) -> AsyncIterator[Studio]:
    async with studio(nats_server.url, tmp_path, presets_url=origin.url) as running:
        yield running


def refreshed(events: list[Event]) -> bool:
    return {CatalogRefreshed, FeaturedPublished} <= {type(event) for event in events}


def of_presets(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, PRESET_EVENTS)]


def told(events: list[Event], path: str) -> list[type]:
    kinds = (ModelFileFound, ModelFileGone)
    return [type(event) for event in events if isinstance(event, kinds) and event.path == path]


async def ask(deck: Studio, command_id: str = "c") -> dict[str, object]:
    reply = await deck.client.request(RefreshPresets(command_id=command_id, actor="anna"), ASK_S)
    return {"ok": reply.ok, "code": reply.code, "status": reply.status, **reply.data}


async def test_presets_are_there_soon_after_the_start(deck: Studio) -> None:
    async with deck.running() as service:
        events = await deck.wait_for(refreshed)
        assert [type(event) for event in of_presets(events)] == [PresetPublished] * 8 + [CatalogRefreshed]
        reply = await deck.client.request(Health(), service="catalog")
        assert reply.ok
        assert service.projectors[0].errors == 0


async def test_a_change_upstream_is_taken_over_on_demand_and_answered(deck: Studio, origin: Upstream) -> None:
    async with deck.running():
        head = len(await deck.wait_for(refreshed))
        origin.data = one_preset("SHARES_A", version="3.0.0")
        answer = await ask(deck)
        assert answer == {
            "ok": True, "code": "", "status": "success", "total_presets": 1, "version": "3.0.0",
            "message": "1 presets, version 3.0.0: 1 new or changed, 7 withdrawn",
        }  # fmt: skip
        new = await deck.events(head)
        assert [type(event) for event in new] == [PresetPublished, *[PresetWithdrawn] * 7, CatalogRefreshed]
        assert await ask(deck) | {"message": ""} == answer | {"message": ""}  # the same command again: one fact
        assert len(await deck.events(head)) == len(new)
    folder = deck.settings.folder
    assert (folder / "presets.yaml").read_bytes() == origin.data
    assert (folder / "presets.yaml.bak").read_bytes() == TRAPS.encode()


@pytest.mark.parametrize(
    ("status", "data", "code", "answer"),
    [
        (404, b"", "upstream_status", 404),
        (500, b"", "upstream_status", 500),
        (200, b"<html>moved</html>", "invalid_catalog", 400),
        (200, b"", "invalid_catalog", 400),
        (200, b"presets:\n  - [", "invalid_catalog", 400),
    ],
)
async def test_a_broken_upstream_is_answered_and_the_last_good_copy_stays(  # noqa: PLR0917 - pytest passes by name
    deck: Studio, origin: Upstream, status: int, data: bytes, code: str, answer: int
) -> None:
    async with deck.running():
        head = len(await deck.wait_for(refreshed))
        origin.status, origin.data = status, data
        said = await ask(deck)
        assert (said["ok"], said["code"], said["status"]) == (False, code, answer)
        assert [type(event) for event in await deck.events(head)] == [CatalogRefreshFailed]
    assert (deck.settings.folder / "presets.yaml").read_bytes() == TRAPS.encode()


async def test_no_upstream_is_a_503_and_a_restart_still_has_the_presets(
    deck: Studio, nats_server: LocalServer, tmp_path: Path
) -> None:
    async with deck.running():
        await deck.wait_for(refreshed)
    async with studio(nats_server.url, tmp_path, presets_url="http://127.0.0.1:9/presets.yaml") as away, away.running():
        said = await ask(away)
        assert (said["ok"], said["code"], said["status"]) == (False, "upstream_unreachable", 503)
        events = await away.events()
        assert not any(isinstance(event, PresetWithdrawn) for event in events)


async def test_the_copy_fills_a_new_log_while_upstream_is_down(
    deck: Studio, origin: Upstream, nats_server: LocalServer
) -> None:
    async with deck.running():
        await deck.wait_for(refreshed)
    await nats_server.stop()
    nats_server.wipe()
    await nats_server.start()
    origin.status = 503
    async with deck.running():
        await deck.wait_for(lambda events: sum(isinstance(event, PresetPublished) for event in events) == 8)


async def test_a_restart_with_the_same_catalog_adds_no_fact(deck: Studio, origin: Upstream) -> None:
    async with deck.running():
        head = len(await deck.wait_for(refreshed))
    origin.answers.clear()
    async with deck.running():
        await ask(deck, "marker")
        assert origin.answers == [304] * len(origin.answers)
        assert [type(event) for event in await deck.events(head)] == [CatalogRefreshed]


async def test_the_schedule_refreshes_by_itself(nats_server: LocalServer, tmp_path: Path, origin: Upstream) -> None:
    async with studio(nats_server.url, tmp_path, presets_url=origin.url, presets_refresh_s=0.1) as deck, deck.running():
        await deck.wait_for(refreshed)
        origin.data = one_preset("LATER")
        await deck.wait_for(
            lambda events: any(isinstance(event, PresetPublished) and event.preset.id == "LATER" for event in events)
        )


async def test_a_file_is_a_source_too(nats_server: LocalServer, tmp_path: Path) -> None:
    file = tmp_path / "my presets.yaml"
    file.write_bytes(one_preset())
    async with studio(nats_server.url, tmp_path, presets_url=str(file)) as deck, deck.running():
        events = await deck.wait_for(refreshed)
        last = of_presets(events)[-1]
        assert isinstance(last, CatalogRefreshed)
        assert last.source == str(file)


async def test_a_registry_with_a_file_per_preset_is_a_source_too(nats_server: LocalServer, tmp_path: Path) -> None:
    async with upstream_folder() as site:
        site.files = {"registry.json": REGISTRY, "presets/a/preset.yaml": PRESET, "presets/b.yaml": PRESET}
        async with studio(nats_server.url, tmp_path, presets_url=site.url) as deck, deck.running():
            events = await deck.wait_for(refreshed)
            found = {event.preset.id: event.preset for event in events if isinstance(event, PresetPublished)}
            assert {name: preset.version for name, preset in found.items()} == {"a": "1.1.0", "b": "1.1.0"}
            head = len(events)
            site.asked.clear()
            assert (await ask(deck))["total_presets"] == 2
            assert site.asked == [304, 304, 304]
            assert [type(event) for event in await deck.events(head)] == [CatalogRefreshed]
            site.files["presets/b.yaml"] = PRESET.replace("1.1.0", "1.2.0")
            site.broken = "presets/a/preset.yaml"
            assert (await ask(deck, "half"))["status"] == 500
            site.broken = ""
            assert (await ask(deck, "whole"))["ok"]
            new = of_presets(await deck.events(head + 1))
            assert [type(event) for event in new] == [CatalogRefreshFailed, PresetPublished, CatalogRefreshed]
        assert (deck.settings.folder / "presets.yaml").is_file()
        assert b"1.1.0" in (deck.settings.folder / "presets.yaml.bak").read_bytes()
    await nats_server.stop()
    nats_server.wipe()
    await nats_server.start()
    async with studio(nats_server.url, tmp_path, presets_url=site.url) as deck, deck.running():
        events = await deck.wait_for(lambda events: any(isinstance(event, CatalogRefreshed) for event in events))
        found = {event.preset.id: event.preset for event in events if isinstance(event, PresetPublished)}
        assert found["b"].version == "1.2.0", "the copy fills a new log while the registry is away"


async def test_the_featured_list_follows_its_source(nats_server: LocalServer, tmp_path: Path, origin: Upstream) -> None:
    origin.data = b"models: [{repo: a/b}]"
    async with studio(nats_server.url, tmp_path, featured_url=origin.url) as deck, deck.running():
        head = len(await deck.wait_for(refreshed))
        origin.data = b"models: [{repo: a/c}]"
        reply = await deck.client.request(RefreshFeatured(command_id="1", actor="anna"), ASK_S)
        assert (reply.ok, reply.data["total"]) == (True, 1)
        origin.status = 503
        reply = await deck.client.request(RefreshFeatured(command_id="2", actor="anna"), ASK_S)
        assert (reply.ok, reply.code, reply.status) == (False, "upstream_status", 503)
        (published, failed) = await deck.events(head)
        assert isinstance(published, FeaturedPublished)
        assert published.models == (FeaturedModel(id="a/c", name="c", repo="a/c"),)
        assert isinstance(failed, FeaturedRefreshFailed)


async def test_the_starter_catalog_comes_without_a_setting(nats_server: LocalServer, tmp_path: Path) -> None:
    async with studio(nats_server.url, tmp_path) as deck, deck.running():
        events = await deck.wait_for(refreshed)
        last = of_presets(events)[-1]
        assert isinstance(last, CatalogRefreshed)
        assert (last.source, last.total_presets >= 12) == ("starter", True)
        (featured,) = [event for event in events if isinstance(event, FeaturedPublished)]
        assert (featured.source, len(featured.models) >= 6, featured.warnings) == ("starter", True, ())


async def test_the_models_folder_is_watched(deck: Studio) -> None:
    root = deck.settings.models
    async with deck.running():
        await deck.wait_for(refreshed)
        (root / "vae").mkdir()
        file = root / "vae/own.gguf"
        file.write_bytes(b"GGUF")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        await deck.wait_for(lambda events: told(events, "vae/own.gguf") == [ModelFileFound])
        file.unlink()
        await deck.wait_for(lambda events: told(events, "vae/own.gguf") == [ModelFileFound, ModelFileGone])


async def test_a_finished_download_is_in_the_inventory_at_once(deck: Studio) -> None:
    root = deck.settings.models
    (root / "loras").mkdir()
    async with deck.running():
        await deck.wait_for(refreshed)
        (root / "loras/new.bin").write_bytes(b"12345")
        began = time.monotonic()
        await deck.finish_download("loras/new.bin", 5)
        events = await deck.wait_for(lambda events: told(events, "loras/new.bin") == [ModelFileFound])
        assert time.monotonic() - began < CHECK_S  # at once, not only at the next glance
        found = next(event for event in events if isinstance(event, ModelFileFound))
        assert (found.size_bytes, found.pool, found.format) == (5, "default", "bin")


async def test_a_server_that_is_killed_during_it_all_loses_nothing(
    deck: Studio, nats_server: LocalServer, origin: Upstream
) -> None:
    async with deck.running():
        await deck.wait_for(refreshed)
        await nats_server.kill()
        (deck.settings.models / "late.bin").write_bytes(b"x")
        await nats_server.start()
        await deck.wait_for(lambda events: told(events, "late.bin") == [ModelFileFound], timeout_s=20)
        origin.data = one_preset("AFTER")
        assert (await ask(deck))["ok"]
        events = await deck.events()
        assert sum(isinstance(event, PresetPublished) for event in events) == 9
