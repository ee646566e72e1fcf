"""Which file a workflow's reference means: ComfyUI's own place first, then a unique name, then the hash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events.matching import MISSING, Match, ModelIndex, keys_of_file, keys_of_reference
from modeldeck_events.templates import Form, TemplateReference

ONE, TWO = "1" * 64, "2" * 64


def reference(
    path: str, *, form: Form = "file", sha256: str | None = None, search: tuple[str, ...] = ()
) -> TemplateReference:
    directory, _, filename = path.partition("/")
    return TemplateReference(path=path, directory=directory, filename=filename, form=form, sha256=sha256, search=search)


def index(*paths: str, **hashed: str) -> ModelIndex:
    found = ModelIndex()
    for path in paths:
        found.put(path, hashed.get(path.rpartition("/")[2].partition(".")[0]))
    return found


def test_a_file_where_it_is_looked_for_is_present() -> None:
    match = index("vae/a.safetensors", "loras/a.safetensors").match(reference("vae/a.safetensors"))
    assert match == Match("present", "vae/a.safetensors")


def test_aliases_are_searched_in_order() -> None:
    wanted = reference("diffusion_models/a.safetensors", search=("unet", "diffusion_models"))
    assert index("diffusion_models/a.safetensors").match(wanted).found_at == "diffusion_models/a.safetensors"
    both = index("diffusion_models/a.safetensors", "unet/a.safetensors")
    assert both.match(wanted) == Match("present", "unet/a.safetensors")


def test_places_of_other_roots_count_in_their_order() -> None:
    found = index("@comfy/vae/a.safetensors", "vae/a.safetensors")
    found.survey({"vae": ("@comfy/vae", "vae")})
    assert found.match(reference("vae/a.safetensors")) == Match("present", "@comfy/vae/a.safetensors")


def test_the_same_name_in_another_folder_is_elsewhere() -> None:
    match = index("checkpoints/xl/a.safetensors").match(reference("checkpoints/a.safetensors"))
    assert match == Match("present_elsewhere", "checkpoints/xl/a.safetensors")


def test_two_files_of_that_name_are_ambiguous_unless_their_content_is_the_same() -> None:
    wanted = reference("vae/a.safetensors")
    assert index("x/a.safetensors", "y/a.safetensors").match(wanted) == Match(
        "ambiguous", candidates=("x/a.safetensors", "y/a.safetensors")
    )
    same = index("x/a.safetensors", "y/a.safetensors", a=ONE)
    assert same.match(wanted) == Match("present_elsewhere", "x/a.safetensors")


def test_a_stated_hash_finds_the_file_under_any_name() -> None:
    match = index("misc/renamed.safetensors", renamed=ONE).match(reference("vae/a.safetensors", sha256=ONE))
    assert match == Match("present_elsewhere", "misc/renamed.safetensors")


def test_a_file_of_that_name_with_another_hash_is_not_the_one() -> None:
    assert index("x/a.safetensors", a=TWO).match(reference("vae/a.safetensors", sha256=ONE)) == MISSING


def test_a_name_without_extension_takes_any() -> None:
    wanted = reference("vae_approx/taesd_decoder", form="stem")
    assert index("vae_approx/taesd_decoder.pth").match(wanted) == Match("present", "vae_approx/taesd_decoder.pth")


def test_a_folder_is_there_when_a_file_is_in_it() -> None:
    wanted = reference("diffusers/sdxl", form="folder")
    assert index("diffusers/sdxl/unet/model.safetensors").match(wanted) == Match("present", "diffusers/sdxl")
    assert index("other/sdxl/model.safetensors").match(wanted) == MISSING


@pytest.mark.parametrize("path", ["vae/a.safetensors", "a", "@s/vae/x/.hidden"])
def test_what_was_removed_is_not_found(path: str) -> None:
    found = index(path)
    found.remove(path)
    found.remove(path)
    assert path not in found
    assert found.match(reference(f"vae/{path.rpartition('/')[2]}")) == MISSING


NAMES = st.sampled_from(["a.safetensors", "b.safetensors", "a.ckpt", "c"])
FOLDERS = st.sampled_from(["vae", "loras", "vae/sub", "@x/vae", "diffusers/c"])
PATHS = st.builds("{}/{}".format, FOLDERS, NAMES)
HASHES = st.sampled_from([None, ONE, TWO])
REFERENCES = st.builds(
    reference, PATHS, form=st.sampled_from(["file", "stem", "folder"]), sha256=HASHES, search=st.just(("vae", "loras"))
)


@given(st.lists(st.tuples(PATHS, HASHES), max_size=12), REFERENCES, PATHS, HASHES)
def test_only_a_file_that_shares_a_key_changes_a_match(
    files: list[tuple[str, str | None]], wanted: TemplateReference, path: str, sha256: str | None
) -> None:
    found = ModelIndex()
    for name, content in files:
        found.put(name, content)
    before, known = found.match(wanted), dict(files).get(path)
    was_there = path in found
    found.put(path, sha256)
    touched = keys_of_file(path, sha256) | (keys_of_file(path, known) if was_there else set())
    if not touched & keys_of_reference(wanted):
        assert found.match(wanted) == before


@given(st.lists(st.tuples(PATHS, HASHES), max_size=12), REFERENCES)
def test_the_order_in_which_files_came_does_not_matter(
    files: list[tuple[str, str | None]], wanted: TemplateReference
) -> None:
    last = dict(files)
    one, other = ModelIndex(), ModelIndex()
    for name, content in files:
        one.put(name, content)
    for name in sorted(last):
        other.put(name, last[name])
    assert one.match(wanted) == other.match(wanted)
