"""The whole product as a person starts it: `modeldeck up` with an own data folder and a free port."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 20.0
_READY = re.compile(r"Modeldeck is ready at (\S+)")


class Product:
    """A running `modeldeck up`; `url` is without a slash at its end."""

    def __init__(self, process: asyncio.subprocess.Process, data_dir: Path, errors: Path, link: str) -> None:
        parts = urlsplit(link)
        self.process = process
        self.data_dir = data_dir
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.token = parse_qs(parts.query)["token"][0]
        self._errors = errors

    def client(self) -> httpx.AsyncClient:
        """Return a client with the token, for `/api/v1/...` and the rest."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, verify=False, timeout=30)

    def said(self) -> str:
        """Return what the person at the terminal was told on standard error."""
        return self._errors.read_text()

    def pids(self) -> dict[str, int]:
        """Return the process ids of nats-server, the services and whatever else runs, by name."""
        entries = json.loads((self.data_dir / "processes.json").read_text())
        return {name: pid for name, (pid, _) in entries.items()}

    async def ready(self) -> bool:
        """Tell what `/readyz` says now."""
        try:
            async with self.client() as client:
                return (await client.get("/readyz", timeout=5)).status_code == 200
        except httpx.HTTPError:
            return False

    async def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Return once all services are ready (again)."""
        async with asyncio.timeout(within_s):
            while not await self.ready():  # noqa: ASYNC110  # other processes make it so
                await asyncio.sleep(0.05)

    async def kill(self, name: str) -> int:
        """Kill -9 one process and return the id it had; the supervisor starts it again."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(READY_WITHIN_S):
            while self.pids().get(name) in {None, pid}:  # noqa: ASYNC110  # the supervisor writes it
                await asyncio.sleep(0.02)
        return pid

    @contextlib.contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Kill -9 one process and hold the supervisor, which would start it again, for the length of a block."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            os.kill(self.pids()[name], signal.SIGKILL)
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end and return its exit status."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), STOPPED_WITHIN_S)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without any Modeldeck or hub setting of its own, plus `settings`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("MODELDECK_", "HF_", "CIVITAI_"))}
    return {**ours, **settings}


async def start(
    data_dir: Path, *, settings: Mapping[str, str] | None = None, arguments: Iterable[str] = ("--port", "0")
) -> Product:
    """Run `modeldeck up` and return once it says that it is ready."""
    errors = data_dir.with_name(data_dir.name + ".stderr")
    with errors.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "modeldeck_local", "up", "--data-dir", str(data_dir), *arguments),
            env=environment(settings or {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            line = (await process.stdout.readline()).decode()
    except TimeoutError:
        line = ""
    found = _READY.search(line)
    if found is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        pytest.fail(f"modeldeck up did not become ready; it said {line!r} and\n{errors.read_text()}")
    return Product(process, data_dir, errors, found[1])


@contextlib.asynccontextmanager
async def running_product(
    data_dir: Path, *, settings: Mapping[str, str] | None = None, arguments: Iterable[str] = ("--port", "0")
) -> AsyncIterator[Product]:
    """Run the product for the length of a block, and end it whatever happens in there."""
    product = await start(data_dir, settings=settings, arguments=arguments)
    try:
        yield product
    finally:
        if product.process.returncode is None:
            await product.stop()


def alive(pid: int) -> bool:
    """Tell whether a process runs (one that ended and waits for its parent does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
