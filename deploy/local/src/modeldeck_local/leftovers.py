"""Which processes this data folder started, written down so that a later start can end what an earlier one left.

A supervisor that was killed takes its processes with it (`launch.py`); this is the second line: two nats-servers on one
store would ruin it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import psutil

PATIENCE_S = 5.0


class ProcessRecord:
    """The file `processes.json`: name, process id and start time of each running process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._running: dict[str, tuple[int, float]] = {}

    def add(self, name: str, pid: int) -> None:
        """Write down a process that was just started."""
        with contextlib.suppress(psutil.NoSuchProcess):  # ended at once
            self._running[name] = (pid, psutil.Process(pid).create_time())
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
        left = [(name, process) for name, pid, born in self._read() if (process := _same_process(pid, born))]
        for name, process in left:
            _signal_group(process.pid, signal.SIGINT if name == "nats-server" else signal.SIGTERM)
        _, stubborn = psutil.wait_procs([process for _, process in left], timeout=PATIENCE_S)
        for process in stubborn:
            _signal_group(process.pid, signal.SIGKILL)
        psutil.wait_procs(stubborn, timeout=PATIENCE_S)
        self._path.unlink(missing_ok=True)
        return [name for name, _ in left]

    def _read(self) -> list[tuple[str, int, float]]:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            return [(str(name), int(pid), float(born)) for name, (pid, born) in entries.items()]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, AttributeError):  # written by something else; there is nothing to go by
            return []


def _same_process(pid: int, born: float) -> psutil.Process | None:
    """Return the process if that id still means the process that was started then."""
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - born) < 1 and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
