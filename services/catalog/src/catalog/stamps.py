"""By what a file's content is told from what it was: size, modification time and inode."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import NamedTuple


class Stamp(NamedTuple):
    """By what a change of a file is noticed."""

    size_bytes: int
    mtime_ns: int
    inode: int


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the stamp in what the system says of a file."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


def moment(mtime_ns: int) -> datetime:
    """Return a file's time, to the microsecond; times that no calendar has become the nearest one."""
    seconds, nanoseconds = divmod(mtime_ns, 10**9)
    seconds = min(max(seconds, 0), 253402300799)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)
