"""The virtual environment `.venv`, exactly as the lock file says, made by a pinned uv with an environment of its own.

Python packages come from the index that pip and uv are configured for; every file is checked against its locked hash.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from apt_copy import copies
from errors import SetupError

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / ".tools"
HERE = Path(__file__).resolve().parent
UV = TOOLS / "bootstrap" / "bin" / "uv"
OUTPUTS = [ROOT / ".venv" / "bin" / name for name in ("python", "modeldeck", "pytest")]
REQUIREMENTS = HERE / "requirements-bootstrap.txt"


def bootstrap_inputs() -> list[Path]:
    """Return what decides which uv is installed."""
    return [REQUIREMENTS]


def inputs() -> list[Path]:
    """Return what decides the contents of `.venv`: the lock, and each member's own project file."""
    members = [*ROOT.glob("services/*/pyproject.toml"), *ROOT.glob("libs/*/pyproject.toml")]
    return [ROOT / "uv.lock", ROOT / "pyproject.toml", ROOT / "deploy/local/pyproject.toml", *members]


def install_uv() -> None:
    """Make `.tools/bootstrap` with the pinned uv in it."""
    make_environment(TOOLS / "bootstrap", REQUIREMENTS)


def sync() -> None:
    """Bring `.venv` in line with the lock file; uv adds what is missing and removes what is not locked."""
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    environment = {
        name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}
    }
    run = subprocess.run(
        [str(UV), "sync", *quiet, "--locked", "--all-packages", "--compile-bytecode", "--python", sys.executable],
        cwd=ROOT,
        env={**environment, "UV_PYTHON_DOWNLOADS": "never"},
        check=False,
    )
    if run.returncode != 0:
        raise SetupError(
            "the Python packages could not be installed; uv says why above.\n"
            "When the network was away, run this again. When it says that the lock file needs an update, run: "
            f"{UV.relative_to(ROOT)} lock"
        )


def make_environment(folder: Path, requirements: Path) -> None:
    """Make a virtual environment with exactly the hashed requirements; an older or half-made one is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        _pip_install(folder, requirements, {})
        return
    shutil.rmtree(folder, ignore_errors=True)
    bare = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    if subprocess.run(bare, capture_output=True, check=False).returncode != 0:
        raise SetupError(f"`{sys.executable} -m venv` fails:\n{made.stdout}{made.stderr}")
    problems = []
    for copy in copies("python3-pip-whl", TOOLS):  # Debian and Ubuntu leave pip out of venv until python3-venv is there
        wheel = next(copy.files.rglob("pip-*.whl"), None) if copy.files else None
        if wheel:
            _pip_install(folder, requirements, {"PYTHONPATH": str(wheel)})
            return
        problems.append(f"{copy.source}: {copy.problem or 'the package holds no pip'}")
    shutil.rmtree(folder, ignore_errors=True)
    raise SetupError(
        "this Python cannot make virtual environments with pip, and pip could not be fetched:\n"
        + "".join(f"  - {problem}\n" for problem in problems)
        + "On Debian and Ubuntu: apt-get install python3-venv (as root), then run this again."
    )


def _pip_install(folder: Path, requirements: Path, environment: dict[str, str]) -> None:
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run = subprocess.run(
        [*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", str(requirements)],
        env={**os.environ, **environment},
        check=False,
    )
    if run.returncode != 0:
        raise SetupError(f"pip could not install {requirements.name}; it says why above. Is the network there?")
