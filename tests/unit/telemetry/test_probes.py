from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from telemetry import probes
from telemetry.cgroups import Cgroups, count_of

GIB = 2**30


def limits_in(root: Path, path: str, **files: str) -> None:
    """Write the kernel's files of one group: `memory_max` is memory.max."""
    folder = root / path.strip("/")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        kind, _, rest = name.partition("_")
        (folder / f"{kind}.{rest.replace('_', '.')}").write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cg"


@pytest.fixture
def own(tmp_path: Path, root: Path) -> Callable[[], Cgroups]:
    file = tmp_path / "self-cgroup"
    file.write_text("1:cpu:/old\n0::/kubepods/pod/app\n")
    return lambda: Cgroups(file, root)


def test_without_a_limit_memory_is_the_machines(own: Callable[[], Cgroups], root: Path, tmp_path: Path) -> None:
    limits_in(root, "kubepods/pod/app", memory_max="max\n", memory_current="5\n")
    for cgroups in (own(), Cgroups(tmp_path / "self-cgroup", tmp_path / "none"), Cgroups(tmp_path / "missing", root)):
        sample = probes.memory(cgroups)
        assert sample is not None
        assert sample.total_bytes == psutil.virtual_memory().total
        assert sample.used_bytes + sample.available_bytes == sample.total_bytes
        assert sample.percent == pytest.approx(100 * sample.used_bytes / sample.total_bytes, abs=0.06)


def test_the_tightest_limit_above_counts_and_page_cache_does_not(own: Callable[[], Cgroups], root: Path) -> None:
    stat = f"anon {100 << 20}\nfile 1\ninactive_file {200 << 20}\nactive_file {90 << 20}\nslab_reclaimable {10 << 20}\n"
    limits_in(root, "kubepods", memory_max=str(GIB), memory_current=str(900 << 20), memory_stat="")
    limits_in(root, "kubepods/pod", memory_max=str(GIB // 2), memory_current=str(400 << 20), memory_stat=stat)
    limits_in(root, "kubepods/pod/app", memory_max="max", memory_current=str(400 << 20), memory_stat=stat)
    sample = probes.memory(own())
    assert sample is not None
    assert (sample.total_bytes, sample.used_bytes) == (GIB // 2, 100 << 20)
    assert sample.percent == 19.5


def test_a_limit_that_is_larger_than_the_machine_is_none(own: Callable[[], Cgroups], root: Path) -> None:
    limits_in(root, "kubepods/pod/app", memory_max=str(2**62), memory_current="1")
    sample = probes.memory(own())
    assert sample is not None
    assert sample.total_bytes == psutil.virtual_memory().total


@pytest.mark.parametrize("text", ["", "lots", "-1", "0"])
def test_a_limit_that_cannot_be_read_is_none(own: Callable[[], Cgroups], root: Path, text: str) -> None:
    limits_in(root, "kubepods/pod/app", memory_max=text, memory_current=text, cpu_max=f"{text} {text}")
    sample = probes.memory(own())
    assert sample is not None
    assert sample.total_bytes == psutil.virtual_memory().total
    assert own().cpu(below=8) is None


def test_groups_outside_of_what_can_be_seen_are_passed_over(tmp_path: Path, root: Path) -> None:
    file = tmp_path / "self-cgroup"
    file.write_text("0::/../other/app\n")
    limits_in(tmp_path, "other/app", cpu_max="1000 100000", memory_max="1000", memory_current="1")
    limits_in(root, "", cpu_max="50000 100000")
    limit = Cgroups(file, root).cpu(below=8)
    assert limit is not None
    assert limit.cpus == 0.5, "the limit of the root that is seen, as in a container"


@pytest.mark.parametrize(("text", "count"), [("0", 1), ("0-3,8", 5), ("", 0), ("a-b", 0), ("1-", 0), ("3-1", 0)])
def test_a_list_of_processors(text: str, count: int) -> None:
    assert count_of(text) == count


def test_a_machine_that_does_not_tell_is_no_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("no /proc")

    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    none = Cgroups(tmp_path / "missing", tmp_path)
    assert probes.memory(none) is None
    cpu = probes.Cpu(none)

    def refuse_percent(interval: float | None) -> float:
        raise OSError("no /proc")

    monkeypatch.setattr(psutil, "cpu_percent", refuse_percent)
    assert cpu.sample().percent is None


def test_without_a_limit_cpu_is_a_share_of_the_machine(tmp_path: Path) -> None:
    cpu = probes.Cpu(Cgroups(tmp_path / "missing", tmp_path))
    assert sum(number * number for number in range(200_000)) > 0
    percent, processors, limit = cpu.sample()
    assert percent is not None
    assert 0 <= percent <= 100
    assert 1 <= processors <= (os.cpu_count() or 1)
    assert limit is None


@pytest.mark.parametrize(
    ("files", "limit", "processors"),
    [
        ({"cpu_max": "150000 100000"}, 1.5, 2),
        ({"cpu_max": "20000 100000"}, 0.2, 1),
        ({"cpu_max": "max 100000", "cpuset_cpus_effective": "0-1,6"}, 3.0, 3),
        ({"cpu_max": "200000 100000", "cpuset_cpus_effective": "3"}, 1.0, 1),
        ({"cpu_max": "50000 100000", "cpuset_cpus_effective": "0-3"}, 0.5, 1),
    ],
)
def test_the_tightest_cpu_limit_counts(
    own: Callable[[], Cgroups], root: Path, files: dict[str, str], limit: float, processors: int
) -> None:
    limits_in(root, "", cpuset_cpus_effective="0-7")
    limits_in(root, "kubepods/pod", cpu_max="600000 100000")
    limits_in(root, "kubepods/pod/app", **files)
    found = own().cpu(below=8)
    assert found is not None
    assert (found.cpus, found.processors) == (limit, processors)
    assert found.folder == root / "kubepods/pod/app"


def test_a_set_of_processors_is_told_of_the_topmost_group_that_has_it(own: Callable[[], Cgroups], root: Path) -> None:
    limits_in(root, "", cpuset_cpus_effective="0-7")
    limits_in(root, "kubepods/pod", cpuset_cpus_effective="2-3")
    limits_in(root, "kubepods/pod/app", cpuset_cpus_effective="2-3")
    found = own().cpu(below=8)
    assert found == (2.0, 2, root / "kubepods/pod")
    assert own().cpu(below=2) is None, "all processors of the machine are no limit"


def test_in_a_container_the_share_is_the_containers(own: Callable[[], Cgroups], root: Path) -> None:
    clock = iter([0.0, 2.0, 4.0, 6.0, 8.0, 10.0])
    limits_in(root, "kubepods/pod/app", cpu_max="50000 100000", cpu_stat="usage_usec 7000000\nuser_usec 1\n")
    cpu = probes.Cpu(own(), now_s=lambda: next(clock))
    shares = []
    for used in ("7500000", "8600000", "100", "300100"):  # one CPU second is to be had per sample; then it began anew
        limits_in(root, "kubepods/pod/app", cpu_stat=f"usage_usec {used}\n")
        shares.append(cpu.sample().percent)
    assert shares == [50.0, 100.0, None, 30.0]
    (root / "kubepods/pod/app/cpu.stat").unlink()
    assert cpu.sample() == (None, 1, 0.5)


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
