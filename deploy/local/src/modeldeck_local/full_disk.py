"""Heals a nats-server whose disk was full.

After the first failed write it stores nothing more, room or not, until it is started anew (seen with 2.15.1: the stream
keeps answering with that first error).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from modeldeck_local.console import Console

ROOM_BYTES = 16 * 1024 * 1024
LOOK_S = 1.0
_STUCK = ("Critical write error", "critical write error", "JetStream out of", "no space left on device")


class FullDisk:
    """Reads what nats-server says; once that is a failed write, waits for room in `folder` and calls `restart`."""

    def __init__(self, folder: Path, console: Console, restart: Callable[[], None]) -> None:
        self._folder = folder
        self._console = console
        self._restart = restart
        self._stuck = asyncio.Event()

    def read(self, line: str) -> None:
        """Take one line of the server's log."""
        if any(text in line for text in _STUCK):
            self._stuck.set()

    async def watch(self) -> None:
        """Heal for ever."""
        while True:
            await self._stuck.wait()
            self._console.say(f"nothing can be stored in {self._folder}; it goes on by itself once there is room")
            while shutil.disk_usage(self._folder).free < ROOM_BYTES:  # noqa: ASYNC110 - others make room
                await asyncio.sleep(LOOK_S)
            self._console.say("nats-server is started anew, because it could not store")
            self._restart()
            await asyncio.sleep(LOOK_S)  # what the old one says while it ends counts no more
            self._stuck.clear()
