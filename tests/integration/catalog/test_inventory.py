from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from modeldeck_events import downloads
from modeldeck_events.downloads import DownloadFileCompleted
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import InventorySurveyed, ModelFileFound, ModelFileGone, ModelFileHashed
from modeldeck_events.store import Meta
from modeldeck_events.system import Health

from tests.integration.catalog.studio import Studio, studio
from tests.support.nats import LocalServer
from tests.unit.catalog.model_headers import language_model

MODEL = language_model().file()
SHA256 = hashlib.sha256(MODEL).hexdigest()


def put(file: Path, data: bytes = MODEL) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    os.utime(file, (1_700_000_000, 1_700_000_000))


@pytest.fixture
async def deck(nats_server: LocalServer, tmp_path: Path) -> AsyncIterator[Studio]:
    (tmp_path / "extra.yaml").write_text("big: {base_path: elsewhere, vae: vae, is_default: true}\n")
    async with studio(nats_server.url, tmp_path, extra_model_paths=tmp_path / "extra.yaml") as running:
        yield running


def of_files(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, ModelFileFound | ModelFileGone | ModelFileHashed)]


def hashed(events: list[Event]) -> dict[str, tuple[str, str]]:
    return {event.path: (event.sha256, event.source) for event in events if isinstance(event, ModelFileHashed)}


async def test_all_roots_are_known_with_metadata_and_hashes_once_and_for_all(deck: Studio, tmp_path: Path) -> None:
    put(deck.settings.models / "llm/a.gguf")
    put(tmp_path / "elsewhere/vae/b.gguf")
    async with deck.running():
        events = await deck.wait_for(lambda events: len(hashed(events)) == 2)
        health = await deck.client.request(Health(), service="catalog")
    assert hashed(events) == {"llm/a.gguf": (SHA256, "computed"), "@big/vae/b.gguf": (SHA256, "computed")}
    found = {event.path: event for event in events if isinstance(event, ModelFileFound)}
    metadata = found["@big/vae/b.gguf"].metadata
    assert metadata is not None
    assert (metadata.family, metadata.dtype, found["@big/vae/b.gguf"].whole) == ("qwen", "Q4_K", True)
    (survey,) = [event for event in events if isinstance(event, InventorySurveyed)]
    assert survey.places["vae"] == ("@big/vae", "vae")
    detail = health.data["detail"]
    assert isinstance(detail, dict)
    assert detail["models_skipped"] == {"count": 0, "examples": {}}
    assert detail["extra_model_paths_problem"] == ""
    before = len(of_files(events))
    async with deck.running():
        put(deck.settings.models / "llm/c.gguf", b"GGUF")
        events = await deck.wait_for(lambda events: len(of_files(events)) > before)
        assert [type(event) for event in of_files(events)[before:]] == [ModelFileFound]
        assert len([event for event in events if isinstance(event, InventorySurveyed)]) == 1


async def test_a_finished_download_brings_its_hash(deck: Studio) -> None:
    async with deck.running():
        done = DownloadFileCompleted(
            download_id="d1",
            attempt=1,
            path="llm/a.gguf",
            url="https://h.example/a",
            size_bytes=len(MODEL),
            sha256="ab" * 32,  # not the real one: so it shows that nobody read the file
            verified="sha256",
            mtime_ns=1_700_000_000 * 10**9,
        )
        subject = downloads.subject("default", "file:llm/a.gguf")
        await deck.client.store.append(subject, (done,), expected_seq=0, meta=Meta("downloader"))
        put(deck.settings.models / "llm/a.gguf")
        events = await deck.wait_for(lambda events: bool(hashed(events)))
    assert hashed(events) == {"llm/a.gguf": ("ab" * 32, "download")}


async def test_what_is_left_out_is_told_in_the_health_answer(deck: Studio, tmp_path: Path) -> None:
    put(deck.settings.models / "@big/a.gguf")
    put(deck.settings.models / "vae/b:c.gguf")
    put(deck.settings.models / "llm/a.gguf")
    (tmp_path / "extra.yaml").write_text("big: [")
    async with deck.running():
        await deck.wait_for(lambda events: bool(of_files(events)))
        health = await deck.client.request(Health(), service="catalog")
    detail = health.data["detail"]
    assert isinstance(detail, dict)
    assert detail["models_skipped"]["count"] == 2
    assert sorted(detail["models_skipped"]["examples"]) == ["'@big'", "'vae/b:c.gguf'"]
    assert "extra.yaml" in detail["extra_model_paths_problem"]
