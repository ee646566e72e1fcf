"""A preset that the catalog changed since it was installed still needs what it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from modeldeck_events import downloads as d
from modeldeck_events.modelfiles import DeleteModelFile
from modeldeck_events.presets import UninstallPreset

from tests.unit.catalog.library_bench import POOL, Bench, ask, bench_in, preset, spec

NEWER = "https://h.example/v2/b.bin"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_in(tmp_path) as running:
        yield running


async def changed_since(bench: Bench) -> None:
    """Install a preset, then let the catalog change one of its files."""
    files = spec("vae/a.bin"), spec("vae/b.bin")
    await bench.publish(preset("one", *files))
    await bench.queue("preset:one", *files)
    for one in files:
        await bench.put(one.path, b"data")
        await bench.downloading("preset:one", bench.completed(one, b"data"))
    await bench.downloading("preset:one", d.DownloadCompleted(download_id="d1", attempt=1, total_bytes=8))
    await bench.publish(preset("one", files[0], spec("vae/b.bin", url=NEWER)))


async def test_it_keeps_its_files_from_being_deleted(bench: Bench) -> None:
    await changed_since(bench)
    for path in ("vae/a.bin", "vae/b.bin"):
        reply = await ask(bench.changes.delete, DeleteModelFile(pool=POOL, path=path))
        assert (reply.status, reply.code) == (409, "needed")
    assert bench.on_disk() == {"vae/a.bin", "vae/b.bin"}


async def test_it_is_uninstalled_with_its_older_files(bench: Bench) -> None:
    await changed_since(bench)
    reply = await ask(bench.changes.uninstall, UninstallPreset(pool=POOL, preset_id="one"))
    assert reply.ok
    assert bench.on_disk() == set()
