"""Put a nats-server that is new enough at `.tools/nats-server`. Runs on the system's Python, standard library only.

Order: the one already there, the one on PATH, Homebrew (macOS), else a private copy from the distribution's archive.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from apt_copy import copies
from errors import SetupError

FLOOR = (2, 12)
"""Older servers lack `sync_interval: always`, or lose acknowledged events."""
SUITES = {"debian": ("forky", "sid"), "ubuntu": ("devel", "resolute")}
"""Where packages are new enough, the steadier suite first."""

ROOT = Path(__file__).resolve().parents[3]
TARGET = ROOT / ".tools" / "nats-server"


def version_of(binary: str | Path) -> tuple[int, ...] | None:
    """Return what `binary --version` says, as numbers; None when it does not run."""
    try:
        run = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", run.stdout)
    return tuple(int(part) for part in found.groups()) if found else None


def new_enough(binary: str | Path) -> bool:
    """Tell whether this is a nats-server that Modeldeck can trust with its log."""
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
    problems = []
    for copy in copies("nats-server", TARGET.parent, SUITES):
        binary = (
            next((path for path in copy.files.rglob("nats-server") if path.is_file()), None) if copy.files else None
        )
        if binary and new_enough(binary):
            binary.chmod(0o755)
            binary.replace(TARGET)
            return TARGET
        problems.append(f"{copy.source}: {copy.problem or 'its nats-server is too old, or does not run here'}")
    raise SetupError(_what_to_do(problems))


def _what_to_do(problems: list[str]) -> str:
    wanted = ".".join(map(str, FLOOR))
    tried = "".join(f"  - {problem}\n" for problem in problems)
    return (
        f"Modeldeck needs nats-server {wanted} or newer, and it could not be fetched:\n{tried}"
        "What to do, one of:\n"
        "  - when the network was away: run this again\n"
        f"  - install nats-server {wanted} or newer so that it is on PATH, then run this again\n"
        f"  - put its binary at {TARGET}\n"
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
        raise SetupError("nats-server is missing. Install it, for example with Homebrew: brew install nats-server")
    print("nats-server: installing it with Homebrew")
    subprocess.run([brew, "install", "nats-server"], check=False)
    found = shutil.which("nats-server")
    if found is None or not new_enough(found):
        raise SetupError("Homebrew gave no nats-server that is new enough. Try: brew upgrade nats-server")
    return found
