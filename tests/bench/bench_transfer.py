"""Bytes from a loopback origin to a verified file: the transfer engine beside curl, aria2c, the hub's own client and a
small C program, paired in one run.

Settings: BENCH_ROUNDS (5), BENCH_LARGE_MIB (2048), BENCH_ROWS (large,tls,limit,latency,small). Every way starts as a
process of its own; wall and CPU are of that process and its children, memory is its peak; the ratios are the first
way's to each. Files go to the working volume and are removed after each run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.bench import downloaders
from tests.bench.downloaders import ROOT, Wanted, Way

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
LARGE_MIB = int(os.environ.get("BENCH_LARGE_MIB", "2048"))
ROWS = os.environ.get("BENCH_ROWS", "large,tls,limit,latency,small").split(",")
SMALL_FILES, SMALL_BYTES = 2000, 256 << 10
LIMIT_BPS, LATENCY_S = 20_000_000, 0.03


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one way cost."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def main() -> None:
    """Measure and print every wanted row."""
    for tool in ("curl", "aria2c"):
        print(downloaders.version(tool))
    print(f"huggingface_hub: {'there' if downloaders.has_hub() else 'not installed, left out'}")
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".dev-bench-") as name:
        folder = Path(name)
        served = folder / "served"
        served.mkdir()
        for row in ROWS:
            {"large": _large, "tls": _tls, "limit": _limit, "latency": _latency, "small": _small}[row](folder, served)


# Rows


def _large(folder: Path, served: Path) -> None:
    digest = _make(served / "large.bin", LARGE_MIB)
    with _origin(served) as url:
        _compare(f"{LARGE_MIB} MiB over HTTP", folder, _whole_file_ways(folder, url, digest, ""))


def _tls(folder: Path, served: Path) -> None:
    digest = _make(served / "large.bin", LARGE_MIB)
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    certificate.cert_chain_pems[0].write_to_path(str(cert))
    certificate.private_key_pem.write_to_path(str(key))
    with _origin(served, "--tls", str(cert), str(key)) as url:
        _compare(f"{LARGE_MIB} MiB over TLS", folder, _whole_file_ways(folder, url, digest, str(ca)))


def _whole_file_ways(folder: Path, url: str, digest: str, ca: str) -> dict[str, Way]:
    large = Wanted(url, {"large.bin": digest}, ca)
    ways = {
        "modeldeck, 8 connections": downloaders.engine(large, connections=8),
        "modeldeck, 1 connection": downloaders.engine(large, connections=1),
        "curl, then sha256sum": downloaders.curl(large),
        "aria2c -x16 with checksum": downloaders.aria(large, connections=16),
    }
    try:
        ways["C limit"] = downloaders.c_limit(large, folder)
    except FileNotFoundError as error:
        print(f"C limit: left out ({error})")
    return ways


def _limit(folder: Path, served: Path) -> None:
    _per_connection(folder, served, "each connection limited to 20 MB/s", 0.0)


def _latency(folder: Path, served: Path) -> None:
    _per_connection(folder, served, "20 MB/s per connection, 30 ms before each answer", LATENCY_S)


def _per_connection(folder: Path, served: Path, title: str, latency_s: float) -> None:
    digest = _make(served / "limited.bin", 512)
    ways: dict[str, Way] = {}
    with _origin(served, "--rate", str(LIMIT_BPS), "--latency", str(latency_s)) as url:
        limited = Wanted(url, {"limited.bin": digest})
        for count in (16, 8):
            ways[f"modeldeck, {count} connections"] = downloaders.engine(limited, connections=count)
            ways[f"aria2c -x{count} with checksum"] = downloaders.aria(limited, connections=count)
        _compare(f"512 MiB, {title}", folder, ways)
    least = ", ".join(f"{count} connections {(512 << 20) / LIMIT_BPS / count:.2f} s" for count in (16, 8))
    print(f"what the limit alone takes: {least}")


def _small(folder: Path, served: Path) -> None:
    noise, digests = random.Random(7), {}
    small = served / "small"
    small.mkdir()
    for number in range(SMALL_FILES):
        content = noise.randbytes(SMALL_BYTES)
        (small / f"small-{number}.bin").write_bytes(content)
        digests[f"small-{number}.bin"] = hashlib.sha256(content).hexdigest()
    with _origin(small) as url:
        files = Wanted(url, digests)
        ways = {"modeldeck, 8 files at once": downloaders.engine(files, connections=8)}
        if downloaders.has_hub():
            ways["huggingface_hub, then sha256sum"] = downloaders.hub(files)
        ways["aria2c -j16, not verified"] = downloaders.aria_list(files)
        _compare(f"{SMALL_FILES} files of {SMALL_BYTES >> 10} KiB", folder, ways)


# Measuring


def _compare(title: str, folder: Path, ways: dict[str, Way]) -> None:
    """Run all ways in turns, so that a noisy minute hits each of them; print medians."""
    runs: dict[str, list[Run]] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            if name.startswith("aria2c") and shutil.which("aria2c") is None:
                continue
            runs.setdefault(name, []).append(_measure(folder / "out", way))
    print(f"\n{title}, medians of {ROUNDS} paired runs")
    print(f"{'':32}{'wall s':>8}{'CPU s':>8}{'MB':>7}{'wall ratio':>12}{'CPU ratio':>11}")
    ours = next(iter(runs.values()))
    first, first_cpu = statistics.median(run.wall_s for run in ours), statistics.median(run.cpu_s for run in ours)
    for name, measured in runs.items():
        wall = statistics.median(run.wall_s for run in measured)
        cpu = statistics.median(run.cpu_s for run in measured)
        memory = statistics.median(run.memory_mb for run in measured)
        print(f"{name:32}{wall:8.2f}{cpu:8.2f}{memory:7.0f}{first / wall:11.2f}x{first_cpu / cpu:10.2f}x")


def _measure(out: Path, way: Way) -> Run:
    out.mkdir()
    command, stdin, environment = way(out)
    os.sync()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=out, stdin=subprocess.PIPE, text=True, env={**os.environ, **environment})
    if process.stdin is not None:
        process.stdin.write(stdin)
        process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(out)
    if process.returncode:
        raise SystemExit(f"{command[:3]} failed with {process.returncode}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall_s, cpu_s, usage.ru_maxrss / 1024)


@contextlib.contextmanager
def _origin(served: Path, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.support.file_origin", str(served), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise SystemExit("the origin did not start")
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def _make(path: Path, size_mib: int) -> str:
    """Write a file of noise, unless it is there; return its SHA-256."""
    digest, noise = hashlib.sha256(), random.Random(size_mib).randbytes(1 << 20)
    writing = not path.exists()
    with path.open("wb" if writing else "rb") as file:
        for number in range(size_mib):
            piece = number.to_bytes(8, "big") + noise[8:]
            digest.update(piece)
            if writing:
                file.write(piece)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
