"""The data folder: private to its user, used by one Modeldeck at a time, and home of the token."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from pathlib import Path

TOKEN_BYTES = 16
DEMO_MARK = "this-is-a-demo"


class DataFolderError(Exception):
    """The data folder cannot be used; the message says why, and what to do."""


class DataFolder:
    """A prepared data folder, locked until the process ends."""

    def __init__(self, path: Path, *, demo: bool = False) -> None:
        """Make the folder (0700) if needed and lock it.

        Raises DataFolderError when it is in use, is not ours, or is a demo's while we are not, and the other way round.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                path.chmod(0o700)
        except OSError as error:
            raise DataFolderError(f"The data folder {path} cannot be used: {error.strerror}.") from error
        self._lock = self._take_lock()
        self._check_kind(demo=demo)

    def _take_lock(self) -> int:
        """Hold a lock that the kernel drops with this process, however it ends."""
        lock = os.open(self.path / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(lock, 200, 0).decode(errors="replace").strip()
            os.close(lock)
            raise DataFolderError(
                f"Modeldeck already runs on {self.path}{f' ({who})' if who else ''}.\n"
                "Use that one, or start this one with another --data-dir and --port."
            ) from None
        os.ftruncate(lock, 0)
        return lock

    def _check_kind(self, *, demo: bool) -> None:
        mark = self.path / DEMO_MARK
        used = (self.path / "nats").exists()
        if demo and used and not mark.exists():
            raise DataFolderError(f"{self.path} holds real data; a demo needs a data folder of its own (--data-dir).")
        if not demo and mark.exists():
            raise DataFolderError(f"{self.path} belongs to a demo, its files are generated; choose another --data-dir.")
        if demo:
            mark.touch()

    def say_who(self, address: str) -> None:
        """Write into the lock who holds it, for the message of the next one who tries."""
        os.pwrite(self._lock, f"process {os.getpid()}, {address}".encode(), 0)

    def token(self) -> str:
        """Return the local token, made at the first start: 128 random bits, readable by this user only."""
        file = self.path / "token"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            file.chmod(0o600)
            if known := file.read_text(encoding="ascii").strip():
                return known
            descriptor = os.open(file, os.O_WRONLY)  # an earlier start was killed before it wrote
        fresh = secrets.token_urlsafe(TOKEN_BYTES)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(fresh + "\n")
            out.flush()
            os.fsync(out.fileno())
        return fresh

    def folder(self, name: str) -> Path:
        """Return a private folder in here, made if needed."""
        inside = self.path / name
        inside.mkdir(mode=0o700, parents=True, exist_ok=True)
        return inside

    def unlock(self) -> None:
        """Let another Modeldeck use the folder."""
        os.close(self._lock)
