"""The ways to get files from an origin onto the disk that `bench_transfer` measures, each as a command of its own."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FILES_AT_ONCE = 8
_ENGINE = """
import asyncio, sys, ssl
from pathlib import Path
from downloader.sources import Sources
from downloader.transfer import FileRequest, Transfer

async def main(folder, url, at_once, connections, ca):
    context = ssl.create_default_context(cafile=ca) if ca else None
    host = url.split("/")[2]
    gate = asyncio.Semaphore(int(at_once))
    async with Transfer(models_dir=Path(folder), sources=Sources(allowed_hosts=[host]), connections=int(connections),
                        disk_reserve_bytes=0, ssl_context=context) as transfer:
        async def one(digest, path):
            async with gate:
                return await transfer.fetch(FileRequest(path, url + "/" + path, sha256=digest))
        await asyncio.gather(*(one(*line.split()) for line in sys.stdin))

asyncio.run(main(*sys.argv[1:]))
"""
_HUB = """
import sys
from huggingface_hub import snapshot_download
snapshot_download("a/b", local_dir=".", max_workers=int(sys.argv[1]))
"""
# A command in the folder where the files shall lie, what it reads, and its environment.
Way = Callable[[Path], tuple[list[str], str, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files of an origin by name, with their SHA-256; `ca` is the authority's certificate for TLS."""

    url: str
    digests: dict[str, str]
    ca: str = ""

    @property
    def sums(self) -> str:
        """What `sha256sum -c` reads."""
        return "".join(f"{digest}  {name}\n" for name, digest in self.digests.items())

    @property
    def only(self) -> tuple[str, str]:
        """Name and hash of the one file there is."""
        ((name, digest),) = self.digests.items()
        return name, digest


def version(tool: str) -> str:
    """Return what a tool says of itself."""
    if shutil.which(tool) is None:
        return f"{tool}: not installed, left out"
    return subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def has_hub() -> bool:
    """Tell whether the hub's client is installed."""
    return importlib.util.find_spec("huggingface_hub") is not None


def engine(wanted: Wanted, connections: int) -> Way:
    """Our transfer engine: verified, synced, renamed."""
    settings = [wanted.url, str(FILES_AT_ONCE), str(connections), wanted.ca]
    return lambda out: ([sys.executable, "-c", _ENGINE, str(out), *settings], wanted.sums, {})


def curl(wanted: Wanted) -> Way:
    """Curl, and after it sha256sum."""
    name, _ = wanted.only
    option = f"--cacert {wanted.ca}" if wanted.ca else ""
    command = f"curl -sS {option} -o {name} {wanted.url}/{name} && sha256sum -c --quiet"
    return lambda _: (["sh", "-c", command], wanted.sums, {})


def aria(wanted: Wanted, connections: int) -> Way:
    """Return aria2c's way: many connections, then its own check of the hash."""
    name, digest = wanted.only
    flags = [f"-x{connections}", f"-s{connections}", "-k1M", "-q", "--allow-overwrite=true", "--file-allocation=none"]
    options = [f"--ca-certificate={wanted.ca}"] if wanted.ca else []
    command = ["aria2c", *flags, f"--checksum=sha-256={digest}", *options, "-o", name, f"{wanted.url}/{name}"]
    return lambda _: (command, "", {})


def aria_list(wanted: Wanted) -> Way:
    """Return aria2c's way with many files; it verifies none of them."""
    listed = "".join(f"{wanted.url}/{name}\n" for name in wanted.digests)
    return lambda out: (["aria2c", "-q", "-j16", "-d", str(out), "-i", "-"], listed, {})


def hub(wanted: Wanted) -> Way:
    """The hub's own client over plain HTTP, with as many files at once as ours, and after it sha256sum."""
    command = f"\"{sys.executable}\" -c '{_HUB}' {FILES_AT_ONCE} && sha256sum -c --quiet"

    def way(out: Path) -> tuple[list[str], str, dict[str, str]]:
        switches = ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS")
        places = {"HF_ENDPOINT": wanted.url, "HF_HOME": str(out / ".hub")}
        return ["sh", "-c", command], wanted.sums, {**dict.fromkeys(switches, "1"), **places}

    return way


def c_limit(wanted: Wanted, folder: Path) -> Way:
    """Build and return the small C program beside this file; FileNotFoundError says what it lacks."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise FileNotFoundError("no C compiler")
    program = folder / "c_limit"
    source = Path(__file__).with_name("c_limit.c")
    build = [compiler, "-O2", "-o", str(program), str(source), "-lssl", "-lcrypto", "-lpthread"]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    if built.returncode:
        raise FileNotFoundError(f"it does not build: {(built.stderr.splitlines() or ['?'])[0]}")
    (name, digest), (host, port) = wanted.only, wanted.url.split("/")[2].split(":")
    command = [str(program), host, port, f"/{name}", name, digest, *([wanted.ca] if wanted.ca else [])]
    return lambda _: (command, "", {})
