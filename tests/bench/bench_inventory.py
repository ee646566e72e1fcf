"""A large models folder, through the whole catalog service and a real nats-server that syncs every append.

BENCH_FILES=20000 python -m tests.bench inventory

The files are sparse, with whole headers in front: half GGUF, half safetensors, in 40 folders. "found" ends when the
last fact is acknowledged by the log, "after a restart" when the service has folded the log and compared the disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from catalog.app import build
from catalog.settings import Settings
from catalog.states import ModelFilesFold
from catalog.watch import Watch
from modeldeck_events import logs
from modeldeck_events.runtime import Service

from tests.support.nats import running_nats

FILES = int(os.environ.get("BENCH_FILES", "20000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SIZE_BYTES = 64 * 1024
GOALS = {"found": 5.0, "rescanned": 0.5, "noticed": 2.0}


def main() -> None:
    """Print the table."""
    logs.configure("bench", "error")
    structlog.get_logger().debug("measuring")
    asyncio.run(_measure())


async def _measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "models"
        fill(root)
        async with running_nats(Path(folder) / "nats") as server:
            settings = Settings(data_dir=Path(folder) / "data", models_dir=root, nats_url=server.url)  # type: ignore[call-arg]
            began = time.monotonic()
            async with _running(settings) as (_, watch, fold):
                await _until(lambda: fold.files.version >= FILES)
                _row("found (20,000 facts in the log)", [time.monotonic() - began], GOALS["found"])
                await watch.walked.wait()
                rescans = [await _timed(watch) for _ in range(ROUNDS)]
                _row("rescanned unchanged", rescans, GOALS["rescanned"])
                _row("a new file noticed", [await _notice(root, fold, n) for n in range(ROUNDS)], GOALS["noticed"])
            began = time.monotonic()
            async with _running(settings) as (service, watch, fold):
                await service.ready()
                ready_s = time.monotonic() - began
                await watch.walked.wait()
                _row("after a restart: ready", [ready_s], None)
                _row("after a restart: walked and compared", [time.monotonic() - began], None)


def fill(root: Path) -> None:
    """Make the folder."""
    whole = {".gguf": _gguf(), ".safetensors": _safetensors()}
    for number in range(FILES):
        extension, head = list(whole.items())[number % 2]
        file = root / f"folder{number % 40}" / f"model-{number}{extension}"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            out.write(head)
            out.truncate(SIZE_BYTES)
        os.utime(file, (1_700_000_000 + number, 1_700_000_000 + number))


def _safetensors() -> bytes:
    """Return a header of ten tensors over all the rest of the file."""
    share = (SIZE_BYTES - 8 - 1024) // 10 // 2 * 2
    tensors: dict[str, object] = {"__metadata__": {"modelspec.architecture": "flux-1-dev", "format": "pt"}}
    for number in range(10):
        offsets = [number * share, (number + 1) * share]
        tensors[f"block.{number}"] = {"dtype": "F16", "shape": [share // 2], "data_offsets": offsets}
    text = json.dumps(tensors).encode()
    text += b" " * (SIZE_BYTES - 8 - 10 * share - len(text))
    return struct.pack("<Q", len(text)) + text


def _gguf() -> bytes:
    """Return a header with the usual keys and 100 tokens."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    pairs = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.file_type") + struct.pack("<II", 4, 15),
        text("llama.context_length") + struct.pack("<II", 4, 8192),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 100) + text("token ab") * 2000,
    ]
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs)


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[tuple[Service, Watch, ModelFilesFold]]:
    service = build(settings)
    watch = next(f.__self__ for _, f, _ in service._tasks if isinstance(getattr(f, "__self__", None), Watch))  # type: ignore[attr-defined]
    await service.start()
    try:
        yield service, watch, watch._fold
    finally:
        await service.stop()


async def _timed(watch: Watch) -> float:
    began = time.monotonic()
    await watch.check()
    return time.monotonic() - began


async def _notice(root: Path, fold: ModelFilesFold, number: int) -> float:
    name = f"folder3/new-{number}.gguf"
    (root / name).write_bytes(_gguf())
    began = time.monotonic()
    await _until(lambda: fold.get(name) is not None)
    return time.monotonic() - began


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):
        while not true():  # noqa: ASYNC110 - the service announces nothing to us
            await asyncio.sleep(0.01)  # finer than what is printed, and rare enough not to be measured itself


def _row(name: str, took_s: list[float], goal_s: float | None) -> None:
    goal = f"goal {goal_s:.1f} s" if goal_s else ""
    spread = f"({min(took_s):.2f} to {max(took_s):.2f})" if len(took_s) > 1 else ""
    sys.stdout.write(f"{name:<40}{statistics.median(took_s):6.2f} s {spread:<16} {goal}\n")
    sys.stdout.flush()
