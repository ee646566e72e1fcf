"""What sampling a host costs: CPU of the real telemetry process, idle, and the bytes that its samples take on the bus.

BENCH_SECONDS=60 BENCH_INTERVAL_S=2 python -m tests.bench telemetry

The GPUs are simulated (the C library of the tests): their answers cost nothing, so what is measured is our own part.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
import structlog
from modeldeck_events import bus, topology
from modeldeck_events.readings import HISTORY_STEP_S, HostSample, host_subject

from tests.support.nats import LocalServer

SECONDS = float(os.environ.get("BENCH_SECONDS", "60"))
INTERVAL_S = float(os.environ.get("BENCH_INTERVAL_S", "2"))
WARM_UP_S = 6.0
GOAL = 1.0
STUB = Path(__file__).parent.parent / "unit" / "telemetry" / "nvml_stub.c"
GPU = (
    "gpu {n} name 0 Simulated 4090\ngpu {n} uuid 0 GPU-5d3ac2f2-9fd0-4ab1-8c1a-0f4e6d5b7a9{n}\ngpu {n} memory 0 20480\n"
)
GPU += "gpu {n} util 0 97\ngpu {n} temperature 0 71\ngpu {n} power 0 412345\n"
GPU += "gpu {n} compute 0 {pid} 20000\ngpu {n} graphics 0 {pid} 20000\ngpu {n} compute 0 4194000 300\n"


class Measured(NamedTuple):
    """One run: share of one core in percent, resident memory, the size of a sample and of one on the bus, in bytes."""

    cpu_percent: float
    resident_mib: float
    sample_bytes: int
    stored_bytes: float


async def measure(server: LocalServer, folder: Path, gpus: int) -> Measured:
    """Run the telemetry for SECONDS; `gpus` of them simulated, none: a machine without a driver."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELDECK_")}
    environment |= {
        "MODELDECK_NATS_URL": server.url,
        "MODELDECK_DATA_DIR": str(folder / f"data-{gpus}"),
        "MODELDECK_SAMPLE_INTERVAL_S": f"{INTERVAL_S:g}",
    }
    if gpus:
        script = folder / "script"
        script.write_text(f"init 0\ncount 0 {gpus}\n" + "".join(GPU.format(n=n, pid=os.getpid()) for n in range(gpus)))
        environment |= {"LD_LIBRARY_PATH": str(folder), "NVML_SCRIPT": str(script)}
    connected = await bus.connect(server.url, "bench")
    await topology.ensure(connected.js)
    await connected.js.purge_stream(topology.READINGS)
    command = [sys.executable, "-m", "telemetry"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:  # noqa: ASYNC220 - once
        try:
            newest = await _first(connected)
            await asyncio.sleep(WARM_UP_S)
            watched = psutil.Process(process.pid)
            began, before = time.monotonic(), watched.cpu_times()
            await asyncio.sleep(SECONDS)
            seconds, after = time.monotonic() - began, watched.cpu_times()
            resident_mib = watched.memory_info().rss / 2**20
            stream = (await connected.js.stream_info(topology.READINGS)).state
            newest = await _first(connected)
        finally:
            process.kill()
            await connected.close()
    if len(newest.gpus) != gpus:
        raise RuntimeError(f"{len(newest.gpus)} GPUs were sampled instead of {gpus}: {newest.gpu_status}")
    cpu_s = after.user + after.system - before.user - before.system
    return Measured(
        100 * cpu_s / seconds,
        resident_mib,
        len(msgspec.json.encode(newest)),
        stream.bytes / max(1, stream.messages),
    )


async def _first(connected: bus.Bus) -> HostSample:
    async with asyncio.timeout(30):
        async for reading in connected.follow_readings([host_subject(socket.gethostname())]):
            if isinstance(reading, HostSample) and reading.cpu_percent is not None:
                return reading
    raise RuntimeError("the readings ended")


async def run(folder: Path) -> None:
    """Measure one way after the other and print the table."""
    server = LocalServer(folder / "nats")
    server.folder.mkdir()
    await server.start()
    per_hour = 3600 / HISTORY_STEP_S
    capacity = next(config.max_bytes or 0 for config in topology.streams() if config.name == topology.READINGS)
    sys.stdout.write(
        f"{SECONDS:g} s each, a sample every {INTERVAL_S:g} s, everything else idle\n\n"
        "| host | CPU, % of one core | resident, MiB | sample, bytes | on the bus, bytes | an hour, KiB | hosts in "
        "READINGS |\n|---|---|---|---|---|---|---|\n"
    )
    try:
        for gpus in (0, 8):
            found = await measure(server, folder, gpus)
            name = f"{gpus} GPUs, simulated" if gpus else "no GPU"
            hour = per_hour * found.stored_bytes
            sys.stdout.write(
                f"| {name} | {found.cpu_percent:.2f} | {found.resident_mib:.0f} | {found.sample_bytes} | "
                f"{found.stored_bytes:.0f} | {hour / 1024:.0f} | {capacity / hour:.0f} |\n"
            )
            sys.stdout.flush()
    finally:
        await server.stop()
    sys.stdout.write(f"\ngoal: below {GOAL:g} % of one core at 2 s\n")


def build_stub(folder: Path) -> None:
    """Build the simulated NVML."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler: the simulated NVML cannot be built")
    library = str(folder / "libnvidia-ml.so.1")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, str(STUB)], check=True)


def main() -> None:
    """Print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        build_stub(Path(folder))
        asyncio.run(run(Path(folder)))


if __name__ == "__main__":
    main()
