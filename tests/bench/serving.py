"""Runs one of `gateway_servers` as a process of its own and talks to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Serving:
    """A server that runs; `pid` is the process that is measured."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.port = port
        self.pid = process.pid
        self._process = process

    async def publish(self, count: int, per_second: int) -> None:
        """Have it publish so many messages, and return after the last one."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"publish {count} {per_second}\n".encode())
        await stdin.drain()
        await stdout.readline()


@asynccontextmanager
async def serving(which: str) -> AsyncIterator[Serving]:
    """Run a server for the length of a block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.gateway_servers", which),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Serving(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()
