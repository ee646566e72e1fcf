"""GET of a read model of 10 KB through the front door, beside a bare Starlette route that answers constant bytes.

BENCH_SECONDS=3 BENCH_ROUNDS=5 python -m tests.bench reads
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time

from tests.bench.serving import serving

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CONNECTIONS = 16
GOAL = 0.8

_REQUEST = b"GET /api/v1/constant HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer bench-token\r\n%b\r\n"


class Client(asyncio.Protocol):
    """Asks again as soon as the whole answer is there."""

    answered = 0

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._left = -1
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count an answer by its content-length; 304 has none."""
        if self._left < 0:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._left, self._head = int(length or 0) - len(body), b""
        else:
            self._left -= len(data)
        if self._left == 0:
            self._left = -1
            Client.answered += 1
            self._transport.write(self._request)


async def _rate(which: str, extra: bytes = b"") -> float:
    async with serving(which) as server:
        if extra:
            extra = b"If-None-Match: " + await _etag(server.port) + b"\r\n"
        loop = asyncio.get_running_loop()
        request = _REQUEST % extra
        transports = [
            (await loop.create_connection(lambda: Client(request), "127.0.0.1", server.port))[0]
            for _ in range(CONNECTIONS)
        ]
        await asyncio.sleep(0.3)  # the first answers are not measured
        Client.answered, began = 0, time.perf_counter()
        await asyncio.sleep(SECONDS)
        rate = Client.answered / (time.perf_counter() - began)
        for transport in transports:
            transport.abort()
    return rate


async def _etag(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_REQUEST % b"")
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head.partition(b"etag: ")[2].partition(b"\r\n")[0]


def main() -> None:
    """Print the table."""
    rates: dict[str, list[float]] = {"bare Starlette, constant bytes": [], "ours, 200": [], "ours, 304": []}
    for _ in range(ROUNDS):
        rates["bare Starlette, constant bytes"].append(asyncio.run(_rate("sse-starlette")))
        rates["ours, 200"].append(asyncio.run(_rate("ours")))
        rates["ours, 304"].append(asyncio.run(_rate("ours", b"etag")))
    base = rates["bare Starlette, constant bytes"]
    sys.stdout.write(f"10 KB, {CONNECTIONS} connections, {ROUNDS} rounds in turns\n\n")
    sys.stdout.write("| way | requests/s (median) | of Starlette (median of pairs) |\n|---|---|---|\n")
    for name, values in rates.items():
        ratio = statistics.median(value / other for value, other in zip(values, base, strict=True))
        sys.stdout.write(f"| {name} | {statistics.median(values):,.0f} | {ratio:.2f} |\n")
    sys.stdout.write(f"\ngoal {GOAL} for 200, and 304 faster than 200\n")


if __name__ == "__main__":
    main()
