"""Run the command line as a process of its own, with pipes or on a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import time

_PROGRAM = """\
import signal
# What a shell starts in the background ignores interrupts, and so does all that is started from there, as here.
signal.signal(signal.SIGINT, signal.default_int_handler)
from gateway.cli import app
app(prog_name="modeldeck")
"""
COMMAND = (sys.executable, "-c", _PROGRAM)
LIMIT_S = 20


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running; stdout {out!r}, stderr {err!r}") from None
    return process.returncode, out, err


class Terminal:
    """A process whose standard streams are one terminal of 120 columns."""

    def __init__(self, *arguments: str) -> None:
        self._fd, inner = pty.openpty()
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=inner, stdout=inner, stderr=inner, env=environment
        )
        os.close(inner)
        self.text = ""

    def read_until(self, wanted: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while wanted not in self.text:
            if not self._read(deadline):
                raise AssertionError(f"{wanted!r} never came: {self.text!r}")

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def finish(self) -> int:
        deadline = time.monotonic() + LIMIT_S
        while self._read(deadline):
            pass
        os.close(self._fd)
        return self.process.wait(LIMIT_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            chunk = os.read(self._fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.text += chunk.decode(errors="replace")
        return bool(chunk)
