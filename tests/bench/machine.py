"""What a measurement ran on: without it no number means anything."""

from __future__ import annotations

import os
import platform
import ssl
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_PACKAGES = ("faststream", "nats-py", "msgspec", "fastapi", "uvicorn", "aiohttp", "sse-starlette", "huggingface-hub")


def describe(root: Path) -> str:
    """Return the machine, the versions and the commit, in lines."""
    memory = psutil.virtual_memory()
    lines = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(root),
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {memory.total / 1e9:.1f} GB of memory",
        "load": f"{os.getloadavg()[0]:.2f} before the start",
        "system": f"{platform.system()} {platform.release()}, {ssl.OPENSSL_VERSION}",
        "python": platform.python_version(),
        "nats-server": _first_line([_nats_server(root), "--version"]).removeprefix("nats-server: ") or "none",
        "packages": ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name))),
    }
    return "\n".join(f"{name + ':':<13}{value}" for name, value in lines.items())


def _commit(root: Path) -> str:
    commit = _first_line(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]) or "unknown"
    changed = _first_line(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return f"{commit} with local changes" if changed else commit


def _nats_server(root: Path) -> str:
    private = root / ".tools" / "nats-server"
    return os.environ.get("NATS_BIN") or (str(private) if private.exists() else "nats-server")


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    return done.stdout.strip().partition("\n")[0] if done.returncode == 0 else ""
