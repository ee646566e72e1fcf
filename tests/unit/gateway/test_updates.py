"""Presets that the catalog changed after they were installed."""

from __future__ import annotations

from typing import Any

from gateway.boards.fold import Boards
from modeldeck_events import downloads as d
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileGone
from modeldeck_events.presets import PresetDefinition, PresetPublished, PresetUninstalled
from msgspec.structs import replace

from tests.unit.gateway.facts import file, file_completed, found, preset, queued, records

FAILURE = d.FailureInfo(code="path_conflict", message="vae/b.bin exists already.")
A, B = file("vae/a.bin"), file("vae/b.bin", None)
B2 = replace(B, url="https://example.org/v2/b.bin")
C = file("vae/c.bin")
OLD = replace(preset("p", A, B), version="1.0.0")


def install(definition: PresetDefinition, download_id: str, *, action: str = "downloaded") -> list[Event]:
    events: list[Event] = [queued(download_id, *definition.files, preset_id=definition.id)]
    for spec in definition.files:
        done = file_completed(download_id, spec.path, 100, url=spec.url)
        events += [replace(done, action=action), found(spec.path)]
    return [*events, d.DownloadCompleted(download_id=download_id, attempt=1, total_bytes=200)]


def folded(*events: Event) -> Boards:
    boards = Boards()
    for record in records(events):
        boards.apply(record)
    saved = Boards()
    saved.load(boards.dump())
    assert saved.presets.state() == boards.presets.state(), "a restart changes nothing"
    return boards


def view(boards: Boards, preset_id: str = "p") -> dict[str, Any]:
    found: dict[str, Any] = boards.presets.state()["presets"][preset_id]
    return found


def changes(boards: Boards, preset_id: str = "p") -> dict[str, str]:
    return {item["path"]: item["change"] for item in view(boards, preset_id).get("changed_files", [])}


def published(version: str, *files: d.FileSpec) -> PresetPublished:
    return PresetPublished(preset=replace(preset("p", *files), version=version))


INSTALLED = (PresetPublished(preset=OLD), *install(OLD, "one"))


def test_what_did_not_change_has_no_update() -> None:
    boards = folded(*INSTALLED)
    assert view(boards)["update_available"] is False
    boards = folded(*INSTALLED, PresetPublished(preset=replace(OLD, version="1.0.1", description="better words")))
    assert (view(boards)["update_available"], "installed_version" in view(boards)) == (False, False)


def test_an_update_names_what_is_new_changed_and_removed() -> None:
    boards = folded(*INSTALLED, published("2.0.0", B2, C))
    seen = view(boards)
    assert (seen["installed"], seen["status"], seen["update_available"]) == (True, "installed", True)
    assert (seen["installed_version"], seen["version"]) == ("1.0.0", "2.0.0")
    assert changes(boards) == {"vae/b.bin": "changed", "vae/c.bin": "new", "vae/a.bin": "removed"}
    assert [warning["code"] for warning in seen["warnings"]] == [], "an older file of its own is no oddity"
    assert boards.presets.to_install("p") == (replace(B2, replaces_url=B.url), C)
    assert boards.presets.needed_paths("p") == {"vae/b.bin", "vae/c.bin"}


def test_a_changed_url_counts_even_where_the_exact_size_is_the_same() -> None:
    sized = replace(B2, size_bytes=100)
    boards = folded(*INSTALLED, published("2.0.0", A, sized))
    assert changes(boards) == {"vae/b.bin": "changed"}
    assert boards.presets.to_install("p") == (A, replace(sized, replaces_url=B.url))


def test_the_same_bytes_elsewhere_are_no_update() -> None:
    sha256 = "ab" * 32
    done = replace(file_completed("one", B.path, 100), sha256=sha256)
    before = (PresetPublished(preset=OLD), queued("one", *OLD.files, preset_id="p"), done, found(B.path),
              file_completed("one", A.path, 100), found(A.path),
              d.DownloadCompleted(download_id="one", attempt=1, total_bytes=200))  # fmt: skip
    boards = folded(*before, published("2.0.0", A, replace(B2, sha256=sha256.upper())))
    assert view(boards)["update_available"] is False
    assert boards.presets.to_install("p")[1].replaces_url is None


def test_only_what_the_preset_needs_makes_an_update() -> None:
    assert changes(folded(*INSTALLED, published("2.0.0", A))) == {}, "there is nothing to fetch"
    boards = folded(*INSTALLED, published("2.0.0", A, B, replace(C, optional=True)))
    assert changes(boards) == {}


def test_the_update_ends_it() -> None:
    new = replace(preset("p", A, B2), version="2.0.0")
    boards = folded(*INSTALLED, PresetPublished(preset=new), *install(new, "two"))
    assert (view(boards)["update_available"], view(boards)["status"]) == (False, "installed")
    assert boards.presets.to_install("p") == new.files


def test_a_failed_update_says_why_and_replaces_its_own_next_time() -> None:
    third = replace(B, url="https://example.org/v3/b.bin")
    half = (
        queued("two", B2, C, preset_id="p"),
        file_completed("two", B2.path, 100, url=B2.url),
        d.DownloadFailed(download_id="two", attempt=1, failure=FAILURE, failed_paths=("vae/c.bin",)),
    )
    boards = folded(*INSTALLED, published("2.0.0", B2, C), *half, published("3.0.0", third, C))
    assert boards.presets.to_install("p")[0].replaces_url == B2.url, "what it fetched last, not what it completed with"
    failed = d.DownloadFailed(download_id="two", attempt=1, failure=FAILURE)
    boards = folded(*INSTALLED, published("2.0.0", A, B2), queued("two", A, B2, preset_id="p"), failed)
    seen = view(boards)
    assert (seen["status"], seen["installed"], seen["update_available"]) == ("failed", True, True)
    assert (seen["error"], seen["error_code"]) == ("vae/b.bin exists already.", "path_conflict")


def test_what_another_installed_preset_needs_is_not_replaced() -> None:
    other = preset("q", B)
    both = (*INSTALLED, PresetPublished(preset=other), *install(other, "q1", action="present"))
    boards = folded(*both, published("2.0.0", A, B2))
    assert changes(boards) == {"vae/b.bin": "changed"}, "it is said"
    assert boards.presets.to_install("p")[1].replaces_url is None, "but q still needs the older file"
    moved = folded(*both, published("2.0.0", A, B2), PresetPublished(preset=preset("q", B2)))
    assert moved.presets.to_install("p")[1].replaces_url == B.url
    gone = folded(*both, published("2.0.0", A, replace(B2, size_bytes=100)), PresetPublished(preset=preset("q", B, C)))
    assert changes(gone) == {"vae/b.bin": "changed"}


def test_the_update_follows_what_the_other_preset_has() -> None:
    other, sized = preset("q", B, C), replace(B2, size_bytes=100)
    events = [*INSTALLED, PresetPublished(preset=other), *install(other, "q1", action="present"),
              published("2.0.0", A, sized)]  # fmt: skip
    boards = folded(*events)
    assert changes(boards) == {}, "the exact size agrees, and q needs it as it is"
    last = list(records([*events, ModelFileGone(pool="default", path=C.path)]))[-1]
    boards.apply(last)
    assert changes(boards) == {"vae/b.bin": "changed"}


def test_a_preset_that_lost_its_older_files_is_simply_not_installed() -> None:
    boards = folded(*INSTALLED, published("2.0.0", A, B2), ModelFileGone(pool="default", path=A.path))
    seen = view(boards)
    assert (seen["installed"], seen["status"], seen["update_available"]) == (False, "available", False)
    assert boards.presets.to_install("p")[1].replaces_url == B.url, "an install replaces its older file all the same"


def test_an_uninstalled_preset_has_no_past() -> None:
    boards = folded(
        *INSTALLED,
        PresetUninstalled(pool="default", preset_id="p", kept=(B.path,)),
        published("2.0.0", A, B2),
    )
    assert view(boards)["update_available"] is False
    assert boards.presets.to_install("p")[1].replaces_url is None


def test_other_pools_do_not_matter() -> None:
    elsewhere = [replace(event, pool="other") if hasattr(event, "pool") else event for event in INSTALLED]
    assert view(folded(*elsewhere, published("2.0.0", A, B2)))["update_available"] is False
