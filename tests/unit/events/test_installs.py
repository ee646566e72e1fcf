from __future__ import annotations

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events.installs import Installs, InstallsState
from modeldeck_events.needs import has_all, preset_paths
from modeldeck_events.presets import PresetDefinition, PresetPublished, PresetUninstalled, PresetWithdrawn

A, B = (d.FileSpec(path=f"vae/{name}.bin", url=f"https://h.example/{name}") for name in "ab")


def published(version: str | None, *files: d.FileSpec) -> PresetPublished:
    return PresetPublished(
        preset=PresetDefinition(id="p", name="P", category="c", type="t", files=files or (A, B), version=version)
    )


def queued(download_id: str, *files: d.FileSpec, pool: str = "main", preset_id: str | None = "p") -> d.DownloadQueued:
    target = d.Target(id="preset:p", kind="preset", name="P", preset_id=preset_id)
    return d.DownloadQueued(download_id=download_id, pool=pool, target=target, files=files)


def done(download_id: str, spec: d.FileSpec) -> d.DownloadFileCompleted:
    return d.DownloadFileCompleted(
        download_id=download_id, attempt=1, path=spec.path, url=spec.url, size_bytes=1, verified="size"
    )


def completed(download_id: str) -> d.DownloadCompleted:
    return d.DownloadCompleted(download_id=download_id, attempt=1, total_bytes=1)


def test_the_last_complete_install_counts_with_its_version_of_then() -> None:
    installs = Installs("main")
    assert [installs.apply(event) for event in (published("1"), queued("d1", A, B), done("d1", A))] == [None, None, "p"]
    assert installs.files("p") == ()
    assert installs.url_at("p", A.path) == A.url
    assert [installs.apply(event) for event in (published("2"), done("d1", B), completed("d1"))] == [None, "p", "p"]
    assert (installs.files("p"), installs.version("p")) == ((A, B), "1")
    newer = d.FileSpec(path=A.path, url="https://h.example/newer")
    for event in (queued("d2", newer), done("d2", newer)):
        installs.apply(event)
    assert (installs.files("p"), installs.version("p")) == ((A, B), "1"), "not complete yet"
    assert installs.url_at("p", A.path) == newer.url
    installs.apply(completed("d1"))
    assert installs.files("p") == (A, B), "an older download is over"
    again = Installs("main")
    again.load(msgspec.json.decode(msgspec.json.encode(installs.saved), type=InstallsState))
    for each in (installs, again):
        each.apply(completed("d2"))
        assert (each.files("p"), each.version("p")) == ((newer,), "2")
        assert each.url_at("p", B.path) is None


def test_what_is_not_this_pools_or_no_preset_is_passed_over() -> None:
    installs = Installs("main")
    for event in (queued("d1", A, pool="other"), queued("d2", A, preset_id=None), done("d1", A), completed("d2")):
        assert installs.apply(event) is None
    assert installs.saved == InstallsState()


def test_uninstalling_forgets_withdrawing_does_not() -> None:
    installs = Installs("main")
    for event in (published(None), queued("d1", A), done("d1", A), completed("d1"), PresetWithdrawn(preset_id="p")):
        installs.apply(event)
    assert (installs.files("p"), installs.version("p")) == ((A,), None)
    assert installs.apply(PresetUninstalled(pool="other", preset_id="p")) is None
    assert installs.apply(PresetUninstalled(pool="main", preset_id="p")) == "p"
    assert installs.apply(PresetUninstalled(pool="main", preset_id="p")) is None
    assert installs.files("p") == ()
    assert installs.apply(completed("d1")) is None


def test_a_changed_preset_is_installed_while_its_older_files_are_there() -> None:
    preset = published(None, A, B).preset
    assert preset_paths(preset, lambda spec: spec == A) == frozenset()
    assert preset_paths(preset, lambda spec: spec == A, before=(A,)) == {A.path, B.path}
    assert preset_paths(preset, lambda spec: spec == B, before=(A,)) == frozenset()
    assert preset_paths(preset, lambda _: True) == {A.path, B.path}
    assert not has_all((), lambda _: True)
