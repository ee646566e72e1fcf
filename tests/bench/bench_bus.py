"""Reading the log: nats-py's ordered consumer raw, and our follower, gap-proof and decoded, in turns on one server."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from modeldeck_events import downloads as d
from modeldeck_events.bus import Bus
from modeldeck_events.projector import Projector
from modeldeck_events.store import Meta, Record

from tests.bench.event_log import event_log, read_raw

EVENTS = int(os.environ.get("BENCH_EVENTS", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SUBJECTS = 50
GOAL = 0.7
META = Meta(source="downloader", actor="user:1", command_id="5f0e9f8e-5d2b-4b7e-9b1e-0d2f0e6c7a11")


class Counter:
    """The cheapest fold."""

    def __init__(self) -> None:
        self.count = 0

    def apply(self, record: Record) -> None:
        """Count what was decoded."""
        self.count += record.event is not None

    def reset(self) -> None:
        """Forget."""
        self.count = 0


def main() -> None:
    """Print the table."""
    asyncio.run(_measure())


async def _measure() -> None:
    rates: dict[str, list[float]] = {"raw ordered consumer": [], "follow": [], "projector": []}
    ways: dict[str, Callable[[Bus], Awaitable[None]]] = {
        "raw ordered consumer": lambda connected: read_raw(connected, EVENTS),
        "follow": _follow,
        "projector": _project,
    }
    async with event_log() as (connected, _):
        filled_s = await _fill(connected)
        for _ in range(ROUNDS):
            for name, way in ways.items():
                began = time.perf_counter()
                await way(connected)
                rates[name].append(EVENTS / (time.perf_counter() - began))
    sys.stdout.write(f"{EVENTS} events, {ROUNDS} rounds in turns; filled at {EVENTS / filled_s:,.0f}/s\n\n")
    raw = rates["raw ordered consumer"]
    sys.stdout.write("| way | events/s (median) | of raw (median of pairs) |\n|---|---|---|\n")
    for name, values in rates.items():
        ratio = statistics.median(value / base for value, base in zip(values, raw, strict=True))
        goal = f" (goal {GOAL})" if name != "raw ordered consumer" else ""
        sys.stdout.write(f"| {name} | {statistics.median(values):,.0f} | {ratio:.2f}{goal} |\n")


async def _fill(connected: Bus) -> float:
    began = time.perf_counter()

    async def fill(subject: str, count: int) -> None:
        seq = 0
        for number in range(count):
            meta = Meta(source="downloader", actor="user:1", command_id=f"{subject}-{number}")
            seq = await connected.store.append(subject, [_event(number)], expected_seq=seq, meta=meta)

    await asyncio.gather(*(fill(d.subject("default", f"preset:{n}"), EVENTS // SUBJECTS) for n in range(SUBJECTS)))
    return time.perf_counter() - began


def _event(number: int) -> d.DownloadFileCompleted:
    return d.DownloadFileCompleted(
        download_id="0b6b3f0e-0b7e-4c53-9a3b-8f0f4ce7b1de",
        attempt=1,
        path=f"diffusion_models/model-{number}.safetensors",
        url=f"https://huggingface.co/owner/repository/resolve/main/model-{number}.safetensors",
        size_bytes=4_800_000_000 + number,
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        verified="sha256",
        host="huggingface.co",
        fetched_bytes=4_800_000_000,
    )


async def _follow(connected: Bus) -> None:
    async for batch in connected.store.follow():
        if batch.seq >= EVENTS:
            break


async def _project(connected: Bus) -> None:
    counter = Counter()
    projector = Projector(connected.store, [counter])
    task = asyncio.create_task(projector.run())
    await projector.caught_up.wait()
    task.cancel()
    if counter.count != EVENTS:
        raise RuntimeError(f"{counter.count} of {EVENTS} events were folded")


if __name__ == "__main__":
    main()
