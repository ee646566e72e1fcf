"""A preset whose definition changed: only what changed is fetched, and only its own older file is replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from modeldeck_events import downloads as d
from msgspec.structs import replace

from tests.support.origin import content
from tests.support.studio import Studio, studio

KB = 1000


@pytest.fixture
async def s(tmp_path: Path) -> AsyncIterator[Studio]:
    async with studio(tmp_path) as made:
        yield made


async def installed(s: Studio, preset: str, *files: d.FileSpec) -> None:
    before = len(s.seen.facts(preset))
    await s.install(preset, files)
    await s.until(lambda seen: len(seen.facts(preset)) > before and seen.phase(preset) == "completed")


def newer(s: Studio, spec: d.FileSpec, path: str = "/v2/a.bin", *, seed: int = 7) -> d.FileSpec:
    """Serve another file of the same size for the same path."""
    s.origin.add(path, size=300 * KB, seed=seed)
    return replace(spec, url=f"{s.origin.url}{path}", size_bytes=None, replaces_url=spec.url)


async def test_an_update_fetches_what_changed_and_replaces_its_own_older_file(s: Studio) -> None:
    kept, old = s.file("kept.bin", size=200 * KB), s.file("vae/a.bin", size=300 * KB)
    s.downloader()
    await installed(s, "wan", kept, old)
    new = newer(s, old)
    await installed(s, "wan", kept, new)
    assert s.origin.sent("/kept.bin") == 200 * KB, "what did not change is not fetched again"
    assert s.origin.sent("/v2/a.bin") == 300 * KB
    assert (s.models / "vae/a.bin").read_bytes() == content(7, 0, 300 * KB)
    actions = {fact.path: fact.action for fact in s.seen.files("wan")[-2:]}
    assert actions == {"kept.bin": "present", "vae/a.bin": "downloaded"}
    assert not [name for name in s.seen.names("wan") if name == "FileFailed"]
    reply = await s.install("wan", (kept, new))
    assert reply.data == {"status": "installed"}, "the update is done"


async def test_an_older_file_that_somebody_changed_is_not_replaced(s: Studio) -> None:
    old = s.file("vae/a.bin", size=300 * KB)
    s.downloader()
    await installed(s, "wan", old)
    (s.models / "vae/a.bin").write_bytes(b"mine")
    await s.install("wan", [newer(s, old)])
    await s.until(lambda seen: seen.phase("wan") == "failed")
    failed = s.seen.facts("wan")[-1]
    assert isinstance(failed, d.DownloadFailed)
    assert failed.failure.code == "path_conflict"
    assert (s.models / "vae/a.bin").read_bytes() == b"mine"


async def test_an_update_does_not_replace_what_another_target_put_there(s: Studio) -> None:
    old = s.file("vae/a.bin", size=300 * KB)
    s.downloader()
    await installed(s, "wan", old)
    s.origin.add("/other.bin", size=100 * KB, seed=3)
    await s.install("other", [d.FileSpec(path="vae/a.bin", url=f"{s.origin.url}/other.bin")], force=True)
    await s.until(lambda seen: seen.phase("other") == "completed")
    await s.install("wan", [newer(s, old)])
    await s.until(lambda seen: seen.phase("wan") == "failed")
    assert (s.models / "vae/a.bin").read_bytes() == content(3, 0, 100 * KB)


async def test_the_same_bytes_at_a_new_url_are_not_fetched(s: Studio) -> None:
    old = s.file("vae/a.bin", size=300 * KB)
    s.downloader()
    await installed(s, "wan", old)
    sha256 = s.seen.files("wan")[0].sha256
    moved = replace(newer(s, old, seed=0), sha256=sha256)
    reply = await s.install("wan", [moved])
    assert reply.data == {"status": "installed"}
    assert s.origin.sent("/v2/a.bin") == 0
