"""A real nats-server for tests: its own process, port and store, ready within some 20 ms.

`NATS_BIN` names another binary; `MODELDECK_TEST_NATS=docker` runs the official image through testcontainers instead.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 20.0


class NatsServer(ABC):
    """A JetStream server which a test may stop, kill, freeze and start again on the same port and store."""

    url: str
    """`nats://127.0.0.1:PORT`, the same for the whole life of this object."""

    @abstractmethod
    async def start(self) -> None:
        """Start (again) and return when JetStream is healthy."""

    @abstractmethod
    async def stop(self) -> None:
        """End gracefully (SIGINT); the store stays."""

    @abstractmethod
    async def kill(self) -> None:
        """End at once (SIGKILL); the store stays."""

    async def restart(self) -> None:
        """Stop gracefully, then start on the same port and store."""
        await self.stop()
        await self.start()


class LocalServer(NatsServer):
    """The binary that set-up fetched, as a child of the test; a free port chosen by the server itself."""

    def __init__(self, folder: Path, *, port: int = -1, extra: Iterable[str] = ()) -> None:
        self.folder = folder
        self.url = ""
        self.monitor_url = ""
        self._port = port
        self._monitor_port = -1
        self._extra = tuple(extra)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Path:
        """Where the server keeps its streams."""
        return self.folder / "store"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, "nats-server is not running"
        return self._process.pid

    async def start(self) -> None:
        assert self._process is None, "nats-server runs already"
        ports_folder = self.folder / "ports"
        shutil.rmtree(ports_folder, ignore_errors=True)
        ports_folder.mkdir(parents=True)
        config = self.folder / "nats.conf"
        config.write_text(self._config(ports_folder), encoding="utf-8")
        self._process = self._spawn(config)
        async with asyncio.timeout(START_TIMEOUT_S):
            while not self._read_ports(ports_folder) or not await asyncio.to_thread(self.healthy):
                assert self._process.poll() is None, f"nats-server ended: {self.log.read_text()}"
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        await self._end(signal.SIGINT)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process in its tracks (SIGSTOP): connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Forget every stream; only while the server is down."""
        assert self._process is None, "stop the server before its store is wiped"
        shutil.rmtree(self.store, ignore_errors=True)

    def healthy(self) -> bool:
        """Tell what `/healthz` says."""
        try:
            with urllib.request.urlopen(f"{self.monitor_url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @property
    def log(self) -> Path:
        """What the server printed, through all its starts."""
        return self.folder / "nats.log"

    def _spawn(self, config: Path) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen([nats_binary(), "-c", str(config)], stdout=log, stderr=log)

    def _config(self, ports_folder: Path) -> str:
        return "\n".join(
            (
                f"listen: 127.0.0.1:{self._port}",
                f"http: 127.0.0.1:{self._monitor_port}",
                f'ports_file_dir: "{ports_folder}"',
                f'jetstream {{ store_dir: "{self.store}", sync_interval: always, max_mem: 256MB, max_file: 2GB }}',
                *self._extra,
                "",
            )
        )

    def _read_ports(self, folder: Path) -> bool:
        for file in folder.glob("*.ports"):
            try:
                ports: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8"))
            except json.JSONDecodeError:  # half written
                return False
            self.url, self.monitor_url = ports["nats"][0], ports["monitoring"][0]
            self._port, self._monitor_port = (int(url.rsplit(":", 1)[1]) for url in (self.url, self.monitor_url))
            return True
        return False

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)  # a frozen server could not hear anything but SIGKILL
        process.send_signal(how)
        try:
            await asyncio.to_thread(process.wait, 10)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait, 10)
            raise


class DockerServer(NatsServer):
    """The official image, for machines with Docker and without a binary."""

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self._folder = folder
        self._container: Any = None

    async def start(self) -> None:
        if self._container is None:
            from testcontainers.community.nats import NatsContainer  # noqa: PLC0415  # costs a second, only needed here

            container = NatsContainer("nats:2.12", jetstream=True).with_bind_ports(4222, _free_port())
            self._container = await asyncio.to_thread(container.start)
            self.url = self._container.nats_uri()
            return
        await asyncio.to_thread(self._container.get_wrapped_container().start)

    async def stop(self) -> None:
        await asyncio.to_thread(self._container.get_wrapped_container().kill, signal="SIGINT")

    async def kill(self) -> None:
        await asyncio.to_thread(self._container.get_wrapped_container().kill)

    async def remove(self) -> None:
        """Remove the container and its store."""
        if self._container is not None:
            await asyncio.to_thread(self._container.stop)


def nats_binary() -> str:
    """Return the nats-server to test with; a missing one is a failure, never a skip."""
    chosen = os.environ.get("NATS_BIN") or str(ROOT / ".tools" / "nats-server")
    if shutil.which(chosen) is None:
        pytest.fail(f"No nats-server at {chosen}. Run `make setup`, or set NATS_BIN to one of version 2.12 or newer.")
    return chosen


@contextlib.asynccontextmanager
async def running_nats(folder: Path, *, port: int = -1, extra: Iterable[str] = ()) -> AsyncIterator[LocalServer]:
    """Run a server in `folder`; `extra` are lines for its configuration."""
    server = LocalServer(folder, port=port, extra=extra)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """Give the test a server of its own, empty."""
    if os.environ.get("MODELDECK_TEST_NATS") == "docker":
        container = DockerServer(tmp_path)
        await container.start()
        try:
            yield container
        finally:
            await container.remove()
        return
    async with running_nats(tmp_path / "nats") as server:
        yield server


def _free_port() -> int:
    import socket  # noqa: PLC0415  # only the container needs it

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
