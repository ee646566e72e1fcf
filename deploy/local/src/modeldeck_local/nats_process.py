"""Finding and configuring the embedded nats-server, and learning that it is up."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from modeldeck_local.nats_config import NatsConfig

FLOOR = (2, 12)
POLL_S = 0.02
LAST_WORDS_BYTES = 4096


class NatsServerError(Exception):
    """There is no nats-server to run; the message says what to do."""


def find_server() -> Path:
    """Return a nats-server that is new enough: the one set-up put beside the virtual environment, or the one on PATH.

    Raises NatsServerError.
    """
    private = Path(sys.prefix).parent / ".tools" / "nats-server"
    tried = []
    for candidate in (os.environ.get("NATS_BIN"), str(private), shutil.which("nats-server")):
        if candidate and Path(candidate).is_file():
            version = version_of(Path(candidate))
            if version >= FLOOR:
                return Path(candidate)
            tried.append(f"{candidate} is {'.'.join(map(str, version)) or 'not runnable'}")
    wanted = ".".join(map(str, FLOOR))
    found = f" ({'; '.join(tried)})" if tried else ""
    raise NatsServerError(
        f"No nats-server {wanted} or newer was found{found}. Run `make setup`, or install one so that it is on PATH."
    )


def version_of(binary: Path) -> tuple[int, ...]:
    """Return the version that the binary states; empty when it does not run."""
    try:
        run = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", run.stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


def write_config(config: NatsConfig) -> None:
    """Write the configuration so that only this user can ever read it."""
    new = config.path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(config.render())
    new.replace(config.path)


def forget_ports(config: NatsConfig) -> None:
    """Remove what an earlier server wrote about its ports."""
    shutil.rmtree(config.ports_folder, ignore_errors=True)
    config.ports_folder.mkdir(mode=0o700)


def last_words(log: Path) -> str:
    """Return the last line that the server wrote; "it said nothing" when there is none."""
    try:
        with log.open("rb") as lines:
            lines.seek(max(0, log.stat().st_size - LAST_WORDS_BYTES))
            said = lines.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        said = []
    return said[-1] if said else "it said nothing"


async def settle_port(config: NatsConfig) -> None:
    """Wait until the server is up, and keep the port that it chose for all its restarts.

    The server writes its ports file once its JetStream is loaded and connections are accepted.
    """
    while (port := _chosen_port(config.ports_folder)) is None:  # noqa: ASYNC110  # another process writes it
        await asyncio.sleep(POLL_S)
    config.port = port
    write_config(config)


def _chosen_port(folder: Path) -> int | None:
    for file in folder.glob("*.ports"):
        try:
            return int(json.loads(file.read_text(encoding="utf-8"))["nats"][0].rsplit(":", 1)[1])
        except (ValueError, KeyError, IndexError):  # being written
            return None
    return None
