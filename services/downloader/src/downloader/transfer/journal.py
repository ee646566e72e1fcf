"""The journal of a staging file: which bytes are there, and of what. Pure but for the boot id.

A text file of JSON lines, only ever appended to while it holds claims:

    {"v": 1, "url": ..., "size": ..., "validator": ..., "sha256": ..., "host": ..., "etag": ...}   what is fetched
    ["b", "<boot id>"]                the claims that follow were made in this run of the machine
    ["w", start, end]                 these bytes were written
    ["s", [[start, end], ...]]        these were synced to the device: a power cut does not take them
    ["v", inode, mtime_ns, size, sha256, verified]    whole and verified, about to be renamed

A line that is torn or not understood ends the reading: what follows is not trusted.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import msgspec

from downloader.transfer.model import Verified
from downloader.transfer.segments import ByteRanges

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which bytes are staged: a change in any of it makes them worthless."""

    url: str
    size: int | None
    validator: str | None
    sha256: str | None
    host: str | None = None
    etag: str | None = None

    @property
    def resumable(self) -> bool:
        """True when later bytes can be told to belong to the earlier ones: by validator, or by hash at the end."""
        return self.validator is not None or self.sha256 is not None


@dataclass(frozen=True, slots=True)
class VerifiedMark:
    """The staging file that was verified just before its rename; a rename keeps inode, time and size."""

    inode: int
    mtime_ns: int
    size: int
    sha256: str
    verified: Verified

    def is_of(self, stat: os.stat_result) -> bool:
        """Tell whether `stat` is of the very file that was verified."""
        return (self.inode, self.mtime_ns, self.size) == (stat.st_ino, stat.st_mtime_ns, stat.st_size)


@dataclass(slots=True)
class JournalState:
    """What a journal tells."""

    identity: Identity | None = None
    claimed: ByteRanges = field(default_factory=ByteRanges)
    mark: VerifiedMark | None = None
    understood_bytes: int = 0


def read_journal(raw: bytes, boot: str) -> JournalState:
    """Replay journal lines; claims of another boot count only when synced. Never raises on damaged content."""
    state, synced, last_boot = JournalState(), ByteRanges(), None
    for line in raw.split(b"\n")[:-1]:  # after the last newline: nothing, or a torn line
        try:
            match json.loads(line):
                case {"v": 1} as fields:
                    state.identity = msgspec.convert(fields, Identity)
                    state.claimed, synced = ByteRanges(), ByteRanges()
                case ["b", str(line_boot)]:
                    state.claimed = state.claimed if line_boot == last_boot else ByteRanges(synced)
                    last_boot = line_boot
                case ["w", int(start), int(end)] if 0 <= start < end:
                    state.claimed.add(start, end)
                case ["s", list(ranges)]:
                    synced = ByteRanges((int(start), int(end)) for start, end in ranges)
                case ["v", int(inode), int(mtime_ns), int(size), str(sha256), "sha256" | "header" | "size" as verified]:
                    state.mark = VerifiedMark(inode, mtime_ns, size, sha256, verified)
                case _:
                    break
        except (ValueError, TypeError):
            break
        state.understood_bytes += len(line) + 1
    if last_boot != boot:
        state.claimed = synced
    return state


@cache
def boot_id() -> str:
    """Return what is the same as long as the machine runs, so as long as its page cache lives."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text().strip()
    if sys.platform == "darwin":
        value, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        library = ctypes.CDLL(None, use_errno=True)
        if library.sysctlbyname(b"kern.bootsessionuuid", value, ctypes.byref(size), None, 0) == 0:
            return value.value.decode("ascii", "replace")
    return ""  # unknown: equal to itself, so a kill loses nothing, but a power cut is not seen
