"""Who would miss a file: presets that are installed, templates that find it, downloads that still count on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from modeldeck_events import needs
from modeldeck_events.downloads import DownloadQueued, FileSpec, Phase, Target
from modeldeck_events.matching import ModelIndex
from modeldeck_events.modelfiles import ModelFileFound, ModelFileGone
from modeldeck_events.needs import GivenUp
from modeldeck_events.presets import PresetDefinition, PresetUninstalled
from modeldeck_events.templates import Form, TemplateReference

ONE, TWO = "1" * 64, "2" * 64


@dataclass
class OnDisk:
    size_bytes: int | None = 5
    whole: bool | None = None
    sha256: str | None = None
    fetched_bytes: int | None = None
    sources: frozenset[str] = frozenset()


def spec(path: str = "vae/a.bin", *, optional: bool = False, **stated: object) -> FileSpec:
    return FileSpec(path=path, url="https://h.example/a.bin", optional=optional, **stated)  # type: ignore[arg-type]


def preset(*files: FileSpec) -> PresetDefinition:
    return PresetDefinition(id="p", name="P", category="c", type="image", files=files)


def reference(path: str, *, active: bool = True, form: Form = "file") -> TemplateReference:
    directory, _, filename = path.partition("/")
    return TemplateReference(path=path, directory=directory, filename=filename, active=active, form=form)


@pytest.mark.parametrize(
    ("file", "wanted", "satisfied"),
    [
        (OnDisk(), spec(), True),
        (OnDisk(size_bytes=None), spec(), False),
        (OnDisk(whole=False), spec(), False),
        (OnDisk(fetched_bytes=6), spec(), False),
        (OnDisk(sha256=ONE), spec(sha256=ONE.upper(), size_bytes=6), True),
        (OnDisk(sha256=ONE), spec(sha256=TWO, size_bytes=5), False),
        (OnDisk(), spec(sha256=TWO, size_bytes=5), True),
        (OnDisk(), spec(size_bytes=6), False),
        (OnDisk(sources=frozenset({"https://other.example/b"})), spec(), False),
        (OnDisk(sources=frozenset({"https://h.example/a.bin"})), spec(), True),
    ],
)
def test_a_file_satisfies_what_is_stated(file: OnDisk, wanted: FileSpec, satisfied: bool) -> None:
    assert needs.satisfies(file, wanted) is satisfied


def test_only_an_installed_preset_needs_its_files_and_then_all_of_them() -> None:
    wanted = preset(spec("vae/a.bin"), spec("vae/b.bin"), spec("vae/extra.bin", optional=True))
    assert needs.preset_paths(wanted, lambda file: file.path != "vae/extra.bin") == {
        "vae/a.bin", "vae/b.bin", "vae/extra.bin",
    }  # fmt: skip
    assert needs.preset_paths(wanted, lambda file: file.path != "vae/b.bin") == frozenset()
    assert needs.preset_paths(preset(), lambda _: True) == frozenset()
    only_optional = preset(spec("vae/a.bin", optional=True))
    assert needs.preset_paths(only_optional, lambda _: False) == frozenset()
    assert needs.preset_paths(only_optional, lambda _: True) == {"vae/a.bin"}


def test_a_template_needs_what_its_active_references_find() -> None:
    index = ModelIndex()
    for path in ("vae/a.bin", "x/b.bin", "diffusers/flux/unet/w.bin", "diffusers/flux/m.bin", "diffusers/other/m.bin"):
        index.put(path)
    named = (
        reference("vae/a.bin"),
        reference("loras/b.bin"),
        reference("loras/none.bin"),
        reference("diffusers/flux", form="folder"),
        reference("diffusers/other", form="folder", active=False),
    )
    assert needs.template_paths(named, index) == {
        "vae/a.bin", "x/b.bin", "diffusers/flux/unet/w.bin", "diffusers/flux/m.bin",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "paths"),
    [
        ("queued", {"done"}),
        ("paused", {"done"}),
        ("downloading", {"done", "next"}),
        ("retrying", {"done", "next"}),
        ("completed", set()),
        ("cancelled", set()),
    ],
)
def test_a_download_needs_what_it_finished_and_what_it_may_be_writing(phase: Phase, paths: set[str]) -> None:
    files = (spec("done"), spec("failed"), spec("next"))
    assert needs.download_paths(files, phase, completed={"done"}, failed={"failed"}) == paths


def test_an_uninstalled_preset_is_given_up_until_it_is_queued_again() -> None:
    given_up = GivenUp("main")
    assert given_up.apply(PresetUninstalled(pool="other", preset_id="p")) == ()
    assert given_up.apply(PresetUninstalled(pool="main", preset_id="p")) == ("p",)
    assert given_up.apply(PresetUninstalled(pool="main", preset_id="p")) == ()
    target = Target(id="preset:p", kind="preset", name="P", preset_id="p")
    assert given_up.apply(DownloadQueued(download_id="d", pool="other", target=target, files=())) == ()
    assert given_up.ids == {"p"}
    assert given_up.apply(DownloadQueued(download_id="d", pool="main", target=target, files=())) == ("p",)
    assert given_up.ids == set()


def test_or_until_all_that_was_deleted_for_it_is_back() -> None:
    given_up = GivenUp("main")
    given_up.apply(PresetUninstalled(pool="main", preset_id="p", deleted=("a", "b"), kept=("c",)))
    assert given_up.apply(found("a")) == ()
    assert given_up.apply(found("c")) == ()
    again = GivenUp("main", given_up.state())
    assert given_up.apply(ModelFileGone(pool="main", path="a")) == ()
    assert given_up.apply(found("b")) == (), "the other one went again meanwhile"
    assert given_up.apply(found("a")) == ("p",)
    assert again.apply(found("b")) == ("p",), "what was saved goes on"


def test_one_of_which_everything_was_kept_does_not_come_back_by_itself() -> None:
    given_up = GivenUp("main")
    given_up.apply(PresetUninstalled(pool="main", preset_id="p", kept=("c",)))
    assert given_up.apply(found("c")) == ()
    assert given_up.ids == {"p"}


def found(path: str) -> ModelFileFound:
    return ModelFileFound(pool="main", path=path, size_bytes=1, modified_at=datetime(2026, 1, 1, tzinfo=UTC))
