"""The staging file beside the target, its lock, and the one rename that publishes it.

The journal's own inode carries the lock (flock), so the lock dies with its process, and nobody ever writes the bytes
of another.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path

from downloader.errors import LockedError, NoSpaceError
from downloader.transfer.journal import Identity, VerifiedMark, boot_id, read_journal
from downloader.transfer.model import Verified
from downloader.transfer.paths import Target
from downloader.transfer.segments import ByteRanges

ALIGNMENT = 4096
OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
MAX_JOURNAL_BYTES = 256 << 20


class Staging:
    """The locked staging file of one target. All methods but `claim` block; one thread at a time."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.fd = -1
        self.direct_fd: int | None = None
        self.journaled = False
        # What a process that died between the rename and the end had published.
        self.published: tuple[Identity, VerifiedMark] | None = None
        self._journal_fd = _lock(target.journal)
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        size = os.fstat(self._journal_fd).st_size
        raw = os.pread(self._journal_fd, size, 0) if 0 < size <= MAX_JOURNAL_BYTES else b""
        state = read_journal(raw, boot_id())
        self.identity, self.claimed = state.identity, state.claimed
        if state.understood_bytes != size:
            os.ftruncate(self._journal_fd, state.understood_bytes)
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self.fd = os.open(self.target.staged, flags)
        except FileNotFoundError:
            if state.identity is not None and state.mark is not None:
                self.published = state.identity, state.mark
            self._forget()  # the journal outlived its bytes: they were renamed, or someone deleted them
            return
        if any(end > os.fstat(self.fd).st_size for _, end in self.claimed):
            self._forget()
        self._open_direct()
        if self.identity is not None:
            self.journaled = True
            self._append(["b", boot_id()])

    @property
    def untouched(self) -> bool:
        """True while nothing is staged and no place is made."""
        return self.fd < 0 and not self.claimed.total

    @property
    def closed(self) -> bool:
        """True when the lock is released."""
        return self._journal_fd < 0

    def _forget(self) -> None:
        self.identity, self.claimed, self.journaled = None, ByteRanges(), False

    def _open_direct(self) -> None:
        if hasattr(os, "O_DIRECT"):
            with contextlib.suppress(OSError):  # file systems without it say so here, or at the first write
                flags = os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC | os.O_NOFOLLOW
                self.direct_fd = os.open(self.target.staged, flags)

    def _append(self, *lines: object) -> None:
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        if os.write(self._journal_fd, text.encode()) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # a torn line: what followed it would not be read

    def begin(self, identity: Identity, journaled: bool) -> None:
        """Drop all staged bytes and begin a file. Unjournaled ones are so small that a kill may cost all of them.

        The claims are gone from the device before new bytes can get there, so old claims never cover new bytes.
        """
        had_claims = bool(self.claimed.total)
        self.identity, self.claimed, self.journaled = identity, ByteRanges(), journaled
        os.ftruncate(self._journal_fd, 0)
        if journaled:
            self._append({"v": 1, **asdict(identity)}, ["b", boot_id()])
        if journaled or had_claims:
            os.fdatasync(self._journal_fd)
        if self.fd < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self.fd = os.open(self.target.staged, flags, 0o666)
        os.ftruncate(self.fd, 0)
        if self.direct_fd is None and journaled:
            self._open_direct()

    def reserve(self, size: int, reserve_bytes: int) -> None:
        """Take the disk space of the whole file now, or raise NoSpaceError now and not in the middle of the night."""
        need = size - os.fstat(self.fd).st_blocks * 512
        if need <= 0:
            return
        self.check_room(need, reserve_bytes)
        try:
            _allocate(self.fd, size)
        except OSError as error:
            if error.errno not in OUT_OF_SPACE:
                raise
            raise self.no_space(need) from error

    def check_room(self, need: int, reserve_bytes: int) -> None:
        """Raise NoSpaceError when `need` more bytes would eat the reserve."""
        volume = os.statvfs(self.target.final.parent)
        free = volume.f_bavail * volume.f_frsize
        if free - need < reserve_bytes:
            raise self.no_space(need)

    def no_space(self, need: int) -> NoSpaceError:
        """Return the error that says how much is missing where."""
        volume = os.statvfs(self.target.final.parent)
        free = volume.f_bavail * volume.f_frsize
        message = (
            f"{self.target.path} needs {need:,} more bytes, but only {free:,} are free on its volume "
            f"(a reserve is kept). Make room; the download then goes on where it is."
        )
        return NoSpaceError(message, needed_bytes=need, free_bytes=free)

    def claim(self, start: int, end: int) -> None:
        """Note that these bytes were written. Appends one short line; called on the event loop."""
        self.claimed.add(start, end)
        if self.journaled:
            self._append(["w", start, end])

    def seal(self, claimed: list[tuple[int, int]]) -> None:
        """Sync the file and note that `claimed`, written before this call, now outlives a power cut."""
        os.fdatasync(self.fd)
        self._append(["s", claimed])

    def publish(self, sha256: str, verified: Verified, size: int) -> os.stat_result:
        """Sync, rename to the final name, sync the folder, close; return the stat of the published file."""
        if os.fstat(self.fd).st_size != size:
            os.ftruncate(self.fd, size)
        os.fsync(self.fd)
        stat = os.fstat(self.fd)
        fetched = [] if self.journaled or self.identity is None else [{"v": 1, **asdict(self.identity)}]
        self._append(*fetched, ["v", stat.st_ino, stat.st_mtime_ns, stat.st_size, sha256, verified])
        self.target.staged.rename(self.target.final)
        sync_folder(self.target.final.parent)
        self.target.journal.unlink()
        self.close()
        return stat

    def discard(self) -> None:
        """Delete the staged bytes and what is known of them."""
        os.ftruncate(self._journal_fd, 0)
        self.target.staged.unlink(missing_ok=True)
        self.target.journal.unlink(missing_ok=True)
        self._forget()

    def close(self) -> None:
        """Close the files, and with the journal the lock. An empty journal does not stay behind."""
        for fd in (self.fd, self.direct_fd):
            if fd is not None and fd >= 0:
                os.close(fd)
        self.fd, self.direct_fd = -1, None
        if self._journal_fd >= 0:
            journal = os.fstat(self._journal_fd)
            if journal.st_size == 0 and journal.st_nlink:
                self.target.staged.unlink(missing_ok=True)
                self.target.journal.unlink(missing_ok=True)
            os.close(self._journal_fd)
            self._journal_fd = -1


def _lock(journal: Path) -> int:
    """Open and lock the journal that has this name now; one that was unlinked while we waited does not count."""
    while True:
        fd = os.open(journal, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_ino == journal.stat().st_ino:
                return fd
        except BlockingIOError:
            os.close(fd)
            message = "Another worker is fetching this file right now; it is left to that one."
            raise LockedError("locked", message, retryable=True) from None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _allocate(fd: int, size: int) -> None:
    """Give the file its space without writing; file systems that cannot are left alone (glibc would write zeros)."""
    if sys.platform != "linux":
        return
    if _libc().fallocate(fd, 0, ctypes.c_int64(0), ctypes.c_int64(size)) == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
        raise OSError(code, os.strerror(code))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it outlives a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
