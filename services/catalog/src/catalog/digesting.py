"""Computes the SHA-256 of model files in short slices, so that something more urgent can always come between.

Everything here blocks, and runs in one thread of its own with a low priority.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from modeldeck_events.paths import ModelPathError

from catalog.examining import open_file
from catalog.roots import Roots
from catalog.stamps import Stamp, moment, stamp_of

CHUNK_BYTES = 4 * 1024 * 1024
NICENESS = 10


class Wanted(NamedTuple):
    """A file that is to be hashed if it is still as the log says; `seq` is that of its last fact."""

    path: str
    seq: int
    size_bytes: int
    modified_at: datetime


class Digest(NamedTuple):
    """What came of it: the stamp and the hash, or the reason why there is none."""

    wanted: Wanted
    stamp: Stamp | None
    sha256: str
    from_download: bool = False
    reason: str = ""


class Known(NamedTuple):
    """A hash that needs no reading."""

    sha256: str
    from_download: bool


@dataclass(slots=True)
class _Reading:
    wanted: Wanted
    file: BinaryIO
    stamp: Stamp
    urgent: bool
    sha256: Any = field(default_factory=hashlib.sha256)
    done_bytes: int = 0


class Worker:
    """Hashes one file after the other; a file that is begun goes on where it was after an urgent one.

    `known` returns a hash that is known for a path with this stamp, be it of another name of the same file. `pause` is
    asked after each chunk and ends the slice.
    """

    def __init__(
        self, known: Callable[[str, Stamp], Known | None], *, pause: Callable[[], bool] = lambda: False
    ) -> None:
        self.stopping = False
        """Set from anywhere: ends the slice with the chunk that is being read."""
        self._known = known
        self._pause = pause
        self._open: list[_Reading] = []
        self._buffer = memoryview(bytearray(CHUNK_BYTES))

    @property
    def reading(self) -> str | None:
        """The path that is being read."""
        return self._open[-1].wanted.path if self._open else None

    def slice(
        self, roots: Roots, urgent: Iterable[Wanted], others: deque[Wanted], *, budget_s: float
    ) -> tuple[list[Digest], bool]:
        """Work for about `budget_s`; return what was finished and whether there is more to do.

        What is begun of `others` is taken from it. `urgent` files go before everything else.
        """
        ends = time.monotonic() + budget_s
        waiting = deque(urgent)
        finished: list[Digest] = []
        while not self.stopping and (self._open or waiting or others):
            if not self._open or (waiting and not self._open[-1].urgent):
                self._begin(roots, waiting, others, finished)
            else:
                self._go_on(self._open[-1], finished)
            if time.monotonic() >= ends or self._pause():
                break
        return finished, bool(self._open or waiting or others)

    def close(self) -> None:
        """Close what is open; what was begun is lost."""
        while self._open:
            self._open.pop().file.close()

    def _begin(self, roots: Roots, waiting: deque[Wanted], others: deque[Wanted], finished: list[Digest]) -> None:
        urgent = bool(waiting)
        wanted = waiting.popleft() if urgent else others.popleft()
        begun = next((reading for reading in self._open if reading.wanted.path == wanted.path), None)
        if begun is not None:
            self._open.remove(begun)
            begun.urgent = begun.urgent or urgent
            self._open.append(begun)
            return
        try:
            file, status = open_file(roots, wanted.path)
        except (ModelPathError, OSError) as error:
            finished.append(Digest(wanted, None, "", reason=str(getattr(error, "strerror", None) or error)))
            return
        stamp = stamp_of(status)
        if (stamp.size_bytes, moment(stamp.mtime_ns)) != (wanted.size_bytes, wanted.modified_at):
            file.close()
            finished.append(Digest(wanted, None, "", reason="it changed since it was found"))
        elif known := self._known(wanted.path, stamp):
            file.close()
            finished.append(Digest(wanted, stamp, known.sha256, known.from_download))
        else:
            self._open.append(_Reading(wanted, file, stamp, urgent))

    def _go_on(self, reading: _Reading, finished: list[Digest]) -> None:
        """Read one chunk."""
        try:
            count = reading.file.readinto(self._buffer)  # type: ignore[attr-defined]
            if count:
                reading.sha256.update(self._buffer[:count])
                _drop_from_cache(reading.file.fileno(), reading.done_bytes, count)
                reading.done_bytes += count
                return
            now = stamp_of(os.fstat(reading.file.fileno()))
        except OSError as error:
            self._end(reading, finished, Digest(reading.wanted, None, "", reason=error.strerror or str(error)))
            return
        if now != reading.stamp or reading.done_bytes != now.size_bytes:
            self._end(reading, finished, Digest(reading.wanted, None, "", reason="it changed while it was read"))
        else:
            self._end(reading, finished, Digest(reading.wanted, now, reading.sha256.hexdigest()))

    def _end(self, reading: _Reading, finished: list[Digest], digest: Digest) -> None:
        reading.file.close()
        self._open.remove(reading)
        finished.append(digest)


def be_modest() -> None:
    """Lower this thread's priority for processor and disk, where the system has one per thread (Linux)."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _drop_from_cache(descriptor: int, offset: int, count: int) -> None:
    """Have the system forget what was read: it would push out what other programs need."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_DONTNEED)
