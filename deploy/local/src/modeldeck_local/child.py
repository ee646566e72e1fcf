"""One process that the supervisor keeps alive: started, listened to, restarted after a crash, ended in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modeldeck_local.backoff import Backoff
from modeldeck_local.console import Console, LogFile
from modeldeck_local.leftovers import ProcessRecord

LAUNCHER = Path(__file__).with_name("launch.py")
LONGEST_LINE_BYTES = 1_000_000
WRONG_SETTINGS = 2
"""The exit status by which a service says that starting it again will not help."""


@dataclass
class Child:
    """A process in a process group of its own; `env` is its whole environment."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    console: Console
    log: LogFile
    record: ProcessRecord
    end_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends it when the supervisor itself was killed."""
    on_line: Callable[[str], None] | None = None
    """Gets every line that it prints."""

    ended_with: int | None = None
    """Exit status of the last run; None before the first end."""
    restarts: int = 0
    _process: asyncio.subprocess.Process | None = None
    _keeper: asyncio.Task[None] | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _backoff: Backoff = field(default_factory=Backoff)

    def start(self) -> None:
        """Start the process and keep it running until `stop`."""
        self._keeper = asyncio.create_task(self._keep_running(), name=f"keep {self.name} running")

    async def _keep_running(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            await self._run_once()
            if self._stopping.is_set():
                return
            delay_s = self._backoff.after_run_of(time.monotonic() - started)
            self.restarts += 1
            self.console.say(f"{self.name} ended ({how_it_ended(self.ended_with)}); starting it again in {delay_s:g} s")
            await asyncio.sleep(delay_s)

    async def _run_once(self) -> None:
        """Run the process from its start to its end, handing on what it prints."""
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(int(self.orphan_signal)), str(os.getpid())]
        watched = os.uname().sysname != "Linux"
        try:
            self._process = await asyncio.create_subprocess_exec(
                *launch,
                *self.command,
                stdin=asyncio.subprocess.PIPE if watched else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(self.env),
                start_new_session=True,
            )
        except OSError as error:
            self.console.say(f"{self.name} cannot be started: {error}")
            self.ended_with = -1
            return
        self._write_down()
        if self._stopping.is_set():  # asked to stop while it was being started
            self._signal(self.end_signal)
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for above
        async for line in lines_of(self._process.stdout):
            self._take(line)
        self.ended_with = await self._process.wait()
        self._write_down()

    def _take(self, line: str) -> None:
        problem = self.log.write(line)
        if problem:
            self.console.relay(self.name, f"its log cannot be written: {problem}")
        self.console.relay(self.name, line)
        if self.on_line is not None:
            self.on_line(line)

    def _write_down(self) -> None:
        """Note whether it runs; the kernel's tie to us is the first line, so a disk that is full ends nothing here."""
        try:
            if self._process is not None and self.running:
                self.record.add(self.name, self._process.pid, self.command)
            else:
                self.record.remove(self.name)
        except OSError as error:
            self.console.relay(self.name, f"its process id cannot be written down: {error.strerror or error}")

    @property
    def running(self) -> bool:
        """Tell whether the process lives at this moment."""
        return self._process is not None and self._process.returncode is None

    def restart(self) -> None:
        """Ask the process to end; it is then started again."""
        self._signal(self.end_signal)

    def ask_to_end(self) -> None:
        """Send the polite signal to its process group; no restart after this."""
        self._stopping.set()
        self._signal(self.end_signal)

    async def stop(self, within_s: float) -> None:
        """End the process: politely first, and by SIGKILL once the time is up."""
        self.ask_to_end()
        if self._keeper is None:
            return
        if not self.running:
            self._keeper.cancel()
        done, _ = await asyncio.wait({self._keeper}, timeout=max(within_s, 0.05))
        if not done:
            self.console.say(f"{self.name} did not end in time and is killed")
            self._signal(signal.SIGKILL)
            await asyncio.wait({self._keeper}, timeout=1)
            self._keeper.cancel()
        self._signal(signal.SIGKILL)  # whatever of its group is still there
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper
        self.log.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # gone already
                os.killpg(self._process.pid, number)


async def lines_of(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield the lines of a process's output until it closes; an endless line is cut into pieces."""
    rest = b""
    while chunk := await stream.read(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")


def how_it_ended(status: int | None) -> str:
    """Put an exit status into words: "exit 1", "killed by SIGKILL"."""
    if status is None or status >= 0:
        return f"exit {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
