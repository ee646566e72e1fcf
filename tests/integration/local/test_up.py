"""`modeldeck up` as a person and a script meet it."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.product import Product, alive, environment, running_product

PARTS = {"nats-server", "downloader", "catalog", "telemetry", "gateway"}


@pytest.fixture
async def product(tmp_path: Path) -> AsyncIterator[Product]:
    async with running_product(tmp_path / "data") as running:
        yield running


async def run_up(*arguments: str, **settings: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "modeldeck_local", "up", *arguments),
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, said.decode()


async def test_it_is_ready_with_a_private_token_and_refuses_a_second_start(product: Product) -> None:
    pids = product.pids()
    assert set(pids) == PARTS
    assert all(alive(pid) for pid in pids.values())
    token = product.data_dir / "token"
    assert token.read_text().strip() == product.token
    assert token.stat().st_mode & 0o777 == 0o600
    assert product.data_dir.stat().st_mode & 0o777 == 0o700
    assert product.said() == "", "a first start has nothing to warn of"
    async with product.client() as client:
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/api/v1/presets/")).status_code == 200
    async with httpx.AsyncClient(trust_env=False) as stranger:
        assert (await stranger.get(f"{product.url}/api/v1/presets/")).status_code == 401
    for pid in pids.values():  # everybody on this machine can read command lines
        shown = " ".join(psutil.Process(pid).cmdline())
        assert product.token not in shown
        assert "nats://" not in shown

    status, said = await run_up("--data-dir", str(product.data_dir), "--port", "0")
    assert status == 1
    assert f"already runs on {product.data_dir}" in said
    assert product.url in said
    assert await product.ready()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_everything_within_ten_seconds_also_with_an_open_stream(
    product: Product, how: signal.Signals
) -> None:
    pids = product.pids()
    async with product.client() as client, client.stream("GET", "/api/v1/stream?topics=queue,activity") as stream:
        assert stream.status_code == 200
        started = time.monotonic()
        assert await product.stop(how) == 0
        assert time.monotonic() - started < 10
    assert not [name for name, pid in pids.items() if alive(pid)]
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", int(product.url.rsplit(":", 1)[1])))


async def test_what_is_killed_is_started_again_and_nothing_else(product: Product) -> None:
    for name in sorted(PARTS):
        before = product.pids()
        await product.kill(name)
        await product.wait_ready()
        assert f"{name} ended (killed by SIGKILL); starting it again" in product.said()
        after = product.pids()
        assert {part for part in PARTS if after[part] != before[part]} == {name}


async def test_nothing_outlives_a_killed_supervisor_and_the_next_start_works(product: Product) -> None:
    pids = product.pids()
    os.kill(product.process.pid, signal.SIGKILL)
    await product.process.wait()
    async with asyncio.timeout(10):
        while any(alive(pid) for pid in pids.values()):  # noqa: ASYNC110  # the kernel ends them
            await asyncio.sleep(0.02)
    async with running_product(product.data_dir) as again:
        assert again.token == product.token
        assert await again.ready()


async def test_a_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        status, said = await run_up("--data-dir", str(tmp_path), "--port", str(port))
    assert status == 1
    assert f"Port {port} on 127.0.0.1 is in use" in said
    assert not (tmp_path / "nats").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"MODELDECK_PROT": "1"}, "did you mean MODELDECK_PORT"),
        ({"MODELDECK_PORT": "high"}, "MODELDECK_PORT"),
        ({"MODELDECK_MAX_CONCURRENT": "0"}, "MODELDECK_MAX_CONCURRENT"),
        ({"MODELDECK_AUTH": "none", "MODELDECK_HOST": "0.0.0.0"}, "loopback"),
    ],
)
async def test_wrong_settings_are_told_before_anything_starts(
    tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    status, said = await run_up("--data-dir", str(tmp_path / "data"), **settings)
    assert status == 2
    assert told in said
    assert not (tmp_path / "data").exists()
