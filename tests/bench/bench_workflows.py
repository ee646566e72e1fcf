"""All workflows that ComfyUI ships, in a folder that the catalog service watches; a nats-server that syncs every write.

BENCH_ROUNDS=5 python -m tests.bench workflows

"in the log" is from the start of the service, stream creation included, until the last fact is acknowledged; "shown"
from the moment a file is put there until the service's fold has it. "idle" is the CPU of the watch alone, in a process
that does nothing else.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

from catalog.app import build
from catalog.settings import Settings
from catalog.workflows.fold import TemplatesFold
from catalog.workflows.folders import Root
from catalog.workflows.loaders import Loaders
from catalog.workflows.watch import TemplateWatch
from modeldeck_events import logs
from modeldeck_events.memory import MemoryStore
from modeldeck_events.runtime import Service

from tests.support.nats import running_nats

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
IDLE_S = 60.0
PLACED = b'{"nodes": [{"type": "VAELoader", "widgets_values": ["%d.pt"]}]}'


def main() -> None:
    """Print the table."""
    logs.configure("bench", "error")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "workflows"
        count = fill(root)
        sys.stdout.write(f"{count} files\n\n| what | median | worst | goal |\n|---|---|---|---|\n")
        asyncio.run(_service(Path(folder), root, count))
        asyncio.run(_idle(root))


def fill(root: Path) -> int:
    """Put every JSON file of the package there."""
    root.mkdir()
    shipped = resources.files("comfyui_workflow_templates_json").joinpath("templates")
    files = [file for file in shipped.iterdir() if file.name.endswith(".json")]
    for file in files:
        (root / file.name).write_bytes(file.read_bytes())
    return len(files)


async def _service(folder: Path, root: Path, count: int) -> None:
    first: list[float] = []
    again: list[float] = []
    shown: list[float] = []
    for number in range(ROUNDS):
        async with running_nats(folder / f"nats{number}") as server:
            given = {"data_dir": folder / "data", "nats_url": server.url, "template_dirs": {"w": root}}
            settings = Settings(**given)  # type: ignore[arg-type]
            for taken in (first, again):
                began = time.monotonic()
                async with _running(settings) as service:
                    await _until(lambda: bool(service.detail()["templates_scanned"]))
                    taken.append(time.monotonic() - began)
                    if taken is again:
                        shown.append(await _place(service, root, number, count))
    _row("in the log after a first start, s", first, 2.0)
    _row("compared after a restart, s", again, 2.0)
    _row("a new file shown, s", shown, 2.0)


async def _place(service: Service, root: Path, number: int, count: int) -> float:
    await asyncio.sleep(0.3 * number)  # at another moment between two looks each time
    file = root / "placed.json"
    began = time.monotonic()
    file.with_suffix(".tmp").write_bytes(PLACED % number)
    file.with_suffix(".tmp").rename(file)
    await _until(lambda: service.detail()["templates"] == count + 1)
    taken_s = time.monotonic() - began
    file.unlink()
    await _until(lambda: service.detail()["templates"] == count)
    return taken_s


async def _idle(root: Path) -> None:
    watch = TemplateWatch(MemoryStore(), TemplatesFold("p"), [Root("w", root)], Loaders(root.parent / "none"))
    task = asyncio.create_task(watch.run())
    await _until(lambda: watch.scanned_all)
    await asyncio.sleep(3)  # what follows a first scan is not measured
    began, began_cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(IDLE_S)
    share = (time.process_time() - began_cpu) / (time.monotonic() - began)
    task.cancel()
    _row("idle, % of a core", [100 * share], 0.3)


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[Service]:
    service = build(settings)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - what is measured announces nothing
            await asyncio.sleep(0.002)


def _row(name: str, values: list[float], goal: float) -> None:
    sys.stdout.write(f"| {name} | {statistics.median(values):.2f} | {max(values):.2f} | {goal} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
