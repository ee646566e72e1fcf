"""A nats-server that stopped storing is started anew, once there is room and not before."""

import asyncio
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from modeldeck_local import full_disk
from modeldeck_local.console import Console
from modeldeck_local.full_disk import ROOM_BYTES, FullDisk

FAILED = (
    "[7] 2026/11/21 01:49:49.475726 [ERR] Filestore [EVENTS] Critical write error: write 1.blk: no space left on device"
)


class Usage(NamedTuple):
    free: int


async def test_it_waits_for_room_and_restarts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free, looked, restarts = [0], asyncio.Event(), asyncio.Queue[str]()

    def usage(_folder: Path) -> Usage:
        looked.set()
        return Usage(free[0])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(full_disk, "LOOK_S", 0.01)
    healer = FullDisk(tmp_path, Console(), lambda: restarts.put_nowait("restart"))
    watching = asyncio.create_task(healer.watch())
    healer.read("[7] 2026/11/21 01:49:49.475726 [INF] Server is ready")
    await asyncio.sleep(0)
    assert not looked.is_set()
    healer.read(FAILED)
    healer.read(FAILED)
    await asyncio.wait_for(looked.wait(), 5)
    assert restarts.empty()
    free[0] = ROOM_BYTES
    await asyncio.wait_for(restarts.get(), 5)
    for _ in range(3):
        looked.clear()
        await asyncio.sleep(0.02)
    assert (looked.is_set(), restarts.empty()) == (False, True)
    healer.read(FAILED)
    await asyncio.wait_for(restarts.get(), 5)
    watching.cancel()
