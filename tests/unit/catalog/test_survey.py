from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from catalog import inventory
from catalog.inventory import Walk, mount_of
from catalog.roots import Entry, Roots, arrange
from catalog.survey import survey
from modeldeck_events.modelfiles import InventorySurveyed


def roots_of(tmp_path: Path) -> Roots:
    for name in ("models", "big/vae"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    return arrange(tmp_path / "models", [Entry("big", "vae", str(tmp_path / "big/vae"), is_default=False)])


def surveyed(roots: Roots, found: Walk, before: InventorySurveyed | None = None) -> InventorySurveyed:
    return survey("p", roots, found, before)


def test_only_volumes_that_say_something_new_are_told(tmp_path: Path) -> None:
    found = Walk(
        mounts={
            "": "/",
            "llm": "/mnt/a",
            "llm/deep": "/mnt/a",
            "llm/deep/er": "/",
            "vae": "/",
            "@big/vae": "/mnt/b",
            "@big/vae/x": "/mnt/b",
        }
    )
    assert surveyed(roots_of(tmp_path), found).mounts == {
        "": "/",
        "llm": "/mnt/a",
        "llm/deep/er": "/",
        "@big/vae": "/mnt/b",
    }


def test_an_extra_root_on_the_volume_of_the_models_folder_needs_no_word(tmp_path: Path) -> None:
    roots = roots_of(tmp_path)
    found = inventory.walk(roots, frozenset())
    assert surveyed(roots, found).mounts == {"": mount_of(str(tmp_path))}


def test_a_root_that_cannot_be_read_keeps_its_volumes(tmp_path: Path) -> None:
    roots = roots_of(tmp_path)
    before = surveyed(roots, Walk(mounts={"": "/", "@big/vae": "/mnt/b", "@big/vae/x": "/mnt/c"}))
    away = Walk(mounts={"": "/", "llm": "/mnt/a"}, problems={"@big/vae": "away"})
    now = surveyed(roots, away, before)
    assert now.mounts == {"": "/", "llm": "/mnt/a", "@big/vae": "/mnt/b", "@big/vae/x": "/mnt/c"}
    assert [root.problem for root in now.roots] == ["", "away"]
    assert surveyed(roots, Walk(mounts={"": "/no"}, problems={"@big/vae": "away"})).mounts == {
        "": "/no",
        "@big/vae": mount_of(str(tmp_path)),
    }


def test_a_volume_within_a_root_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounting takes rights that tests do not have, so another device is played."""
    (tmp_path / "vae/deep").mkdir(parents=True)
    real: Any = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        status: os.stat_result = real(path, **options)
        return os.stat_result((*status[:2], 999, *status[3:]), {}) if "/vae" in str(path) else status

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(inventory, "mount_of", lambda folder: "/mnt/vae" if "/vae" in folder else "/")
    found = inventory.walk(arrange(tmp_path, []), frozenset())
    assert found.mounts == {"": "/", "vae": "/mnt/vae"}


def test_the_mount_point_of_what_is_not_there_is_where_it_would_be(tmp_path: Path) -> None:
    assert mount_of(str(tmp_path / "a/b/c")) == mount_of(str(tmp_path))
    assert os.path.ismount(mount_of(str(tmp_path)))


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To root everything may be written, so the system's answer is played."""
    roots = roots_of(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, _mode: "big" not in str(path))
    assert [root.writable for root in surveyed(roots, Walk(mounts={"": "/"})).roots] == [True, False]
