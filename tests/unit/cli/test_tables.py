from __future__ import annotations

import pytest
from gateway.cli.library import OddPathError, check
from gateway.cli.tables import (
    model_row,
    needed_by_words,
    reference_row,
    repository_lines,
    template_row,
    variant_row,
    volume_row,
)


def test_a_model_shows_who_needs_it_and_what_is_unknown_is_not_invented() -> None:
    needed = [{"kind": "preset", "id": "SDXL"}, {"kind": "template", "id": "workflows/a.json", "name": "a"}]
    model = {"path": "vae/x", "size_bytes": 5_000_000, "family": "flux", "sha256": "ab" * 32, "needed_by": needed}
    assert model_row(model) == ("vae/x", "5.0 MB", "flux", "ab" * 6, "preset SDXL, template workflows/a.json")
    assert model_row({"path": "vae/x"}) == ("vae/x", "?", "", "", "")
    assert model_row({"path": "vae/x", "size_bytes": 5, "whole": False})[1] == "5 B (cut off)"


def test_many_who_need_a_file_are_counted() -> None:
    needed = [{"kind": "preset", "id": str(number)} for number in range(5)]
    assert needed_by_words(needed) == "preset 0, preset 1, preset 2 and 2 more"


@pytest.mark.parametrize(
    ("template", "status", "misses"),
    [
        ({"id": "w/a", "compatible": True, "missing_models": []}, "ready", ""),
        ({"compatible": False, "missing_count": 1, "missing_models": [{"path": "vae/x"}]}, "1 missing", "vae/x"),
        ({"compatible": False, "missing_count": 0, "complete": False}, "unclear", ""),
        ({"compatible": False, "format": "unreadable"}, "unreadable", ""),
    ],
)
def test_a_template_says_whether_it_can_run(template: dict[str, object], status: str, misses: str) -> None:
    assert template_row(template)[1:] == (status, misses)


@pytest.mark.parametrize(
    ("reference", "status", "where"),
    [
        ({"status": "present", "path": "vae/x", "found_at": "vae/x"}, "present", ""),
        ({"status": "present", "path": "clip/x", "found_at": "text_encoders/x"}, "present", "text_encoders/x"),
        ({"status": "present_elsewhere", "found_at": "x"}, "present elsewhere", "x, to be linked"),
        ({"status": "ambiguous", "candidates": ["a/x", "b/x"]}, "ambiguous", "a/x or b/x"),
        ({"status": "missing", "url": "https://h/x"}, "missing", "https://h/x"),
        ({"status": "missing", "active": False}, "(missing)", "the workflow names no source"),
    ],
)
def test_a_reference_says_where_its_file_is_or_can_be_had(
    reference: dict[str, object], status: str, where: str
) -> None:
    row = reference_row(reference)
    assert (row[0], row[3]) == (status, where)


def test_the_node_of_a_reference_is_named_with_its_input() -> None:
    assert reference_row({"node_type": "VAELoader", "input_name": "vae_name"})[2] == "VAELoader.vae_name"
    assert reference_row({"node_type": "Custom"})[2] == "Custom"


def test_the_recommended_variant_has_a_star() -> None:
    variant = {"filename": "a.gguf", "size_bytes": 1000, "quantization": {"bits": 4, "method": "Q4_K_M"}}
    assert variant_row(variant, "a.gguf") == ("*", "a.gguf", "1.0 KB", "Q4_K_M", "")
    assert variant_row({"filename": "b", "metadata": {"quantization": {"bits": 8}}}, "")[::3] == ("", "8 bit")


def test_a_volume_that_cannot_be_read_has_no_numbers() -> None:
    assert volume_row({"mount": "/m", "error": "not mounted"}) == ("/m: not mounted", *"?????")


def test_a_repository_says_when_the_hub_is_away() -> None:
    found = {"repo": "a/b", "metadata": {"license": "mit"}, "likes": 0, "gated": "", "stale": "no route"}
    assert repository_lines(found) == [
        "a/b (license mit, 0 likes)",
        "The hub is away (no route); this is what it said last.",
    ]


@pytest.mark.parametrize("path", ["loras/x.safetensors", "@extra/vae/a b?.pt", "a/.hidden", "x..y", "a:b"])
def test_a_path_is_taken_as_it_is(path: str) -> None:
    assert check(path) == path


@pytest.mark.parametrize("path", ["", ".", "..", "../presets/x", "a/../b", "a//b", "/etc/x", "a/", "a\\b", "a\0b"])
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(OddPathError, match="modeldeck models"):
        check(path)
