"""What the person at the terminal sees: Modeldeck's own words, and from the services only what went wrong.

Everything that a process prints goes into its log file; `worth_showing` picks what also reaches the terminal.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

LOUD_LEVELS = {"warning", "error", "critical"}
LOG_FILE_BYTES = 10_000_000
REPEAT_AFTER_S = 30.0
EXPECTED = (
    # the passwords are random, new at each start, and stand in a file that only this user can read
    "Plaintext passwords detected",
)

_NATS_LINE = re.compile(r"^\[\d+\] \S+ \S+ \[(?P<level>[A-Z]{3})\] (?P<text>.*)$")
_QUIET_LINE = re.compile(r"^(INFO|DEBUG)\b|^Traceback |^\s")
"""Routine, and the inner lines of a traceback: its last line says what happened, the log has them all."""
_FIELDS_LEFT_OUT = {"event", "level", "timestamp", "logger", "service"}


def worth_showing(line: str) -> str | None:
    """Return what the person should read of one line of a process's output; None for routine."""
    if not line.strip() or any(text in line for text in EXPECTED):
        return None
    if nats := _NATS_LINE.match(line):
        return nats["text"] if nats["level"] in {"WRN", "ERR", "FTL"} else None
    if line.startswith("{"):
        try:
            entry: Any = json.loads(line)
        except json.JSONDecodeError:
            return line
        return _log_entry(entry) if isinstance(entry, dict) else line
    return None if _QUIET_LINE.match(line) else line


def _log_entry(entry: dict[str, Any]) -> str | None:
    if str(entry.get("level", "error")).lower() not in LOUD_LEVELS:
        return None
    fields = [
        f"{key}={value}" for key, value in entry.items() if key not in _FIELDS_LEFT_OUT and "\n" not in str(value)
    ]
    return " ".join([str(entry.get("event", "")), *fields])


class Console:
    """Prints to standard error, and keeps a repeated complaint to once in `REPEAT_AFTER_S`."""

    def __init__(self) -> None:
        self._said_at: dict[tuple[str, str], float] = {}

    def say(self, text: str) -> None:
        """Print one line of Modeldeck's own."""
        print(f"modeldeck: {text}", file=sys.stderr, flush=True)  # noqa: T201

    def announce(self, text: str) -> None:
        """Print the one line that scripts wait for, on standard output."""
        print(text, flush=True)  # noqa: T201

    def relay(self, process: str, line: str) -> None:
        """Print a process's line if it is worth it and has not just been printed."""
        text = worth_showing(line)
        if text is None:
            return
        now, same = time.monotonic(), (process, re.sub(r"\d+", "#", text))
        if now - self._said_at.get(same, -REPEAT_AFTER_S) < REPEAT_AFTER_S:
            return
        if len(self._said_at) > 1000:
            self._said_at.clear()
        self._said_at[same] = now
        print(f"{process}: {text}", file=sys.stderr, flush=True)  # noqa: T201


class LogFile:
    """A process's log: appended to, and at most twice `LOG_FILE_BYTES` on disk."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("ab", buffering=0)

    def write(self, line: str) -> str:
        """Append one line; return why that was not possible, else "": a full disk must not end what is logged."""
        try:
            self._file.write(line.encode(errors="replace") + b"\n")
            if self._file.tell() > LOG_FILE_BYTES:
                self._path.replace(self._path.with_suffix(".log.1"))
                full, self._file = self._file, self._path.open("ab", buffering=0)
                full.close()
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
