"""Start a program that ends when the supervisor ends, however that happens.

`launch.py SIGNAL PARENT_PID PROGRAM ARGS...`: on Linux the kernel sends SIGNAL when the parent dies, and this file
replaces itself by the program. Elsewhere it stays in between and watches its standard input, a pipe that the supervisor
holds open. Standard library only; starts in some 20 ms.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run the program; only returns where the kernel cannot watch the parent."""
    end_signal, parent, program = int(arguments[0]), int(arguments[1]), arguments[2:]
    try:
        if os.uname().sysname == "Linux":
            _tie_to_parent(end_signal, parent)
            os.execvp(program[0], program)  # noqa: S606  # no shell: the program is the supervisor's own choice
        return run_watched(program, end_signal)
    except OSError as error:
        print(f"{program[0]} cannot be run: {error.strerror}", flush=True)  # noqa: T201  # the supervisor listens
        return 127


def _tie_to_parent(end_signal: int, parent: int) -> None:
    import ctypes  # noqa: PLC0415  # only Linux needs it

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, end_signal, 0, 0, 0)
    if os.getppid() != parent:  # the supervisor ended before the kernel was told to watch it
        sys.exit(1)


def run_watched(program: list[str], end_signal: int) -> int:
    """Run the program until it ends, or end it when standard input closes; return its exit status.

    The supervisor signals the whole process group, so the program hears its signals itself.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which the program would inherit
    process = subprocess.Popen(program, stdin=subprocess.DEVNULL)  # noqa: S603

    def watch() -> None:
        while os.read(0, 1024):
            pass
        process.send_signal(end_signal)

    threading.Thread(target=watch, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
