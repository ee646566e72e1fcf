from __future__ import annotations

import os
from pathlib import Path

import pytest
from catalog.copies import Copies, Copy
from catalog.files import write_atomically

ONE = Copy(b"presets: {a: 1}", "https://h.example/presets.yaml", '"1"')
TWO = Copy(b"presets: {b: 2}", "https://h.example/presets.yaml", '"2"')


def test_nothing_kept_is_none(tmp_path: Path) -> None:
    assert Copies(tmp_path / "catalog").load() is None


def test_a_copy_comes_back_and_the_former_one_is_kept_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    copies = Copies(folder)
    copies.save(ONE)
    assert copies.load() == ONE
    assert not (folder / "presets.yaml.bak").exists()
    copies.save(TWO)
    assert Copies(folder).load() == TWO
    assert (folder / "presets.yaml.bak").read_bytes() == ONE.data
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_same_content_again_does_not_push_out_the_former_one(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    for copy in (ONE, TWO, Copy(TWO.data, TWO.source, '"3"')):
        copies.save(copy)
    assert (tmp_path / "presets.yaml.bak").read_bytes() == ONE.data
    kept = copies.load()
    assert kept is not None
    assert kept.etag == '"3"'


def test_a_copy_that_an_editor_or_a_crash_changed_is_not_trusted(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    copies.save(ONE)
    (tmp_path / "presets.yaml").write_bytes(TWO.data)
    assert copies.load() is None
    for rubbish in (b"{", b'{"source":"\xff","etag":"","sha256":""}', b"\xff", b""):
        copies.save(ONE)
        (tmp_path / "presets.json").write_bytes(rubbish)
        assert copies.load() is None


def test_a_failed_write_leaves_the_old_content_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    write_atomically(file, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]
