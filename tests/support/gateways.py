"""Gateways as processes of their own, on any bus."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

TOKEN = "an-integration-test-token"
READY_WITHIN_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client(port: int, *, token: str = TOKEN) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, trust_env=False, verify=False
    )


@asynccontextmanager
async def running_gateway(
    data_dir: Path, nats_url: str, port: int, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a gateway until the end of the block, whatever happens in there."""
    names = ("PATH", "HOME", "LANG")
    environment = {name: os.environ[name] for name in names if name in os.environ} | {
        "MODELDECK_DATA_DIR": str(data_dir),
        "MODELDECK_NATS_URL": nats_url,
        "MODELDECK_PORT": str(port),
        "MODELDECK_TOKEN": TOKEN,
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def answers(port: int) -> bool:
    """Tell whether its read models have caught up; the other services need not be there."""
    try:
        async with client(port) as http:
            return (await http.get("/api/v1/presets")).status_code == 200
    except httpx.TransportError:
        return False


async def until_it_answers(port: int, within_s: float = READY_WITHIN_S) -> None:
    """Wait for that."""
    async with asyncio.timeout(within_s):
        while not await answers(port):  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.02)
