"""Put a nats-server that is new enough at `.tools/nats-server`. Runs on the system's Python, standard library only.

Order: the one already there, the one on PATH, Homebrew (macOS), else a private copy from the distribution's archive.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from apt_copy import fetch_binary

FLOOR = (2, 12)
"""Older servers lack `sync_interval: always`, or lose acknowledged events."""

ROOT = Path(__file__).resolve().parents[3]
TARGET = ROOT / ".tools" / "nats-server"


class SetupError(Exception):
    """Set-up cannot go on; the message says what a person has to do."""


def version_of(binary: str | Path) -> tuple[int, ...] | None:
    """Return what `binary --version` says, as numbers; None when it does not run."""
    try:
        run = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", run.stdout)
    return tuple(int(part) for part in found.groups()) if found else None


def new_enough(binary: str | Path) -> bool:
    """Tell whether this is a nats-server Modeldeck can trust with its log."""
    version = version_of(binary)
    return version is not None and version >= FLOOR


def ensure() -> Path:
    """Make sure that `.tools/nats-server` runs and is new enough; return its path."""
    if new_enough(TARGET):
        return TARGET
    TARGET.parent.mkdir(exist_ok=True)
    found = shutil.which("nats-server")
    if found and new_enough(found):
        return _link(found)
    if sys.platform == "darwin":
        return _link(_from_homebrew())
    problems = fetch_binary("nats-server", TARGET, new_enough)
    if new_enough(TARGET):
        return TARGET
    wanted = ".".join(map(str, FLOOR))
    raise SetupError(
        f"Modeldeck needs nats-server {wanted} or newer, and none could be had by itself:\n"
        + "".join(f"  - {problem}\n" for problem in problems)
        + f"What to do, one of:\n"
        f"  - install nats-server {wanted} or newer so that it is on PATH, then run this again\n"
        f"  - put the binary at {TARGET}\n"
        "  - set MODELDECK_NATS_URL to a running nats-server with JetStream"
    )


def _link(binary: str) -> Path:
    TARGET.unlink(missing_ok=True)
    TARGET.symlink_to(binary)
    print(f"nats-server: using {binary}")
    return TARGET


def _from_homebrew() -> str:
    brew = shutil.which("brew")
    if brew is None:
        raise SetupError("nats-server is missing. Install it (for example with Homebrew: brew install nats-server).")
    print("nats-server: installing it with Homebrew")
    subprocess.run([brew, "install", "nats-server"], check=False)
    found = shutil.which("nats-server")
    if found is None or not new_enough(found):
        raise SetupError("Homebrew did not give a nats-server that is new enough. Try: brew upgrade nats-server")
    return found


def main() -> int:
    """Fetch the server when needed and say where it is."""
    try:
        binary = ensure()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"nats-server {'.'.join(map(str, version_of(binary) or ()))} at {binary}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
