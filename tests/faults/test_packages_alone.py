"""Every package lives on what it declares: imported whole in an environment with nothing else in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(os.environ.get("UV", ROOT / ".tools" / "bootstrap" / "bin" / "uv"))
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


@pytest.mark.parametrize(
    ("distribution", "package"),
    [
        ("modeldeck-events", "modeldeck_events"),
        ("modeldeck-downloader", "downloader"),
        ("modeldeck-catalog", "catalog"),
        ("modeldeck-telemetry", "telemetry"),
        ("modeldeck-gateway", "gateway"),
    ],
)
@pytest.mark.timeout(300)
def test_a_package_borrows_no_dependency(distribution: str, package: str) -> None:
    command = [str(UV), "run", "--locked", "--isolated", "--no-dev", "--package", distribution]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [*command, "python", "-c", IMPORT_ALL, package],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
