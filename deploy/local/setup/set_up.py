"""Everything `make` needs before it can run Modeldeck. Idempotent; quick when nothing changed.

Each step has a key, the hash of all its inputs, and outputs. A step whose key stands in `.tools/stamps` and whose
outputs exist is done; any other runs from its start, so an interrupted set-up heals itself. Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nats_server
import python_packages
import web
from errors import SetupError

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / ".tools"
PYTHON_FLOOR = (3, 11)


class Step(NamedTuple):
    """One part of set-up."""

    name: str
    inputs: Callable[[], list[Path]]
    outputs: list[Path]
    run: Callable[[], None]

    @property
    def stamp(self) -> Path:
        """Where the key of the last finished run stands."""
        return TOOLS / "stamps" / self.name.replace(" ", "-")

    def key(self) -> str:
        """Hash everything that this step's result depends on: its inputs, this Python, and this place."""
        digest = hashlib.sha256(f"{sys.version}\0{ROOT}\0{sys.executable}".encode())
        for path in sorted(self.inputs()):
            digest.update(f"\0{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def ensure(self) -> None:
        """Run the step unless its last result still holds."""
        key = self.key()
        if self.stamp.is_file() and self.stamp.read_text() == key and all(path.exists() for path in self.outputs):
            return
        self.stamp.unlink(missing_ok=True)
        print(f"set-up: {self.name}", flush=True)
        started = time.monotonic()
        self.run()
        self.stamp.parent.mkdir(parents=True, exist_ok=True)
        self.stamp.write_text(key)
        print(f"set-up: {self.name} done in {time.monotonic() - started:.1f} s", flush=True)


STEPS = (
    Step("package manager", python_packages.bootstrap_inputs, [python_packages.UV], python_packages.install_uv),
    Step("Python packages", python_packages.inputs, python_packages.OUTPUTS, python_packages.sync),
    Step("dashboard packages", web.package_inputs, [web.FOLDER / "node_modules"], web.install),
    Step("dashboard", web.source_inputs, [web.FOLDER / "dist" / "index.html"], web.build),
)


def main(arguments: list[str]) -> int:
    """Set up all that is not set up yet; `--tests` also for tests, `--browser` checks that Chromium is there."""
    try:
        _check_python()
        TOOLS.mkdir(exist_ok=True)
        with (TOOLS / "set-up.lock").open("w") as lock:  # two `make` at once take turns
            fcntl.flock(lock, fcntl.LOCK_EX)
            if "--tests" in arguments or not os.environ.get("MODELDECK_NATS_URL"):
                nats_server.ensure()
            for step in STEPS:
                step.ensure()
        if "--browser" in arguments:
            web.check_browser()
    except SetupError as error:
        print(f"\nset-up stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up was interrupted; run it again to go on.", file=sys.stderr)
        return 130
    return 0


def _check_python() -> None:
    if sys.version_info < PYTHON_FLOOR:  # this file meets whatever Python the machine has
        have, want = (".".join(map(str, version[:2])) for version in (sys.version_info, PYTHON_FLOOR))
        raise SetupError(
            f"{sys.executable} is Python {have}; Modeldeck needs {want} or newer.\n"
            f"Install a newer Python and name it: make PYTHON=python{want} ..."
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
