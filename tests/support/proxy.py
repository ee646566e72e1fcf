"""A plain TCP proxy that hands each connection to the next of several backends: no HTTP, no health checks, no state.

It stands for what a load balancer without sticky sessions does, with a switch to break every connection at once.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle


class RoundRobin:
    """A running proxy; `given` counts the connections by backend port."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.given: Counter[int] = Counter()
        self.port = 0
        self._next = cycle(ports)
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> int:
        """Break all connections, in the middle of whatever they carry; return how many there were."""
        for writer in tuple(self._open):
            writer.transport.abort()
        return len(self._open) // 2

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client to the next backend that takes it."""
        for port, _ in zip(self._next, range(8), strict=False):
            try:
                theirs = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            self.given[port] += 1
            self._open |= {writer, theirs[1]}
            await asyncio.gather(self._pipe(reader, theirs[1]), self._pipe(theirs[0], writer))
            self._open -= {writer, theirs[1]}
            return
        writer.transport.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            writer.transport.abort()
        else:
            writer.close()


@asynccontextmanager
async def round_robin(*ports: int) -> AsyncIterator[RoundRobin]:
    """Run a proxy before the backends for the length of a block."""
    proxy = RoundRobin(ports)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
