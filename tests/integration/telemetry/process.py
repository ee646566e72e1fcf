"""The telemetry as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def telemetry(nats_url: str, folder: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the real process with settings such as `POOL="a"`; kill it at the end, as a crash would.

    What it logs is added to `telemetry.log` in the folder.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELDECK_")}
    environment |= {"MODELDECK_NATS_URL": nats_url, "MODELDECK_DATA_DIR": str(folder / "data")}
    environment |= {f"MODELDECK_{name}": value for name, value in settings.items()}
    with (folder / "telemetry.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "telemetry"], env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
