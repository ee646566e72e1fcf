"""Live streams: many clients on one gateway process, beside sse-starlette on the same HTTP server, in turns.

BENCH_CLIENTS=1000 BENCH_RATE=50 BENCH_SECONDS=5 BENCH_ROUNDS=3 python -m tests.bench sse
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import statistics
import sys
import time
from dataclasses import dataclass

import psutil

from tests.bench.serving import Serving, serving

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "1000"))
RATE = int(os.environ.get("BENCH_RATE", "50"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CPU_GOAL, P99_GOAL_MS, MEMORY_GOAL_KIB = 0.55, 100, 20

_MADE_AT = re.compile(rb'"download_id":"(\d+)"')
_REQUEST = b"GET /api/v1/stream?topics=events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer bench-token\r\n\r\n"


@dataclass
class Result:
    """One round of one server."""

    delivered: int
    expected: int
    p50_ms: float
    p99_ms: float
    cpu_us: float
    idle_kib: float


class Client(asyncio.Protocol):
    """Counts the messages of one stream and notes the delay of each."""

    delays: list[float] = []  # noqa: RUF012 - of all clients

    def __init__(self) -> None:
        self.count = 0
        self.begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        """Take the messages; a frame split between two reads is timed by its first part."""
        self.begun = True
        now = time.monotonic_ns()
        for made_at in _MADE_AT.findall(data):
            self.count += 1
            self.delays.append((now - int(made_at)) / 1e6)


async def _round(which: str) -> Result:
    async with serving(which) as server:
        return await _measure(server)


async def _measure(server: Serving) -> Result:
    process = psutil.Process(server.pid)
    idle_before = process.memory_info().rss
    loop = asyncio.get_running_loop()
    Client.delays.clear()
    clients: list[Client] = []
    for _ in range(CLIENTS):
        _, client = await loop.create_connection(Client, "127.0.0.1", server.port)
        clients.append(client)
    async with asyncio.timeout(30):
        while not all(client.begun for client in clients):  # noqa: ASYNC110 - both servers send headers at once
            await asyncio.sleep(0.05)  # before anything is measured
    idle_kib = (process.memory_info().rss - idle_before) / 1024 / CLIENTS
    await server.publish(5, RATE)
    await asyncio.sleep(0.5)  # the first messages are not measured
    warm = sum(client.count for client in clients)
    Client.delays.clear()
    before = process.cpu_times()
    await server.publish(RATE * SECONDS, RATE)
    await asyncio.sleep(1.0)  # what comes later than that counts as not delivered
    after = process.cpu_times()
    delivered = sum(client.count for client in clients) - warm
    delays = sorted(Client.delays)
    cpu_s = after.user + after.system - before.user - before.system
    return Result(
        delivered=delivered,
        expected=CLIENTS * RATE * SECONDS,
        p50_ms=delays[len(delays) // 2],
        p99_ms=delays[int(len(delays) * 0.99)],
        cpu_us=1e6 * cpu_s / max(1, delivered),
        idle_kib=idle_kib,
    )


def main() -> None:
    """Print the table."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CLIENTS * 2 + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, wanted)), hard))
    results: dict[str, list[Result]] = {"ours": [], "sse-starlette": []}
    for _ in range(ROUNDS):
        for which, rounds in results.items():
            rounds.append(asyncio.run(_round(which)))
    sys.stdout.write(f"{CLIENTS} clients x {RATE} events/s x {SECONDS} s, {ROUNDS} rounds in turns (medians)\n\n")
    sys.stdout.write("| server | delivered | p50 ms | p99 ms | CPU us per message | KiB per idle client |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for which, rounds in results.items():
        share = min(r.delivered / r.expected for r in rounds)
        cells = [
            statistics.median(getattr(r, name) for r in rounds) for name in ("p50_ms", "p99_ms", "cpu_us", "idle_kib")
        ]
        sys.stdout.write(f"| {which} | {share:.1%} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |\n")
    ratio = statistics.median(
        a.cpu_us / b.cpu_us for a, b in zip(results["ours"], results["sse-starlette"], strict=True)
    )
    sys.stdout.write(
        f"\nCPU per message {ratio:.2f}x sse-starlette (goal {CPU_GOAL}), p99 goal {P99_GOAL_MS} ms, "
        f"memory goal {MEMORY_GOAL_KIB} KiB\n"
    )


if __name__ == "__main__":
    main()
