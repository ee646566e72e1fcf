"""Which processes this data folder started, written down so that a later start can end what an earlier one left.

A supervisor that was killed takes its processes with it (`launch.py`); this is the second line: two nats-servers on one
store would ruin it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

PATIENCE_S = 5.0


class ProcessRecord:
    """The file `processes.json`: name, process id and command of each running process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._running: dict[str, tuple[int, list[str]]] = {}

    def add(self, name: str, pid: int, command: Sequence[str]) -> None:
        """Write down a process that was just started."""
        self._running[name] = (pid, list(command))
        self._write()

    def remove(self, name: str) -> None:
        """Forget a process that has ended."""
        self._running.pop(name, None)
        self._write()

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._running), encoding="utf-8")
        new.replace(self._path)

    def end_leftovers(self) -> list[str]:
        """End what an earlier supervisor left running, and return the names; call with the data folder locked."""
        left = [(name, process) for name, pid, command in self._read() if (process := _same_process(pid, command))]
        for name, process in left:
            _signal_group(process.pid, signal.SIGINT if name == "nats-server" else signal.SIGTERM)
        _, stubborn = psutil.wait_procs([process for _, process in left], timeout=PATIENCE_S)
        for process in stubborn:
            _signal_group(process.pid, signal.SIGKILL)
        psutil.wait_procs(stubborn, timeout=PATIENCE_S)
        self._path.unlink(missing_ok=True)
        return [name for name, _ in left]

    def _read(self) -> list[tuple[str, int, list[str]]]:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            return [(str(name), int(pid), [str(part) for part in command]) for name, (pid, command) in entries.items()]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, AttributeError):  # written by something else; there is nothing to go by
            return []


def _same_process(pid: int, command: list[str]) -> psutil.Process | None:
    """Return the process if that id still means what was started then.

    By its command (with the launcher's before it or not) and not by its birth, which moves when the clock is set.
    """
    try:
        process = psutil.Process(pid)
        same = bool(command) and process.cmdline()[-len(command) :] == command
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
