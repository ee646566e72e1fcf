from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from telemetry import probes

GIB = 2**30


def cgroup(root: Path, path: str, **files: str) -> Path:
    folder = root / path.strip("/")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"memory.{name}").write_text(text)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "self-cgroup"
    file.write_text("1:cpu:/old\n0::/kubepods/pod/app\n")
    return file


def test_without_a_limit_memory_is_the_machines(own: Path, tmp_path: Path) -> None:
    cgroup(tmp_path / "cg", "kubepods/pod/app", max="max\n", current="5\n")
    for groups, proc in ((tmp_path / "cg", own), (tmp_path / "none", own), (tmp_path / "cg", tmp_path / "missing")):
        sample = probes.memory(proc, groups)
        assert sample is not None
        assert sample.total_bytes == psutil.virtual_memory().total
        assert sample.used_bytes + sample.available_bytes == sample.total_bytes
        assert sample.percent == pytest.approx(100 * sample.used_bytes / sample.total_bytes, abs=0.06)


def test_the_tightest_limit_above_counts_and_page_cache_does_not(own: Path, tmp_path: Path) -> None:
    root = tmp_path / "cg"
    stat = f"anon {100 << 20}\nfile 1\ninactive_file {200 << 20}\nactive_file {90 << 20}\nslab_reclaimable {10 << 20}\n"
    cgroup(root, "kubepods", max=str(GIB), current=str(900 << 20), stat="")
    cgroup(root, "kubepods/pod", max=str(GIB // 2), current=str(400 << 20), stat=stat)
    cgroup(root, "kubepods/pod/app", max="max", current=str(400 << 20), stat=stat)
    sample = probes.memory(own, root)
    assert sample is not None
    assert (sample.total_bytes, sample.used_bytes) == (GIB // 2, 100 << 20)
    assert sample.percent == 19.5


def test_a_limit_that_is_larger_than_the_machine_is_none(own: Path, tmp_path: Path) -> None:
    cgroup(tmp_path / "cg", "kubepods/pod/app", max=str(2**62), current="1")
    sample = probes.memory(own, tmp_path / "cg")
    assert sample is not None
    assert sample.total_bytes == psutil.virtual_memory().total


@pytest.mark.parametrize("text", ["", "lots", "-1", "0"])
def test_a_limit_that_cannot_be_read_is_none(own: Path, tmp_path: Path, text: str) -> None:
    cgroup(tmp_path / "cg", "kubepods/pod/app", max=text, current=text)
    sample = probes.memory(own, tmp_path / "cg")
    assert sample is not None
    assert sample.total_bytes == psutil.virtual_memory().total


def test_a_machine_that_does_not_tell_is_no_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("no /proc")

    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    assert probes.memory() is None
    cpu = probes.Cpu()

    def refuse_percent(interval: float | None) -> float:
        raise OSError("no /proc")

    monkeypatch.setattr(psutil, "cpu_percent", refuse_percent)
    assert cpu.percent() is None


def test_cpu_is_a_share_of_all_processors() -> None:
    cpu = probes.Cpu()
    assert cpu.count >= 1
    assert sum(number * number for number in range(200_000)) > 0
    percent = cpu.percent()
    assert percent is not None
    assert 0 <= percent <= 100


def test_a_volume_agrees_with_the_system(tmp_path: Path) -> None:
    volume = probes.volume(tmp_path)
    system = os.statvfs(tmp_path)
    assert volume.device == tmp_path.stat().st_dev
    assert volume.sample.path == str(tmp_path)
    assert volume.sample.total_bytes == system.f_blocks * system.f_frsize
    assert volume.sample.free_bytes == pytest.approx(system.f_bavail * system.f_frsize, rel=0.05)
    assert volume.sample.error is None


def test_a_folder_that_is_not_there_yet_stands_for_its_volume(tmp_path: Path) -> None:
    volume = probes.volume(tmp_path / "not/yet")
    assert volume.sample.path == str(tmp_path / "not/yet")
    assert volume.sample.total_bytes == probes.volume(tmp_path).sample.total_bytes


def test_a_disk_that_fails_is_an_error_and_never_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(psutil, "disk_usage", fail)
    sample = probes.volume(tmp_path).sample
    assert sample.error == "Input/output error"
    assert (sample.total_bytes, sample.used_bytes, sample.free_bytes, sample.percent) == (None, None, None, None)
