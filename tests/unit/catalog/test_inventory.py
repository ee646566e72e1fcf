from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from catalog import inventory
from catalog.examining import examine, gone
from catalog.inventory import Walk
from catalog.roots import Roots, arrange
from catalog.stamps import moment
from modeldeck_events.modelfiles import ModelMetadata
from modeldeck_events.paths import ModelPathError

NONE: frozenset[str] = frozenset()


def only(root: Path) -> Roots:
    return arrange(root, [])


def walk(root: Path, named: frozenset[str]) -> Walk:
    return inventory.walk(only(root), named)


def put(root: Path, path: str, data: bytes = b"x") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def test_model_files_and_named_files_are_found_and_nothing_else(tmp_path: Path) -> None:
    for path in (
        "vae/a.safetensors",
        "deep/er/b.GGUF",
        "c.ckpt",
        "configs/named.json",
        "r.md",
        "vae/.a.bin",
    ):
        put(tmp_path, path)
    put(tmp_path, ".cache/d.bin")
    found = walk(tmp_path, frozenset({"configs/named.json", "vae/missing.bin"}))
    assert sorted(found.files) == ["c.ckpt", "configs/named.json", "deep/er/b.GGUF", "vae/a.safetensors"]
    assert found.files["c.ckpt"].size_bytes == 1
    assert found.skipped == {}
    assert not found.looks[""].empty


def test_links_are_followed_inside_the_root_and_never_out_of_it(tmp_path: Path) -> None:
    root, outside = tmp_path / "models", tmp_path / "models-outside"
    put(outside, "secret.safetensors")
    put(root, "vae/real.safetensors")
    (root / "vae/link.safetensors").symlink_to(root / "vae/real.safetensors")
    (root / "vae/out.safetensors").symlink_to(outside / "secret.safetensors")
    (root / "vae/nowhere.safetensors").symlink_to(root / "missing")
    (root / "linked").symlink_to(outside, target_is_directory=True)
    (root / "loop").symlink_to(root, target_is_directory=True)
    found = walk(root, NONE)
    assert sorted(found.files) == ["vae/link.safetensors", "vae/real.safetensors"]
    assert sorted(found.skipped) == ["'linked'", "'loop'", "'vae/out.safetensors'"]
    assert found.skipped_count == 3
    with pytest.raises(ModelPathError):
        examine(only(root), "p", "vae/out.safetensors")
    with pytest.raises(ModelPathError):
        examine(only(root), "p", "linked/secret.safetensors")


def test_names_that_no_catalog_may_have_are_told_and_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a:b.bin")
    put(tmp_path, "new\nline.bin")
    (tmp_path / os.fsdecode(b"\xff.bin")).write_bytes(b"x")
    put(tmp_path, "ü" * 100 + ".bin")
    put(tmp_path, "/".join(["ü" * 100] * 4) + "/long.bin")
    found = walk(tmp_path, NONE)
    assert list(found.files) == ["ü" * 100 + ".bin"]
    assert len(found.skipped) == 4


def test_no_folder_is_not_an_empty_folder(tmp_path: Path) -> None:
    assert "No such file" in walk(tmp_path / "missing", NONE).problems[""]
    assert not walk(tmp_path / "missing", NONE).knows("vae/a.bin")
    put(tmp_path, "file")
    assert "Not a directory" in walk(tmp_path / "file", NONE).problems[""]
    assert walk(tmp_path, NONE).files == {}
    assert walk(tmp_path, NONE).problems == {}


def test_below_an_unreadable_folder_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read permission means nothing to root, so the system's refusal is played."""
    put(tmp_path, "vae/a.bin")
    put(tmp_path, "loras/b.bin")
    real = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith("/vae"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = walk(tmp_path, NONE)
    assert list(found.files) == ["loras/b.bin"]
    assert not found.knows("vae/a.bin")
    assert found.knows("vae2/a.bin")
    assert found.skipped == {"'vae'": "Permission denied"}


def test_a_folder_that_vanishes_during_the_walk_is_just_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "vae/a.bin")
    real = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith("/vae"):
            raise FileNotFoundError(2, "No such file or directory")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = walk(tmp_path, NONE)
    assert found.knows("vae/a.bin")
    assert found.files == {}


def test_the_depth_is_capped_and_said(tmp_path: Path) -> None:
    put(tmp_path, "/".join(["d"] * (inventory.MAX_DEPTH + 2)) + "/a.bin")
    found = walk(tmp_path, NONE)
    assert found.files == {}
    assert any("deep" in reason for reason in found.skipped.values())


def test_the_number_of_files_is_capped_and_never_taken_for_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "MAX_FILES", 2)
    for name in "abc":
        put(tmp_path, f"vae/{name}.bin")
    found = walk(tmp_path, NONE)
    assert "more than 2" in found.problems[""]
    assert not found.knows("vae/a.bin")
    assert found.files == {}


def test_the_number_of_folders_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "MAX_FOLDERS", 2)
    for name in "abc":
        put(tmp_path, f"{name}/a.bin")
    found = walk(tmp_path, NONE)
    assert "more than 2 folders" in found.problems[""]
    assert list(found.folders) == [str(tmp_path)]  # nothing else of it is glanced at


def test_a_file_is_examined_as_it_is_now(tmp_path: Path) -> None:
    file = put(tmp_path, "vae/a.gguf", b"GGUF....")
    os.utime(file, ns=(0, 1_700_000_000_123_456_789))
    fact, stamp = examine(only(tmp_path), "p", "vae/a.gguf")
    assert (fact.pool, fact.path, fact.size_bytes, fact.format, fact.whole) == ("p", "vae/a.gguf", 8, "gguf", None)
    assert fact.metadata == ModelMetadata()
    assert fact.modified_at == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert stamp == (8, 1_700_000_000_123_456_789, file.stat().st_ino)
    (tmp_path / "vae/dir.bin").mkdir()
    with pytest.raises(OSError, match="directory"):
        examine(only(tmp_path), "p", "vae/dir.bin")
    os.mkfifo(tmp_path / "vae/pipe.bin")
    with pytest.raises(OSError, match="regular"):
        examine(only(tmp_path), "p", "vae/pipe.bin")


def test_odd_times_have_a_nearest_moment() -> None:
    assert moment(-(10**18)).year == 1970
    assert moment(10**30).year == 9999


def test_gone_means_not_there_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path, "a.bin")
    (tmp_path / "dangling.bin").symlink_to("nowhere")
    assert not gone(only(tmp_path), "a.bin")
    assert not gone(only(tmp_path), "dangling.bin")
    assert gone(only(tmp_path), "b.bin")
    assert gone(only(tmp_path), "a.bin/b.bin")


def test_configurations_of_checkpoints_are_found_where_they_are_looked_for(tmp_path: Path) -> None:
    for path in ("configs/v1.yaml", "loras/notes.yaml", "configs/deep/v2.yml"):
        put(tmp_path, path)
    assert sorted(walk(tmp_path, NONE).files) == ["configs/deep/v2.yml", "configs/v1.yaml"]


def test_links_to_folders_are_followed_once_and_never_in_a_circle(tmp_path: Path) -> None:
    put(tmp_path, "a/one.bin")
    put(tmp_path, "a/b/two.bin")
    (tmp_path / "a/up").symlink_to(tmp_path / "a")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/into").symlink_to(tmp_path / "a/b")
    (tmp_path / "c/again").symlink_to(tmp_path / "a/b")
    (tmp_path / "a/b/back").symlink_to(tmp_path / "c")
    found = walk(tmp_path, NONE)
    assert {"a/one.bin", "a/b/two.bin"} <= set(found.files)
    assert len([path for path in found.files if path.endswith("two.bin")]) <= 4
    assert any("no end" in reason for reason in found.skipped.values())
    fact, _ = examine(only(tmp_path), "p", "c/into/two.bin")
    assert fact.size_bytes == 1


def test_what_is_left_out_is_counted_and_told_up_to_a_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "MAX_TOLD", 2)
    for name in "abcde":
        put(tmp_path, f"{name}:.bin")
    found = walk(tmp_path, NONE)
    assert (found.skipped_count, len(found.skipped)) == (5, 2)
