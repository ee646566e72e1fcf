"""Bytes from a loopback origin to a verified file: the transfer engine beside curl and aria2c, paired in one run.

Settings: BENCH_ROUNDS (5), BENCH_LARGE_MIB (2048), BENCH_ROWS (large,tls,limit,latency,small). Every way starts as a
process of its own; wall and CPU are of that process and its children, memory is its peak. Files go to the working
volume and are removed after each run.
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
LARGE_MIB = int(os.environ.get("BENCH_LARGE_MIB", "2048"))
ROWS = os.environ.get("BENCH_ROWS", "large,tls,limit,latency,small").split(",")
SMALL_FILES, SMALL_BYTES, SMALL_AT_ONCE = 2000, 256 << 10, 8
LIMIT_BPS, LATENCY_S = 20_000_000, 0.03
ROOT = Path(__file__).parent.parent.parent
ENGINE = """
import asyncio, sys, ssl
from pathlib import Path
from downloader.sources import Sources
from downloader.transfer import FileRequest, Transfer

async def main(folder, url, at_once, connections, digest, ca, *paths):
    context = ssl.create_default_context(cafile=ca) if ca else None
    host = url.split("/")[2]
    gate = asyncio.Semaphore(int(at_once))
    async with Transfer(models_dir=Path(folder), sources=Sources(allowed_hosts=[host]), connections=int(connections),
                        disk_reserve_bytes=0, ssl_context=context) as transfer:
        async def one(path):
            async with gate:
                return await transfer.fetch(FileRequest(path, url + "/" + path, sha256=digest or None))
        await asyncio.gather(*map(one, paths))

paths = sys.argv[7:] or sys.stdin.read().split()
asyncio.run(main(*sys.argv[1:7], *paths))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one way cost."""

    wall_s: float
    cpu_s: float
    memory_mb: float


Way = Callable[[Path], tuple[list[str], str]]


def main() -> None:
    """Measure and print every wanted row."""
    for tool in ("curl", "aria2c"):
        print(_version(tool))
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".dev-bench-") as name:
        folder = Path(name)
        served = folder / "served"
        served.mkdir()
        for row in ROWS:
            {"large": _large, "tls": _tls, "limit": _limit, "latency": _latency, "small": _small}[row](folder, served)


def _version(tool: str) -> str:
    if shutil.which(tool) is None:
        return f"{tool}: not installed, left out"
    return subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


# Rows


def _large(folder: Path, served: Path) -> None:
    digest = _make(served / "large.bin", LARGE_MIB)
    with _origin(served) as url:
        _compare(f"{LARGE_MIB} MiB over HTTP", folder, _whole_file_ways(url, "large.bin", digest, ""))


def _tls(folder: Path, served: Path) -> None:
    digest = _make(served / "large.bin", LARGE_MIB)
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    certificate.cert_chain_pems[0].write_to_path(str(cert))
    certificate.private_key_pem.write_to_path(str(key))
    with _origin(served, "--tls", str(cert), str(key)) as url:
        _compare(f"{LARGE_MIB} MiB over TLS", folder, _whole_file_ways(url, "large.bin", digest, str(ca)))


def _whole_file_ways(url: str, name: str, digest: str, ca: str) -> dict[str, Way]:
    check = f"{digest}  {name}"
    curl = f"curl -sS {'--cacert ' + ca if ca else ''} -o {name} {url}/{name} && echo '{check}' | sha256sum -c --quiet"
    aria = _aria(url, name, digest, 16, f"--ca-certificate={ca}" if ca else "")
    return {
        "modeldeck, 8 connections": lambda out: (_engine(out, url, 8, digest, ca, name), ""),
        "modeldeck, 1 connection": lambda out: (_engine(out, url, 1, digest, ca, name), ""),
        "curl, then sha256sum": lambda _: (["sh", "-c", curl], ""),
        "aria2c -x16 with checksum": lambda _: (aria, ""),
    }


def _limit(folder: Path, served: Path) -> None:
    _per_connection(folder, served, "each connection limited to 20 MB/s", 0.0)


def _latency(folder: Path, served: Path) -> None:
    _per_connection(folder, served, "20 MB/s per connection, 30 ms before each answer", LATENCY_S)


def _per_connection(folder: Path, served: Path, title: str, latency_s: float) -> None:
    digest = _make(served / "limited.bin", 512)
    ways: dict[str, Way] = {}
    with _origin(served, "--rate", str(LIMIT_BPS), "--latency", str(latency_s)) as url:
        for count in (16, 8):
            engine = lambda out, n=count: (_engine(out, url, n, digest, "", "limited.bin"), "")  # noqa: E731
            aria = lambda _, n=count: (_aria(url, "limited.bin", digest, n, ""), "")  # noqa: E731
            ways[f"modeldeck, {count} connections"] = engine
            ways[f"aria2c -x{count} with checksum"] = aria
        _compare(f"512 MiB, {title}", folder, ways)


def _small(folder: Path, served: Path) -> None:
    names = [f"small-{number}.bin" for number in range(SMALL_FILES)]
    noise = random.Random(7)
    for name in names:
        (served / name).write_bytes(noise.randbytes(SMALL_BYTES))
    with _origin(served) as url:
        listed = "".join(f"{url}/{name}\n" for name in names)
        ways: dict[str, Way] = {
            f"modeldeck, {SMALL_AT_ONCE} at once": lambda out: (_engine(out, url, 8, "", ""), " ".join(names)),
            "aria2c -j16, not verified": lambda out: (["aria2c", "-q", "-j16", "-d", str(out), "-i", "-"], listed),
        }
        _compare(f"{SMALL_FILES} files of {SMALL_BYTES >> 10} KiB, synced each", folder, ways)


# Ways


def _engine(out: Path, url: str, connections: int, digest: str, ca: str, *paths: str) -> list[str]:
    return [sys.executable, "-c", ENGINE, str(out), url, str(SMALL_AT_ONCE), str(connections), digest, ca, *paths]


def _aria(url: str, name: str, digest: str, connections: int, option: str) -> list[str]:
    flags = [f"-x{connections}", f"-s{connections}", "-k1M", "-q", "--allow-overwrite=true", "--file-allocation=none"]
    options = [option] if option else []
    return ["aria2c", *flags, f"--checksum=sha-256={digest}", *options, "-o", name, f"{url}/{name}"]


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
    print(f"{'':32}{'wall s':>8}{'CPU s':>8}{'MB':>7}{'wall ratio':>12}")
    first = statistics.median(run.wall_s for run in next(iter(runs.values())))
    for name, measured in runs.items():
        wall = statistics.median(run.wall_s for run in measured)
        cpu = statistics.median(run.cpu_s for run in measured)
        memory = statistics.median(run.memory_mb for run in measured)
        print(f"{name:32}{wall:8.2f}{cpu:8.2f}{memory:7.0f}{first / wall:11.2f}x")


def _measure(out: Path, way: Way) -> Run:
    out.mkdir()
    command, stdin = way(out)
    os.sync()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=out, stdin=subprocess.PIPE, text=True)
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
