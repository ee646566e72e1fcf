"""The dashboard: its packages, its build, and the Node to do it with; also the browser that its tests drive.

Node is the system's when it is new enough, else a private one, installed from the Python package index by hash.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from errors import SetupError
from python_packages import HERE, ROOT, TOOLS, make_environment

FOLDER = ROOT / "services" / "gateway" / "web"
NODE_FLOOR = 20
NODE_REQUIREMENTS = HERE / "requirements-node.txt"
GENERATED = {"node_modules", "dist", ".vite"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def package_inputs() -> list[Path]:
    """Return what decides which packages the build uses."""
    return [FOLDER / "package.json", FOLDER / "package-lock.json", NODE_REQUIREMENTS]


def source_inputs() -> list[Path]:
    """Return every file of the dashboard that a person wrote."""
    found = package_inputs()
    for folder, folders, files in os.walk(FOLDER):
        folders[:] = [name for name in folders if name not in GENERATED]
        found += [Path(folder, name) for name in files if not name.endswith(".tsbuildinfo")]
    return found


def install() -> None:
    """Install the locked packages, from scratch."""
    _npm("ci", "--no-audit", "--no-fund")


def build() -> None:
    """Build `dist/`, which the gateway serves."""
    _npm("run", "build")


def check_browser() -> None:
    """Refuse to go on without a Chromium for the browser tests."""
    if not any(shutil.which(name) for name in BROWSERS):
        raise SetupError(
            "the browser tests need Chromium, and it is not on PATH.\n"
            "On Debian and Ubuntu: apt-get install chromium fonts-dejavu-core (as root). macOS: brew install chromium"
        )


def node_folder() -> Path | None:
    """Return the folder to put first on PATH; None when the system's Node will do."""
    if shutil.which("npm") and _node_major("node") >= NODE_FLOOR:
        return None
    private = TOOLS / "node"
    if _node_major(str(private / "bin" / "node")) < NODE_FLOOR:
        print(f"set-up: no Node {NODE_FLOOR} or newer on PATH; installing a private one (61 MB)", flush=True)
        make_environment(private, NODE_REQUIREMENTS)
    return private / "bin"


def _node_major(node: str) -> int:
    try:
        run = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.match(r"v(\d+)\.", run.stdout)
    return int(found.group(1)) if found else 0


def _npm(*arguments: str, show: bool = False) -> None:
    folder = node_folder()
    path = os.environ.get("PATH", os.defpath)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{path}" if folder else path}
    command = [shutil.which("npm", path=environment["PATH"]) or "npm", *arguments]
    run = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=not show, text=True, check=False)
    if run.returncode != 0:
        said = f"{run.stdout or ''}{run.stderr or ''}".splitlines()[:40]
        raise SetupError("\n".join([f"`npm {' '.join(arguments)}` failed in {FOLDER}", *said]))


def main(scripts: list[str]) -> int:
    """Run npm scripts of the dashboard with the Node that set-up uses, showing what they print."""
    try:
        for script in scripts:
            _npm("run", script, show=True)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
