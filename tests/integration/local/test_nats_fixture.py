from pathlib import Path

import nats
import nats.errors
import pytest

from tests.support.nats import LocalServer, running_nats


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_what_was_acknowledged_is_there_after_a_restart_on_the_same_port(tmp_path: Path, end: str) -> None:
    async with running_nats(tmp_path) as server:
        first = server.url
        client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
        stream = client.jetstream()
        await stream.add_stream(name="T", subjects=["t.>"])
        ack = await stream.publish("t.a", b"kept")

        await getattr(server, end)()
        await server.start()

        assert server.url == first
        assert (await stream.get_msg("T", ack.seq)).data == b"kept"
        await client.close()


async def test_servers_do_not_share_anything(nats_server: LocalServer, tmp_path: Path) -> None:
    async with running_nats(tmp_path / "other") as other:
        assert other.url != nats_server.url
