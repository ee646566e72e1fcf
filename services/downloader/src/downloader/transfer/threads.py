"""Blocking work in threads that a cancelled caller never leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from threading import Event
from typing import TypeVar, TypeVarTuple

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
READ_BYTES = 1 << 20


async def in_thread(executor: Executor, work: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
    """Run `work` in a thread. When cancelled, wait for its end first: it may hold files that are about to be closed."""
    future = asyncio.get_running_loop().run_in_executor(executor, work, *args)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        future.exception()  # seen: the cancellation matters more
        raise


async def hash_file(executor: Executor, path: Path) -> str:
    """Return the SHA-256 of a file, read in a thread; cancelling ends the reading soon."""
    stop = Event()
    future = asyncio.get_running_loop().run_in_executor(executor, _hash_file, path, stop)
    try:
        await asyncio.wait([future])
    finally:
        stop.set()
    return future.result()


def _hash_file(path: Path, stop: Event) -> str:
    digest, scratch = hashlib.sha256(), memoryview(bytearray(READ_BYTES))
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while not stop.is_set() and (size := os.readv(fd, [scratch])):
            digest.update(scratch[:size])
    finally:
        os.close(fd)
    return digest.hexdigest()
