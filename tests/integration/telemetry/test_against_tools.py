"""Samples agree with what the system's own tools say: free, df, /proc/stat, /proc/net/dev, /proc/diskstats."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from telemetry import probes, throughput
from telemetry.cgroups import Cgroups
from telemetry.throughput import Throughput

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux's tools")
MIB = 2**20
TICKS = os.sysconf("SC_CLK_TCK")


def tool(*command: str) -> list[list[str]]:
    """The words of a tool's output, by line."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C"})
    return [line.split() for line in done.stdout.splitlines()]


@pytest.fixture
def no_limits(tmp_path: Path) -> Cgroups:
    """The tools know of no cgroup: what they say is the machine's."""
    return Cgroups(tmp_path / "none", tmp_path)


def test_memory_agrees_with_free(no_limits: Cgroups) -> None:
    head, memory, *_ = tool("free", "-b")
    said = dict(zip(head, map(int, memory[1:]), strict=True))
    sample = probes.memory(no_limits)
    assert sample is not None
    assert sample.total_bytes == said["total"]
    assert sample.available_bytes == pytest.approx(said["available"], abs=0.03 * said["total"])
    assert sample.used_bytes == pytest.approx(said["total"] - said["available"], abs=0.03 * said["total"])


def test_a_disk_agrees_with_df(tmp_path: Path) -> None:
    _, (total, used, free, percent) = tool("df", "-B1", "--output=size,used,avail,pcent", str(tmp_path))
    sample = probes.volume(tmp_path).sample
    assert sample.total_bytes == int(total)
    assert sample.used_bytes == pytest.approx(int(used), abs=64 * MIB)
    assert sample.free_bytes == pytest.approx(int(free), abs=64 * MIB)
    assert sample.percent == pytest.approx(float(percent.rstrip("%")), abs=1.1), "df rounds up"


def cpu_times() -> tuple[float, float]:
    """Seconds worked and seconds in all, of all processors, by the first line of /proc/stat (man 5 proc)."""
    user, nice, system, idle, iowait, irq, softirq, steal, *_ = (
        int(word) / TICKS for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    worked = user + nice + system + irq + softirq + steal
    return worked, worked + idle + iowait


@pytest.mark.parametrize("busy", [False, True])
def test_cpu_agrees_with_proc_stat(no_limits: Cgroups, busy: bool) -> None:
    cpu = probes.Cpu(no_limits)
    before = cpu_times()
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        if not busy:
            time.sleep(0.1)
    sample, after = cpu.sample(), cpu_times()
    said = 100 * (after[0] - before[0]) / (after[1] - before[1])
    assert sample.percent == pytest.approx(said, abs=3.0)
    if busy:
        assert sample.percent is not None
        assert sample.percent > 60 / (os.cpu_count() or 1), "one processor was kept busy"


def network_bytes() -> tuple[int, int]:
    """Received and sent by the physical interfaces, by /proc/net/dev (all but the loopback where none is physical)."""
    lines = [line.replace(":", " ").split() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    counted = {name: (int(words[0]), int(words[8])) for name, *words in lines if not name.startswith("lo")}
    physical = {name for name in counted if Path(f"/sys/class/net/{name}/device").exists()} or counted.keys()
    return sum(counted[name][0] for name in physical), sum(counted[name][1] for name in physical)


def test_the_network_agrees_with_proc_net_dev() -> None:
    if not throughput.network_counters():
        pytest.skip("no network interface here")
    meter = Throughput()
    outer = time.monotonic(), network_bytes()
    time.sleep(0.5)
    inner = time.monotonic(), network_bytes()
    sample = meter.network()
    assert sample is not None
    seconds = inner[0] - outer[0]
    for said, before, after in zip((sample.received_bps, sample.sent_bps), outer[1], inner[1], strict=True):
        assert said == pytest.approx((after - before) / seconds, abs=max(20_000.0, 0.2 * (after - before) / seconds))


def test_what_is_written_to_a_disk_is_seen(tmp_path: Path) -> None:
    """Against /proc/diskstats, by bytes that are surely written: more may be, by others."""
    if not throughput.disk_counters():
        pytest.skip("no physical disk to be seen here")
    meter = Throughput()
    began = time.monotonic()
    before = written_bytes()
    with (tmp_path / "file").open("wb") as file:
        file.write(os.urandom(32 * MIB))
        file.flush()
        os.fsync(file.fileno())
    sample, seconds = meter.disks(), time.monotonic() - began
    said = written_bytes() - before
    assert sample is not None
    assert sample.written_bps is not None
    assert sample.written_bps * seconds == pytest.approx(said, rel=0.2, abs=4 * MIB)
    if tmp_path.stat().st_dev in physical_devices():
        assert sample.written_bps * seconds > 30 * MIB


def written_bytes() -> int:
    """Written to whole physical disks, by /proc/diskstats (kernel: admin-guide/iostats.rst): sectors of 512 bytes."""
    lines = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
    return sum(512 * int(words[9]) for words in lines if Path(f"/sys/block/{words[2]}/device").exists())


def physical_devices() -> set[int]:
    """The numbers of the physical disks and of their partitions."""
    disks = (folder for folder in Path("/sys/block").iterdir() if (folder / "device").exists())
    numbers = (file.read_text().strip() for disk in disks for file in (disk / "dev", *disk.glob("*/dev")))
    return {os.makedev(*map(int, number.split(":"))) for number in numbers}
