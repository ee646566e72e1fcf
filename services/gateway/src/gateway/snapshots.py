"""Snapshots of the boards: a file that says of which schema, log and position it is, and proves that it is whole.

A missing, old, foreign or damaged file is said in the log and ignored: the boards are then folded from zero.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import structlog
from modeldeck_events.store import Position

from gateway.boards.fold import Boards

FILE_NAME = "boards.json"
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

    def save(self, boards_schema: str, pool: str, position: Position, body: bytes) -> None:
        """Replace the file as one step, on the disk before the old one is gone."""
        header = _Header(
            schema=boards_schema,
            pool=pool,
            epoch=position.epoch,
            seq=position.seq,
            sha256=hashlib.sha256(body).hexdigest(),
        )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._file.with_suffix(".part")
        with part.open("wb") as out:
            out.write(msgspec.json.encode(header) + b"\n" + body)
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
