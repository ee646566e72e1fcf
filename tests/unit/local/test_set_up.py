"""Set-up's own logic; what it fetches from the network is tried by every clean clone."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "deploy" / "local" / "setup"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("set_up")


@pytest.fixture
def step(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, list[str], Path, Path]:
    source, output, runs = tmp_path / "source", tmp_path / "output", list[str]()
    source.write_text("1")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "TOOLS", tmp_path / ".tools")

    def run() -> None:
        runs.append(source.read_text())
        if source.read_text() == "broken":
            raise script.SetupError("no")
        output.write_text("made")

    return script.Step("a step", lambda: [source], [output], run), runs, source, output


def test_a_step_runs_again_only_when_an_input_or_output_changed(step: tuple[object, list[str], Path, Path]) -> None:
    it, runs, source, output = step
    it.ensure()  # type: ignore[attr-defined]
    it.ensure()  # type: ignore[attr-defined]
    assert runs == ["1"]
    source.write_text("2")
    it.ensure()  # type: ignore[attr-defined]
    assert runs == ["1", "2"]
    output.unlink()
    it.ensure()  # type: ignore[attr-defined]
    assert runs == ["1", "2", "2"]


def test_a_step_that_failed_or_was_killed_runs_again(step: tuple[object, list[str], Path, Path]) -> None:
    it, runs, source, _ = step
    it.ensure()  # type: ignore[attr-defined]
    source.write_text("broken")
    with pytest.raises(Exception, match="no"):
        it.ensure()  # type: ignore[attr-defined]
    source.write_text("1")  # the key of the good run again, but the output may be half of the broken one
    it.ensure()  # type: ignore[attr-defined]
    assert runs == ["1", "broken", "1"]


def fake_program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("says", "version", "good"),
    [("nats-server: v2.15.1", (2, 15, 1), True), ("nats-server: v2.9.10", (2, 9, 10), False), ("oh", None, False)],
)
def test_a_server_counts_by_its_version(
    script: ModuleType, tmp_path: Path, says: str, version: tuple[int, ...] | None, good: bool
) -> None:
    fake_program(tmp_path, "nats-server", f"echo '{says}'")
    assert script.nats_server.version_of(tmp_path / "nats-server") == version
    assert script.nats_server.new_enough(tmp_path / "nats-server") is good


def test_a_new_enough_server_on_path_is_used(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_program(tmp_path / "bin", "nats-server", "echo 'nats-server: v2.12.0'")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setattr(script.nats_server, "TARGET", tmp_path / ".tools" / "nats-server")
    assert script.nats_server.ensure().resolve() == tmp_path / "bin" / "nats-server"


def test_without_any_server_it_says_what_to_do(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt-get either
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(script.nats_server, "TARGET", tmp_path / ".tools" / "nats-server")
    with pytest.raises(script.SetupError, match=r"(?s)no apt-get and no dpkg-deb.*on PATH.*MODELDECK_NATS_URL"):
        script.nats_server.ensure()


def test_the_archive_is_the_one_this_machine_is_configured_for(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = (
        "http://mirror.example/debian/|bookworm|main|Debian|Packages",
        "http://mirror.example/debian/|bookworm-updates|main|Debian|Packages",
        "http://mirror.example/debian-security/|bookworm-security|main|Debian|Packages",
        "http://vendor.example/tools/|stable|main|Vendor|Packages",
    )
    fake_program(tmp_path, "apt-get", "\n".join(f"echo '{target}'" for target in targets))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    apt_copy = importlib.import_module("apt_copy")
    monkeypatch.setattr(apt_copy, "_os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "bookworm"})
    stanza = "URIs: http://mirror.example/debian/\nSigned-By: /keys/mirror.gpg"
    monkeypatch.setattr(apt_copy, "_source_stanzas", lambda: [stanza.replace("/debian/", "/debian")])
    assert [tuple(archive) for archive in apt_copy.find_archives()] == [
        ("http://mirror.example/debian/", "debian", "bookworm", "/keys/mirror.gpg")
    ]


def test_an_old_python_is_told_so(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(script.SetupError, match=r"is Python 3\.9; Modeldeck needs 3\.11"):
        script._check_python()


def test_make_help_lists_every_target() -> None:
    root = SCRIPTS.parents[2]
    shown = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True).stdout
    wanted = [
        "up",
        "demo",
        "test",
        "setup",
        "check",
        "fix",
        "unit",
        "integration",
        "e2e",
        "faults",
        "bench",
        "api",
        "help",
    ]
    assert {line.split()[1] for line in shown.splitlines()} >= set(wanted)
