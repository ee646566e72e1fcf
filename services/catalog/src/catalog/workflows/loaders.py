"""The loader table in force: the one that ships, with a person's own `loaders.json` for custom nodes."""

from __future__ import annotations

import hashlib
import os
import stat
from importlib import resources
from pathlib import Path

import structlog

from catalog.stamps import Stamp, stamp_of
from catalog.templates import VERSION, LoaderTable, LoaderTableError
from catalog.templates.table import MAX_BYTES

_log = structlog.get_logger(__name__)


class Loaders:
    """Keeps the table up to `file`, which may be missing. A file that cannot be used changes nothing."""

    def __init__(self, file: Path) -> None:
        self.table = LoaderTable.builtin()
        self.scanner = _fingerprint(b"")
        """Stands for the scanner's version and the table: another one may answer otherwise for the same workflow."""
        self.problem = ""
        """Why the file is not in force; empty when it is, or is not there."""
        self._file = file
        self._stamp: Stamp | None = None

    def look(self) -> None:
        """Take over a file that is new, changed or gone. Does blocking I/O, little when nothing changed."""
        try:
            stamp = self._stamp_now()
            if stamp == self._stamp:
                return
            added = None if stamp is None else self._read()
            builtin = LoaderTable.builtin()
            table = builtin if added is None else builtin.extended(added)
        except OSError as error:
            self._say(f"{self._file} cannot be read: {error.strerror or error}")
        except LoaderTableError as error:
            self._stamp = stamp
            self._say(f"{self._file}: {error}")
        else:
            self._stamp, self.table, self.scanner = stamp, table, _fingerprint(added or b"")
            self._say("")

    def _stamp_now(self) -> Stamp | None:
        try:
            return stamp_of(self._file.stat())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _read(self) -> bytes:
        descriptor = os.open(self._file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("it is no regular file")
            return file.read(MAX_BYTES + 1)

    def _say(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning("the file with custom nodes is not used; the table in force stays", reason=problem)
        elif self.problem and not problem:
            _log.info("the file with custom nodes is used again")
        self.problem = problem


def _fingerprint(added: bytes) -> str:
    shipped = resources.files("catalog").joinpath("data", "loaders.json").read_bytes()
    return f"{VERSION}.{hashlib.sha256(shipped + added).hexdigest()[:12]}"
