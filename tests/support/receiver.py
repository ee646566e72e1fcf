"""A receiver of webhooks: an HTTP server that keeps what it gets and answers as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

HANG = 0
"""A status that means: read the request, and answer nothing."""


class Hook(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent in it."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """Answers with the statuses in `answers`, one each, then with 204."""

    def __init__(self) -> None:
        self.hooks: list[Hook] = []
        self.answers: list[int] = []
        self.always: int | None = None
        self.location = ""
        self.url = ""
        self.arrived = asyncio.Event()

    @property
    def taken(self) -> list[int]:
        """The sequences of the facts, in the order in which they came."""
        return [hook.event["seq"] for hook in self.hooks]

    async def until(self, count: int, timeout_s: float = 10.0) -> None:
        """Wait until so many requests came."""
        async with asyncio.timeout(timeout_s):
            while len(self.hooks) < count:
                self.arrived.clear()
                await self.arrived.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                start, *lines = head.split("\r\n")
                pairs = (line.partition(": ") for line in lines if line)
                headers = {name.lower(): value for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status = self.always if self.always is not None else self.answers.pop(0) if self.answers else 204
                self.hooks.append(Hook(start.split(" ")[1], headers, body))
                self.arrived.set()
                if status == HANG:
                    await reader.read()
                    break
                location = f"Location: {self.location}\r\n" if self.location else ""
                writer.write(f"HTTP/1.1 {status} Said\r\n{location}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Run one on a free port of this machine."""
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
