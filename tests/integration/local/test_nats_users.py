"""The embedded server's own configuration on the real binary: who may say what."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import nats.errors
import pytest
from modeldeck_events.connection import inbox_prefix
from modeldeck_local import nats_process
from modeldeck_local.nats_config import NatsConfig
from nats.aio.client import Client
from nats.aio.msg import Msg

from tests.support.nats import nats_binary


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[NatsConfig]:
    made = NatsConfig(tmp_path)
    nats_process.forget_ports(made)
    nats_process.write_config(made)
    process = await asyncio.create_subprocess_exec(
        nats_binary(), "-c", str(made.path), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(20):
            await nats_process.settle_port(made)
        yield made
    finally:
        process.terminate()
        await process.wait()


async def connect(config: NatsConfig, user: str, refusals: list[str]) -> Client:
    async def refused(error: Exception) -> None:
        refusals.append(str(error).lower())

    url = config.url_for(user)
    return await nats.connect(url, error_cb=refused, max_reconnect_attempts=-1, inbox_prefix=inbox_prefix(url))


async def test_a_service_publishes_its_own_facts_and_nobody_elses(config: NatsConfig) -> None:
    refusals: list[str] = []
    client = await connect(config, "downloader", refusals)
    stream = client.jetstream()
    await stream.add_stream(name="EVENTS", subjects=["evt.>"])
    await stream.publish("evt.download.default.x", b"{}")
    await client.publish("evt.preset.x", b"{}")
    await client.publish("cmd.gateway.health", b"{}")
    await client.subscribe("cmd.catalog.health")
    async with asyncio.timeout(10):
        while not all(  # noqa: ASYNC110  # the server sends the refusals
            any(part in text for text in refusals) for part in ("evt.preset.x", "cmd.gateway", "cmd.catalog")
        ):
            await asyncio.sleep(0.01)
    assert (await stream.stream_info("EVENTS")).state.messages == 1
    await client.close()


@pytest.mark.parametrize("user", ["downloader", "gateway"])
async def test_no_service_can_delete_from_the_log(config: NatsConfig, user: str) -> None:
    client = await connect(config, user, [])
    stream = client.jetstream()
    await stream.add_stream(name="EVENTS", subjects=["evt.>"])
    await stream.publish("evt.system.x", b"{}")
    for verb in ("STREAM.PURGE.EVENTS", "STREAM.DELETE.EVENTS", "STREAM.MSG.DELETE.EVENTS"):
        with pytest.raises(TimeoutError):  # a refused request is not answered
            await client.request(f"$JS.API.{verb}", b'{"seq": 1}', timeout=0.2)
    assert (await stream.stream_info("EVENTS")).state.messages == 1
    await client.close()


async def test_a_command_is_answered_across_services(config: NatsConfig) -> None:
    catalog, gateway = await connect(config, "catalog", []), await connect(config, "gateway", [])

    async def answer(message: Msg) -> None:
        await message.respond(b"done")

    await catalog.subscribe("cmd.catalog.refresh", cb=answer)
    await catalog.flush()
    assert (await gateway.request("cmd.catalog.refresh", b"{}", timeout=20)).data == b"done"
    await catalog.close()
    await gateway.close()


async def test_nobody_reads_or_forges_the_answers_of_others(config: NatsConfig) -> None:
    refusals: list[str] = []
    telemetry = await connect(config, "telemetry", refusals)
    for subject in ("_INBOX.>", "_INBOX.gateway.>", "_INBOX.*.x"):
        await telemetry.subscribe(subject)
    await telemetry.publish("_INBOX.gateway.x", b"forged")
    async with asyncio.timeout(10):
        while len(refusals) < 4:  # noqa: ASYNC110  # the server sends the refusals
            await asyncio.sleep(0.01)
    assert all("permissions violation" in text for text in refusals)
    await telemetry.close()


async def test_without_a_password_nobody_gets_in(config: NatsConfig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", config.port)
    await reader.readline()
    writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
    assert b"Authorization Violation" in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_the_password_file_is_private_and_the_command_line_names_no_secret(config: NatsConfig) -> None:
    assert config.path.stat().st_mode & 0o077 == 0


def test_the_real_server_accepts_every_line_of_it(tmp_path: Path) -> None:
    config = NatsConfig(tmp_path, port=4222)
    nats_process.write_config(config)
    assert shutil.which(nats_binary())
    run = subprocess.run([nats_binary(), "-t", "-c", str(config.path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


async def test_the_server_reads_a_folder_name_of_any_characters(tmp_path: Path) -> None:
    folder = tmp_path / 'mein "däta" 模\\u00e4\tx $HOME'
    folder.mkdir()
    made = NatsConfig(folder)
    nats_process.forget_ports(made)
    nats_process.write_config(made)
    checked = subprocess.run(  # noqa: ASYNC221  # the server only checks its configuration and ends
        [nats_binary(), "-t", "-c", str(made.path)], capture_output=True, text=True, timeout=20, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_a_server_that_does_not_come_up_is_quoted(tmp_path: Path) -> None:
    log = tmp_path / "nats-server.log"
    assert nats_process.last_words(log) == "it said nothing"
    log.write_text("first\nnats-server: Parse error on line 3\n\n", encoding="utf-8")
    assert nats_process.last_words(log) == "nats-server: Parse error on line 3"
