"""Which files of the template folders are looked at, and what is said of the others."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from catalog.workflows import folders
from catalog.workflows.folders import MAX_DEPTH, Root, Seen, printable, walk
from catalog.workflows.glances import CHECK_S, Glances

OLD_S = 1_600_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    return tmp_path / "w"


def put(root: Path, name: str, data: bytes = b"{}") -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def settle(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder count as one that did not just change."""
    del root
    real = time.time_ns
    monkeypatch.setattr("catalog.workflows.folders.time.time_ns", lambda: real() + 10**10)


def seen_of(root: Path) -> Seen:
    return walk([Root("w", root)])


def codes(seen: Seen) -> dict[str, str]:
    return {name: why.code for name, why in seen.refused.items()}


def test_json_files_at_any_depth_are_found_and_hidden_ones_are_not(root: Path) -> None:
    for name in ("a.json", "b/c/d.JSON", "b/with space (1): ä.json", ".hidden.json", ".git/x.json", "a.txt", "json"):
        put(root, name)
    seen = seen_of(root)
    assert sorted(seen.paths) == ["w/a.json", "w/b/c/d.JSON", "w/b/with space (1): ä.json"]
    assert (seen.refused, seen.notes, seen.missing) == ({}, {}, [])
    assert seen.stamps["w/a.json"].size_bytes == 2


def test_each_root_begins_its_ids_with_its_name(root: Path, tmp_path: Path) -> None:
    put(root, "a.json")
    seen = walk([Root("one", root), Root("two", root), Root("away", tmp_path / "away")])
    assert (sorted(seen.paths), seen.missing) == (["one/a.json", "two/a.json"], ["away"])


def test_links_inside_the_root_are_followed_to_files_and_no_others(root: Path, tmp_path: Path) -> None:
    put(tmp_path, "secret.json")
    put(tmp_path, "other/x.json")
    put(root, "real/a.json")
    (root / "inside.json").symlink_to("real/a.json")
    (root / "outside.json").symlink_to(tmp_path / "secret.json")
    (root / "elsewhere").symlink_to(tmp_path / "other")
    (root / "again").symlink_to("real")
    (root / "round").symlink_to(".")
    (root / "nothing.json").symlink_to("not there")
    (root / "itself.json").symlink_to("itself.json")
    (root / "picture.png").symlink_to(tmp_path / "secret.json")
    seen = seen_of(root)
    assert sorted(seen.paths) == ["w/inside.json", "w/real/a.json"]
    assert codes(seen) == {
        "w/outside.json": "link_outside",
        "w/elsewhere": "link_outside",
        "w/nothing.json": "unreadable_file",
        "w/itself.json": "unreadable_file",
    }
    assert "MODELDECK_TEMPLATE_DIRS" in seen.refused["w/elsewhere"].message
    assert sorted(seen.notes) == ["w/again", "w/round"]


def test_a_root_may_be_a_link_itself(root: Path, tmp_path: Path) -> None:
    put(root, "a.json")
    (root / "b.json").symlink_to(root / "a.json")
    (tmp_path / "link").symlink_to(root)
    assert sorted(walk([Root("w", tmp_path / "link")]).paths) == ["w/a.json", "w/b.json"]


@pytest.mark.parametrize(
    ("name", "shown", "said"),
    [
        (b"bad\xff.json", "w/bad\\udcff.json", "not UTF-8"),
        (b"two\nlines.json", "w/two\\x0alines.json", "control"),
        (b"\xe2\x80\xa8.json", "w/\\x2028.json", "control"),
    ],
)
def test_names_that_cannot_be_a_key_are_shown_escaped_with_the_reason(
    root: Path, name: bytes, shown: str, said: str
) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"{}")
    seen = seen_of(root)
    assert (seen.paths, codes(seen)) == ({}, {shown: "invalid_name"})
    assert said in seen.refused[shown].message


def test_a_path_that_is_too_long_for_a_key_is_shown_shortened(root: Path) -> None:
    deep = "𝄞" * 60 + "/" + "ö" * 100
    for name in ("a", "b"):
        put(root, f"{deep}/{name}.json")
    seen = seen_of(root)
    assert seen.paths == {}
    assert set(codes(seen).values()) == {"invalid_name"}
    assert len(seen.refused) == 2  # told apart although their beginnings are the same
    assert all(name == printable(name) for name in seen.refused)


def test_what_is_no_file_is_refused(root: Path) -> None:
    os.mkfifo(root / "pipe.json")
    (root / "folder.json").mkdir()
    put(root, "folder.json/a.json")
    seen = seen_of(root)
    assert (sorted(seen.paths), codes(seen)) == (["w/folder.json/a.json"], {"w/pipe.json": "unreadable_file"})


def test_depth_and_numbers_are_capped_and_it_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "/".join("d" * (MAX_DEPTH + 2)) + "/a.json")
    for number in range(5):
        put(root, f"{number}.json")
    seen = seen_of(root)
    assert (len(seen.paths), seen.is_capped) == (5, False)
    assert "folders deep" in next(iter(seen.notes.values()))
    monkeypatch.setattr(folders, "MAX_FILES", 3)
    seen = seen_of(root)
    assert (sorted(seen.paths), seen.is_capped) == (["w/0.json", "w/1.json", "w/2.json"], True)
    assert "more than 3 workflows" in seen.notes["w"]
    monkeypatch.setattr(folders, "MAX_FOLDERS", 2)
    assert "more than 2 folders" in walk([Root("w", root / "d")]).notes["w"]


def test_of_a_folder_that_cannot_be_read_nothing_is_known(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "closed/a.json")
    put(root, "open.json")
    real = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(
        "catalog.workflows.folders.os.scandir", refuse
    )  # the tests may run as root, whom nothing is refused
    seen = seen_of(root)
    assert (seen.knows("w/closed/a.json"), seen.knows("w/open.json")) == (False, True)
    assert "Permission denied" in seen.notes["w/closed"]


def test_folders_tell_what_came_went_and_was_replaced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "sub/a.json")
    roots = [Root("w", root), Root("later", root.parent / "later")]
    settle(root, monkeypatch)
    assert not folders.folders_changed(walk(roots))
    seen = walk(roots)
    put(root, "sub/.tmp").replace(root / "sub/a.json")
    monkeypatch.undo()
    assert folders.folders_changed(seen)
    settle(root, monkeypatch)
    seen = walk(roots)
    (root.parent / "later").mkdir()
    assert folders.folders_changed(seen)


def test_a_folder_that_just_changed_counts_as_changed(root: Path) -> None:
    """Its time may stay the same when the next file comes within the same tick of the clock."""
    assert folders.folders_changed(seen_of(root))


def test_files_tell_when_they_changed_in_place(root: Path) -> None:
    file = put(root, "a.json")
    seen = seen_of(root)
    assert folders.look_at_files(seen, seen.paths) == []
    put(root, "a.json", b'{"nodes": []}')
    assert folders.look_at_files(seen, []) == []
    assert folders.look_at_files(seen, seen.paths) == ["w/a.json"]
    assert seen.stamps["w/a.json"].size_bytes == 13
    assert folders.look_at_files(seen, seen.paths) == []
    file.unlink()
    with pytest.raises(FileNotFoundError):
        folders.look_at_files(seen, seen.paths)


def test_reading_stops_at_the_limit_and_never_leaves_the_root(root: Path, tmp_path: Path) -> None:
    file = put(root, "a.json", b"x" * 100)
    data, stamp, is_steady = folders.read(str(file), str(root), 10)
    assert (len(data), stamp.size_bytes, is_steady) == (11, 100, True)
    (root / "b.json").symlink_to("a.json")
    assert folders.read(str(root / "b.json"), str(root), 1000)[0] == b"x" * 100
    put(tmp_path, "secret.json")
    (root / "c.json").symlink_to(tmp_path / "secret.json")  # put there after the walk
    with pytest.raises(PermissionError, match="leads out"):
        folders.read(str(root / "c.json"), str(root), 10)
    os.mkfifo(root / "d.json")
    with pytest.raises(PermissionError, match="no regular file"):
        folders.read(str(root / "d.json"), str(root), 10)


class TestGlances:
    def test_a_quiet_look_walks_only_once(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(root, "a.json")
        settle(root, monkeypatch)
        glances = Glances([Root("w", root)])
        assert [glances.look() for _ in range(4)] == [True, False, False, False]
        assert (glances.walks, glances.rest_s) == (1, CHECK_S)
        glances.hurry(walk=True)
        assert (glances.look(), glances.walks) == (True, 2)

    def test_a_vanished_file_leads_to_a_walk(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = put(root, "a.json")
        settle(root, monkeypatch)
        glances = Glances([Root("w", root)])
        glances.look()
        monkeypatch.setattr(folders, "folders_changed", lambda _: False)  # as on a file system without folder times
        file.unlink()
        assert (glances.look(), glances.seen.paths, glances.walks) == (True, {}, 2)

    def test_looks_at_many_files_become_rare_but_not_at_the_last_ones_nor_at_folders(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(root, "new.json")
        os.utime(put(root, "old.json"), (OLD_S, OLD_S))
        settle(root, monkeypatch)
        spent = iter(range(10_000))
        monkeypatch.setattr("catalog.workflows.glances.time.thread_time", lambda: next(spent) * 0.05)
        monkeypatch.setattr("catalog.workflows.glances.RECENT", 1)
        glances = Glances([Root("w", root)])
        assert glances.look()
        put(root, "old.json", b"changed in place")
        assert (glances.look(), glances.seen.stamps["w/old.json"].size_bytes) == (False, 2)
        put(root, "new.json", b"changed in place")
        assert (glances.look(), glances.seen.stamps["w/new.json"].size_bytes) == (True, 16)
        glances.hurry()
        assert (glances.look(), glances.seen.stamps["w/old.json"].size_bytes) == (True, 16)
        put(root, "old.json", b"changed again: it is one of the last ones now")
        assert glances.look()
        put(root, "b.json")
        assert glances.look()
        assert sorted(glances.seen.paths) == ["w/b.json", "w/new.json", "w/old.json"]
