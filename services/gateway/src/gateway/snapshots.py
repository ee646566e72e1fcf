"""Snapshots of the boards: a file that says of which schema, log and position it is, and proves that it is whole.

A missing, old, foreign or damaged file is said in the log and ignored: the boards are then folded from zero.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog
from modeldeck_events.projector import Projector
from modeldeck_events.store import Position

from gateway.boards.fold import Boards

FILE_NAME = "boards.json"
EVERY_S = 15.0
BYTES_PER_S = 200_000
"""The larger the state, the rarer it is written: on average so much goes to the disk while facts come."""
_log = structlog.get_logger(__name__)


class _Header(msgspec.Struct, kw_only=True):
    schema: str
    pool: str
    epoch: str
    seq: int
    sha256: str


class Snapshots:
    """The newest snapshot in `folder`; `save` may run in another thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / FILE_NAME

    def load(self, boards: Boards) -> Position | None:
        """Fill `boards` and return the position they stand for; None leaves them empty."""
        try:
            head, _, body = self._file.read_bytes().partition(b"\n")
            header = msgspec.json.decode(head, type=_Header)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            return self._ignore(f"it cannot be read: {error}")
        if header.schema != boards.schema or header.pool != boards.pool:
            return self._ignore("it is of another version or pool")
        if hashlib.sha256(body).hexdigest() != header.sha256:
            return self._ignore("its checksum does not fit")
        try:
            boards.load(body)
        except (msgspec.MsgspecError, KeyError) as error:
            return self._ignore(f"its content does not fit: {error}")
        return Position(header.epoch, header.seq)

    def save(self, boards_schema: str, pool: str, position: Position, body: Sequence[bytes]) -> None:
        """Replace the file as one step, on the disk before the old one is gone; `body` is what was dumped, in parts."""
        digest = hashlib.sha256()
        for piece in body:
            digest.update(piece)
        header = _Header(
            schema=boards_schema,
            pool=pool,
            epoch=position.epoch,
            seq=position.seq,
            sha256=digest.hexdigest(),
        )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # another gateway may be at it in the same folder
            part = self._file.with_suffix(".part")
            with part.open("wb") as out:
                out.write(msgspec.json.encode(header) + b"\n")
                out.writelines(body)
                out.flush()
                os.fsync(out.fileno())
            part.replace(self._file)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _ignore(self, reason: str) -> Position | None:
        _log.warning("snapshot of the boards ignored; folding from the start", file=str(self._file), reason=reason)
        return None


class SnapshotKeeper:
    """Saves what a projector folded into the boards, now and then and at the end.

    `is_unfit` tells that a start from here would miss something. `saved` is the position of the newest snapshot.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        boards: Boards,
        projector: Projector,
        *,
        saved: Position | None,
        is_unfit: Callable[[], bool],
    ) -> None:
        self.saved = saved
        self._snapshots = snapshots
        self._boards = boards
        self._projector = projector
        self._is_unfit = is_unfit
        self._wait_s = EVERY_S

    async def run(self) -> None:
        """Keep saving, for ever; begun once the boards have caught up."""
        try:
            while True:
                await asyncio.sleep(self._wait_s)
                await self.save()
        finally:
            await self.save()

    async def save(self) -> None:
        """Save unless nothing was folded since. The fold waits meanwhile, the event loop does not."""
        async with self._projector.folding:
            position = self._projector.position
            if position == self.saved or not position.epoch or self._is_unfit():
                return
            parts = []
            for part in self._boards.dump_slices():
                parts.append(part)
                await asyncio.sleep(0)  # other work of the event loop goes on
        self._wait_s = max(EVERY_S, sum(map(len, parts)) / BYTES_PER_S)
        try:
            await asyncio.to_thread(self._snapshots.save, self._boards.schema, self._boards.pool, position, parts)
        except OSError as error:
            _log.warning("snapshot could not be written; the next start folds more of the log", reason=str(error))
        else:
            self.saved = position
