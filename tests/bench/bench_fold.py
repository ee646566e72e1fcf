"""The gateway's fold: all boards from zero beside the raw ordered consumer, snapshots, and steps into the past.

BENCH_EVENTS=100000 BENCH_ROUNDS=3 python -m tests.bench fold      (BENCH_EVENTS=1000000 fills for some minutes)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
from gateway.app import spare_collections
from gateway.boards.fold import Boards
from gateway.checkpoints import PastFolds
from gateway.snapshots import SnapshotKeeper, Snapshots
from modeldeck_events.bus import Bus
from modeldeck_events.projector import Projector

from tests.bench.event_log import event_log, read_raw
from tests.support.big_log import Size, facts, fill

EVENTS = int(os.environ.get("BENCH_EVENTS", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
STEPS = 20
OF_RAW_GOAL, MILLION_GOAL_S, SNAPSHOT_GOAL_S, STEP_GOAL_MS = 0.7, 8.0, 1.0, 300


def main() -> None:
    """Print the tables."""
    asyncio.run(_measure())


async def _measure() -> None:
    async with event_log() as (connected, folder):
        began = time.perf_counter()
        count = await fill(connected, facts(Size().scaled(EVENTS)))
        _say(f"{count:,} facts of a busy studio, filled at {count / (time.perf_counter() - began):,.0f}/s")
        await _rates(connected, count)
        await spare_collections()
        await _snapshots(connected, count, folder)
        await _past(connected, count)


async def _rates(connected: Bus, count: int) -> None:
    ways: dict[str, Callable[[Bus, int], Awaitable[object]]] = {"raw ordered consumer": read_raw, "all boards": _fold}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    busy: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began, cpu = time.perf_counter(), time.process_time()
            await way(connected, count)
            seconds[name].append(time.perf_counter() - began)
            busy[name].append(time.process_time() - cpu)
    ratio = statistics.median(a / b for a, b in zip(*seconds.values(), strict=True))
    _say("\n| way | facts/s | seconds for 10^6 | CPU seconds for 10^6 | of raw |\n|---|---|---|---|---|")
    for name, values in seconds.items():
        rate = count / statistics.median(values)
        goals = ("", "") if name != "all boards" else (f" (goal {MILLION_GOAL_S:g})", f" (goal {OF_RAW_GOAL})")
        share = 1.0 if name != "all boards" else ratio
        cpu = 1e6 * statistics.median(busy[name]) / count
        _say(f"| {name} | {rate:,.0f} | {1e6 / rate:.1f}{goals[0]} | {cpu:.1f} | {share:.2f}{goals[1]} |")


async def _snapshots(connected: Bus, count: int, folder: Path) -> None:
    boards, projector = await _fold(connected, count)
    keeper = SnapshotKeeper(Snapshots(folder), boards, projector, saved=None, is_unfit=lambda: False)
    memory = psutil.Process().memory_info().rss
    with _pauses() as pauses:
        await keeper.save()
    grown = psutil.Process().memory_info().rss - memory
    size = (folder / "boards.json").stat().st_size
    fresh = Boards()
    began = time.perf_counter()
    position = Snapshots(folder).load(fresh)
    loaded = time.perf_counter() - began
    fresh.take_changes(float("inf"))
    projector = Projector(connected.store, [fresh], after=position)
    task = asyncio.create_task(projector.run())
    await projector.caught_up.wait()
    started = time.perf_counter() - began
    task.cancel()
    _say("\n| snapshot | |\n|---|---|")
    _say(f"| size | {size / 1e6:.1f} MB |")
    _say(f"| longest pause of the event loop while it is saved | {max(pauses):.0f} ms |")
    _say(f"| memory for saving | {grown / 1e6:.0f} MB |")
    _say(f"| start from it: loaded | {loaded:.2f} s |")
    _say(f"| start from it: views made, log followed to its end | {started:.2f} s (goal {SNAPSHOT_GOAL_S:g}) |")


async def _past(connected: Bus, count: int) -> None:
    past, head = PastFolds(connected.store, pool="default"), await connected.store.head()

    async def step(seq: int) -> float:
        began = time.perf_counter()
        fold = await past.take(seq, head)
        fold.boards.queue.state()
        fold.boards.presets.state()
        taken = 1000 * (time.perf_counter() - began)
        past.give_back(fold)
        return taken

    _say("\n| `?at=` of the queue and presets | ms |\n|---|---|")
    with _pauses() as pauses:
        _say(f"| the first, the whole log | {await step(count):,.0f} (longest pause {max(pauses):.0f}) |")
    for name, moments in (
        ("to and fro", random.Random(1).sample(range(1, count), STEPS)),
        ("back by 1 %", [count - count * n // 100 for n in range(1, STEPS + 1)]),
        ("on by 1 %", [count // 2 + count * n // 100 for n in range(1, STEPS + 1)]),
    ):
        taken = sorted([await step(seq) for seq in moments])
        _say(f"| {name}: median, most of {STEPS} | {taken[STEPS // 2]:.0f}, {taken[-1]:.0f} (goal {STEP_GOAL_MS}) |")
    _say(f"| checkpoints, MB | {past.kept_bytes / 1e6:.1f} |")
    past.forget()


@contextlib.contextmanager
def _pauses() -> Iterator[list[float]]:
    """Collect for how long the event loop did not come back, in milliseconds."""
    found = [0.0]

    async def look() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)  # how late this comes back is what is measured
            now = time.perf_counter()
            found.append(1000 * (now - last))
            last = now

    task = asyncio.get_running_loop().create_task(look())
    try:
        yield found
    finally:
        task.cancel()


async def _fold(connected: Bus, count: int) -> tuple[Boards, Projector]:
    boards = Boards()
    projector = Projector(connected.store, [boards])
    task = asyncio.create_task(projector.run())
    await projector.caught_up.wait()
    task.cancel()
    if boards.applied != count:
        raise RuntimeError(f"{boards.applied} of {count} facts were folded")
    return boards, projector


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
