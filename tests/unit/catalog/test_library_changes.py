"""Deleting, uninstalling, linking: what goes, what stays, and what is said of it. Real files, a log in memory."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from catalog.library import deleting, disk
from modeldeck_events import downloads as d
from modeldeck_events.message import Reply
from modeldeck_events.modelfiles import (
    DeleteModelFile,
    LinkModelFile,
    ModelFileDeleted,
    ModelFileGone,
    ModelFileLinked,
    ModelRoot,
    PlanRestore,
    Provenance,
)
from modeldeck_events.presets import PresetUninstalled, UninstallPreset
from modeldeck_events.store import Meta

from tests.unit.catalog.library_bench import POOL, Bench, ask, bench_in, preset, reference, sha, spec, url_of


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_in(tmp_path) as running:
        yield running


async def delete(bench: Bench, path: str, *, force: bool = False, command_id: str = "") -> Reply:
    command = DeleteModelFile(pool=POOL, path=path, force=force, command_id=command_id)
    return await ask(bench.changes.delete, command)


async def uninstall(bench: Bench, preset_id: str) -> Reply:
    return await ask(bench.changes.uninstall, UninstallPreset(pool=POOL, preset_id=preset_id))


async def link(bench: Bench, path: str, from_path: str) -> Reply:
    return await ask(bench.changes.link, LinkModelFile(pool=POOL, path=path, from_path=from_path))


def kinds(needed_by: Any) -> list[tuple[str, str]]:
    return [(need["kind"], need["id"]) for need in needed_by]


async def test_a_file_that_nothing_needs_goes_and_says_where_it_can_be_had_again(bench: Bench) -> None:
    await bench.fetch("vae/a.bin", b"12345")
    reply = await delete(bench, "vae/a.bin")
    assert reply.ok
    assert reply.data == {
        "path": "vae/a.bin", "size_bytes": 5, "freed_bytes": 5, "restorable": True, "needed_by": [],
    }  # fmt: skip
    assert bench.on_disk() == set()
    [fact] = await bench.facts(ModelFileDeleted)
    assert fact == ModelFileDeleted(
        pool=POOL, path="vae/a.bin", size_bytes=5, freed_bytes=5, reason="deleted",
        provenance=Provenance(url=url_of("a.bin"), size_bytes=5, sha256=sha(b"12345"), etag='"e"'),
    )  # fmt: skip
    await bench.see()
    assert await bench.facts(ModelFileGone) == []  # said once, not twice


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("vae/none.bin", 404, "unknown_file"),
        ("../outside.bin", 422, "path_refused"),
        ("/etc/passwd", 422, "path_refused"),
        ("vae/.modeldeck-1.part", 422, "path_refused"),
        (".modeldeck/journal.bin", 422, "path_refused"),
        ("vae", 404, "unknown_file"),
        ("readme.txt", 404, "unknown_file"),
        ("@comfy/vae/a.bin", 404, "unknown_file"),
    ],
)
async def test_what_is_no_model_file_stays(bench: Bench, path: str, status: int, code: str) -> None:
    await bench.put("vae/a.bin")
    for name in ("vae/.modeldeck-1.part", ".modeldeck/journal.bin", "readme.txt", "../outside.bin"):
        (bench.root / name).parent.mkdir(exist_ok=True)
        (bench.root / name).write_bytes(b"x")
    before = bench.on_disk()
    reply = await delete(bench, path, force=True)
    assert (reply.status, reply.code) == (status, code)
    assert bench.on_disk() == before
    assert (bench.root.parent / "outside.bin").exists()


async def test_a_folder_that_became_a_link_is_not_followed_out(bench: Bench, tmp_path: Path) -> None:
    await bench.put("vae/a.bin")
    (bench.root / "vae").rename(tmp_path / "elsewhere")
    (bench.root / "vae").symlink_to(tmp_path / "elsewhere")
    assert (await delete(bench, "vae/a.bin")).status == 404
    assert (tmp_path / "elsewhere/a.bin").exists()


async def test_an_installed_preset_keeps_its_file_unless_forced(bench: Bench) -> None:
    await bench.publish(preset("one", "vae/a.bin", "vae/b.bin"), preset("half", "vae/a.bin", "vae/missing.bin"))
    await bench.put("vae/a.bin")
    await bench.put("vae/b.bin")
    reply = await delete(bench, "vae/a.bin")
    assert (reply.status, reply.code) == (409, "needed")
    assert reply.data["needed_by"] == [{"kind": "preset", "id": "one", "name": "One"}]
    assert "One" in reply.message
    reply = await delete(bench, "vae/a.bin", force=True)
    assert reply.ok
    assert kinds(reply.data["needed_by"]) == [("preset", "one")]
    [fact] = await bench.facts(ModelFileDeleted)
    assert [need.id for need in fact.needed_by] == ["one"]
    assert (await delete(bench, "vae/b.bin")).ok  # the preset is no longer installed


async def test_a_template_needs_what_it_finds_under_each_path_on_its_own(bench: Bench) -> None:
    await bench.put("vae/a.bin")
    os.link(bench.root / "vae/a.bin", bench.root / "copy.bin")
    await bench.see()
    await bench.template("w/one.json", "vae/a.bin")
    await bench.template("w/off.json", reference("copy.bin", active=False))
    assert kinds((await delete(bench, "vae/a.bin")).data["needed_by"]) == [("template", "w/one.json")]
    reply = await delete(bench, "copy.bin")
    assert reply.data["freed_bytes"] == 0  # the content has another name
    assert bench.on_disk() == {"vae/a.bin"}


async def test_a_running_download_needs_what_it_finished_and_what_it_writes(bench: Bench) -> None:
    files = (spec("vae/a.bin"), spec("vae/b.bin"), spec("vae/c.bin"))
    for one in files:
        await bench.put(one.path)
    await bench.queue("preset:one", *files)
    assert kinds(bench_needs(bench, "vae/b.bin")) == []
    await bench.downloading(
        "preset:one",
        d.DownloadStarted(download_id="d1", attempt=1, worker="w"),
        bench.completed(files[0], b"vae/a.bin"),
        d.DownloadFileFailed(
            download_id="d1", attempt=1, path="vae/c.bin", tries=3, failure=d.FailureInfo(code="c", message="m")
        ),
    )
    reply = await delete(bench, "vae/b.bin")
    assert (reply.code, kinds(reply.data["needed_by"])) == ("needed", [("download", "d1")])
    assert kinds(bench_needs(bench, "vae/c.bin")) == []
    await bench.downloading("preset:one", d.DownloadPaused(download_id="d1"))
    assert kinds(bench_needs(bench, "vae/a.bin")) == [("download", "d1")]
    assert kinds(bench_needs(bench, "vae/b.bin")) == []
    await bench.downloading("preset:one", d.DownloadCancelled(download_id="d1"))
    assert bench_needs(bench, "vae/a.bin") == []
    await bench.downloading("preset:one", d.DownloadRetried(download_id="d1"))
    assert kinds(bench_needs(bench, "vae/a.bin")) == [("download", "d1")]


def bench_needs(bench: Bench, path: str) -> list[dict[str, str]]:
    return [{"kind": need.kind, "id": need.id} for need in bench.needs.of(path)]


async def test_a_read_only_folder_is_said_before_anything_is_tried(bench: Bench, tmp_path: Path) -> None:
    extra = tmp_path / "shared"
    extra.mkdir()
    (extra / "a.bin").write_bytes(b"x")
    await bench.put("vae/other.bin")
    await bench.survey(ModelRoot(prefix="@comfy/vae", folder=str(extra), writable=False))
    fact = (await bench.facts(type(bench.files.get("vae/other.bin").found)))[0]  # type: ignore[union-attr]
    await bench.say(f"evt.modelfile.{POOL}.=40comfy=2Fvae=2Fa=2Ebin", type(fact)(
        pool=POOL, path="@comfy/vae/a.bin", size_bytes=1, modified_at=fact.modified_at, format="bin",
    ))  # fmt: skip
    reply = await delete(bench, "@comfy/vae/a.bin")
    assert (reply.status, reply.code) == (409, "read_only")
    assert (extra / "a.bin").exists()


async def test_a_file_of_another_root_is_deleted_there(bench: Bench, tmp_path: Path) -> None:
    extra = tmp_path / "shared"
    extra.mkdir()
    (extra / "a.bin").write_bytes(b"x")
    await bench.put("vae/a.bin")
    found = bench.files.get("vae/a.bin")
    assert found is not None
    await bench.survey(ModelRoot(prefix="@comfy/vae", folder=str(extra)))
    await bench.say(f"evt.modelfile.{POOL}.=40comfy=2Fvae=2Fa=2Ebin", type(found.found)(
        pool=POOL, path="@comfy/vae/a.bin", size_bytes=1, modified_at=found.found.modified_at, format="bin",
    ))  # fmt: skip
    assert (await delete(bench, "@comfy/vae/a.bin")).ok
    assert not (extra / "a.bin").exists()
    assert (bench.root / "vae/a.bin").exists()


async def test_the_log_is_away_and_nothing_is_deleted(bench: Bench) -> None:
    await bench.put("vae/a.bin")
    bench.store.available = False
    with pytest.raises(Exception, match="away"):
        await bench.changes.delete(DeleteModelFile(pool=POOL, path="vae/a.bin"))
    assert bench.on_disk() == {"vae/a.bin"}
    bench.store.available = True


async def test_the_watch_that_says_gone_in_between_changes_nothing(bench: Bench) -> None:
    await bench.put("vae/a.bin")
    last_seq = bench.store.last_seq

    async def first_the_watch(subject: str) -> int:
        seq = await last_seq(subject)
        await bench.store.append(
            subject, (ModelFileGone(pool=POOL, path="vae/a.bin"),), expected_seq=seq, meta=Meta("test")
        )
        bench.store.last_seq = last_seq  # type: ignore[method-assign]
        return seq

    bench.store.last_seq = first_the_watch  # type: ignore[method-assign]
    assert (await delete(bench, "vae/a.bin")).ok
    assert len(await bench.facts(ModelFileDeleted)) == 1
    assert bench.files.get("vae/a.bin") is None


async def test_a_repeated_command_gets_the_first_answer(bench: Bench) -> None:
    await bench.put("vae/a.bin")
    first = await delete(bench, "vae/a.bin", command_id="c")
    assert await delete(bench, "vae/a.bin", command_id="c") == first
    assert (await delete(bench, "vae/a.bin", command_id="other")).status == 404


async def test_an_unhashed_file_is_hashed_before_it_goes(bench: Bench) -> None:
    await bench.publish(preset("one", spec("vae/a.bin", url="https://h.example/right", sha256=sha(b"right"))))
    await bench.put("vae/moved.bin", b"right")
    assert (await delete(bench, "vae/moved.bin")).data["restorable"] is True
    [fact] = await bench.facts(ModelFileDeleted)
    assert fact.provenance == Provenance(url="https://h.example/right", size_bytes=5, sha256=sha(b"right"))


async def test_a_large_unhashed_file_can_be_restored_by_url_and_size_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "HASH_FIRST_BYTES", 4)
    await bench.publish(preset("one", spec("vae/a.bin", size_bytes=5), "vae/missing.bin"))
    await bench.put("vae/a.bin", b"large")
    assert (await delete(bench, "vae/a.bin")).data["restorable"] is True
    [fact] = await bench.facts(ModelFileDeleted)
    assert fact.provenance == Provenance(url=url_of("a.bin"), size_bytes=5)


async def test_nobody_claims_a_source_that_states_another_hash(bench: Bench) -> None:
    await bench.publish(preset("one", spec("vae/a.bin", sha256=sha(b"other"), size_bytes=5), "vae/missing.bin"))
    await bench.put("vae/a.bin", b"right")
    assert (await delete(bench, "vae/a.bin")).data["restorable"] is False


async def test_a_link_frees_nothing_and_its_content_stays(bench: Bench) -> None:
    await bench.put("vae/a.bin", b"12345")
    (bench.root / "other.bin").symlink_to(bench.root / "vae/a.bin")
    await bench.see()
    reply = await delete(bench, "other.bin")
    assert (reply.data["size_bytes"], reply.data["freed_bytes"]) == (5, 0)
    assert bench.on_disk() == {"vae/a.bin"}


async def test_a_file_is_needed_by_who_needs_a_link_to_it(bench: Bench) -> None:
    await bench.put("store/a.bin", b"12345")
    (bench.root / "vae").mkdir()
    (bench.root / "vae/a.bin").symlink_to(bench.root / "store/a.bin")
    await bench.see()
    await bench.template("w/t.json", "vae/a.bin")
    reply = await delete(bench, "store/a.bin")
    assert (reply.code, kinds(reply.data["needed_by"])) == ("needed", [("template", "w/t.json")])
    await bench.publish(preset("p", "store/a.bin"))
    assert (await uninstall(bench, "p")).data["deleted"] == []
    assert (await delete(bench, "vae/a.bin")).code == "needed"
    await bench.template("w/t.json")
    assert (await delete(bench, "vae/a.bin")).ok
    assert (bench.root / "store/a.bin").exists()


async def test_uninstall_leaves_what_others_need(bench: Bench) -> None:
    await bench.publish(preset("a", "vae/shared.bin", "vae/a.bin"), preset("b", "vae/shared.bin", "vae/b.bin"))
    await bench.template("w/t.json", "vae/b.bin")
    for path in ("vae/shared.bin", "vae/a.bin", "vae/b.bin"):
        await bench.put(path)
    reply = await uninstall(bench, "a")
    assert reply.ok
    assert (reply.data["deleted"], reply.data["freed_bytes"]) == (["vae/a.bin"], len("vae/a.bin"))
    assert reply.data["kept"] == [{"path": "vae/shared.bin", "needed_by": [{"kind": "preset", "id": "b", "name": "B"}]}]
    [fact] = await bench.facts(ModelFileDeleted)
    assert fact.reason == "uninstalled preset a"
    reply = await uninstall(bench, "b")
    assert reply.data["deleted"] == ["vae/shared.bin"]
    assert bench.on_disk() == {"vae/b.bin"}
    assert [fact.preset_id for fact in await bench.facts(PresetUninstalled)] == ["a", "b"]


async def test_presets_with_the_same_files_do_not_hold_each_other(bench: Bench) -> None:
    await bench.publish(preset("a", "vae/x.bin"), preset("b", "vae/x.bin"))
    await bench.put("vae/x.bin")
    assert (await uninstall(bench, "a")).data["deleted"] == []
    assert kinds(bench_needs(bench, "vae/x.bin")) == [("preset", "b")]
    assert (await uninstall(bench, "b")).data["deleted"] == ["vae/x.bin"]
    await bench.put("vae/x.bin")
    await bench.queue("preset:a", spec("vae/x.bin"))
    assert ("preset", "a") in kinds(bench_needs(bench, "vae/x.bin"))


async def test_uninstall_is_refused_while_the_preset_is_downloaded_or_when_nothing_is_there(bench: Bench) -> None:
    await bench.publish(preset("a", "vae/a.bin"))
    assert ((await uninstall(bench, "a")).status, (await uninstall(bench, "none")).status) == (404, 404)
    await bench.put("vae/a.bin")
    await bench.queue("preset:a", spec("vae/a.bin"))
    reply = await uninstall(bench, "a")
    assert (reply.status, reply.code) == (409, "download_open")
    await bench.downloading("preset:a", d.DownloadCancelled(download_id="d1"))
    assert (await uninstall(bench, "a")).ok


async def test_the_file_of_another_source_is_not_the_presets(bench: Bench) -> None:
    mine = spec("vae/x.bin", url="https://h.example/mine", size_bytes=4)
    await bench.publish(
        preset("mine", mine, "vae/own.bin"),
        preset("theirs", spec("vae/x.bin", url="https://h.example/theirs", size_bytes=6), "vae/none.bin"),
    )
    await bench.put("vae/x.bin", b"theirs")
    await bench.put("vae/own.bin")
    reply = await uninstall(bench, "mine")
    assert reply.data["deleted"] == ["vae/own.bin"]
    assert kinds(reply.data["kept"][0]["needed_by"]) == [("preset", "theirs")]  # type: ignore[index]


async def test_a_half_failed_uninstall_says_what_went_and_what_did_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.publish(preset("a", "vae/a.bin", "vae/b.bin"))
    await bench.put("vae/a.bin")
    await bench.put("vae/b.bin")
    remove = disk.remove

    def failing(file: str, roots: Sequence[str]) -> disk.OnDiskFile:
        if file.endswith("vae/b.bin"):
            raise OSError(5, "Input/output error")
        return remove(file, roots)

    monkeypatch.setattr(disk, "remove", failing)
    reply = await uninstall(bench, "a")
    assert (reply.ok, reply.status, reply.code) == (False, 409, "partly_uninstalled")
    assert reply.data["deleted"] == ["vae/a.bin"]
    assert reply.data["failed"] == [{"path": "vae/b.bin", "message": "[Errno 5] Input/output error"}]
    assert "vae/b.bin" in reply.message
    assert await bench.facts(PresetUninstalled) == []


async def test_a_link_gives_the_content_a_further_name(bench: Bench) -> None:
    await bench.put("checkpoints/xl/a.bin", b"12345")
    reply = await link(bench, "vae/sub/a.bin", "checkpoints/xl/a.bin")
    assert reply.data == {"path": "vae/sub/a.bin", "from_path": "checkpoints/xl/a.bin", "method": "hardlink"}
    assert (bench.root / "vae/sub/a.bin").samefile(bench.root / "checkpoints/xl/a.bin")
    assert reply.seq > 0
    again = await link(bench, "vae/sub/a.bin", "checkpoints/xl/a.bin")
    assert (again.ok, again.seq, again.data["method"]) == (True, 0, "hardlink")
    assert len(await bench.facts(ModelFileLinked)) == 1
    await bench.see()
    assert bench.files.get("vae/sub/a.bin") is not None


async def test_a_link_across_volumes_is_a_symbolic_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.put("checkpoints/a.bin", b"12345")

    def other_volume(*_args: object, **_kwargs: object) -> None:
        raise OSError(18, "Invalid cross-device link")  # simulated: a test has one volume only

    monkeypatch.setattr(os, "link", other_volume)
    assert (await link(bench, "vae/a.bin", "checkpoints/a.bin")).data["method"] == "symlink"
    assert (bench.root / "vae/a.bin").readlink() == bench.root / "checkpoints/a.bin"
    assert (await link(bench, "vae/a.bin", "checkpoints/a.bin")).seq == 0
    await bench.see()
    assert bench.files.get("vae/a.bin") is not None


async def test_links_are_refused_with_a_reason(bench: Bench) -> None:
    await bench.put("vae/a.bin")
    await bench.put("vae/b.bin")
    reply = await link(bench, "vae/b.bin", "vae/a.bin")
    assert (reply.status, reply.code) == (409, "exists")
    assert (bench.root / "vae/b.bin").read_bytes() == b"vae/b.bin"
    assert (await link(bench, "vae/c.bin", "vae/none.bin")).status == 404
    for path in ("../c.bin", "@comfy/vae/c.bin", "vae/.c.bin"):
        assert (await link(bench, path, "vae/a.bin")).status in (404, 422)
    await bench.put("vae/cut.safetensors", b"\xff" * 20)
    assert (await link(bench, "vae/d.safetensors", "vae/cut.safetensors")).code == "damaged"
    assert await bench.facts(ModelFileLinked) == []


async def test_a_link_never_leads_into_a_folder_behind_a_link(bench: Bench, tmp_path: Path) -> None:
    await bench.put("vae/a.bin")
    (tmp_path / "out").mkdir()
    (bench.root / "loras").symlink_to(tmp_path / "out")
    assert (await link(bench, "loras/a.bin", "vae/a.bin")).status == 404
    assert list((tmp_path / "out").iterdir()) == []


async def test_what_was_deleted_can_be_restored_until_it_is_there(bench: Bench) -> None:
    await bench.fetch("vae/a.bin", b"12345")
    command = PlanRestore(pool=POOL, path="vae/a.bin")
    assert (await ask(bench.plans.restore, command)).code == "present"
    await delete(bench, "vae/a.bin")
    reply = await ask(bench.plans.restore, command)
    assert reply.data["file"] == {
        "path": "vae/a.bin", "url": url_of("a.bin"), "size_bytes": 5, "sha256": sha(b"12345"),
    }  # fmt: skip


async def test_a_crash_before_the_fact_loses_no_source(bench: Bench) -> None:
    await bench.fetch("vae/a.bin", b"12345")
    (bench.root / "vae/a.bin").unlink()  # what a killed deletion leaves
    await bench.see()
    assert len(await bench.facts(ModelFileGone)) == 1
    reply = await ask(bench.plans.restore, PlanRestore(pool=POOL, path="vae/a.bin"))
    assert reply.data["file"]["sha256"] == sha(b"12345")  # type: ignore[index]
