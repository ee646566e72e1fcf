from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from modeldeck_events import bus, readings, registry, topology
from modeldeck_events import downloads as d
from modeldeck_events.bus import Bus
from modeldeck_events.errors import UnavailableError
from modeldeck_events.message import Reading, Reply
from nats.aio.msg import Msg
from nats.js.api import StorageType, StreamConfig

from tests.support.nats import LocalServer

PAUSE = d.PauseDownload(pool="default", target_id="preset:x")


def sample(percent: float, host: str = "a") -> readings.HostSample:
    return readings.HostSample(
        host=host,
        pool="default",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        interval_s=2,
        cpu_percent=percent,
        cpu_count=2,
        memory=None,
        disks=(),
    )


async def take(following: AsyncIterator[Reading], count: int) -> list[float | None]:
    found = []
    async with asyncio.timeout(15):
        async for reading in following:
            assert isinstance(reading, readings.HostSample)
            found.append(reading.cpu_percent)
            if len(found) == count:
                break
    return found


async def test_a_request_is_answered(connected: Bus) -> None:
    async def answer(message: Msg) -> None:
        await message.respond(registry._ENCODER.encode(Reply(ok=True, seq=7, data={"at": message.subject})))

    await connected.nc.subscribe("cmd.downloader.pause.default", cb=answer)
    reply = await connected.request(PAUSE)
    assert (reply.ok, reply.seq, reply.data) == (True, 7, {"at": "cmd.downloader.pause.default"})


async def test_a_service_that_is_not_there_is_unavailable_at_once(connected: Bus) -> None:
    with pytest.raises(UnavailableError, match="downloader is not running"):
        await connected.request(PAUSE)


async def test_a_service_that_says_nothing_is_unavailable_in_time(connected: Bus) -> None:
    async def mute(_message: Msg) -> None:
        return

    await connected.nc.subscribe("cmd.downloader.pause.default", cb=mute)
    with pytest.raises(UnavailableError, match="did not answer"):
        await connected.request(PAUSE, timeout_s=0.1)


async def test_an_answer_that_is_no_reply_is_unavailable(connected: Bus) -> None:
    async def babble(message: Msg) -> None:
        await message.respond(b"[]")

    await connected.nc.subscribe("cmd.downloader.pause.default", cb=babble)
    with pytest.raises(UnavailableError, match="something else"):
        await connected.request(PAUSE)


async def test_no_request_is_sent_after_the_outage_in_which_it_failed(connected: Bus, server: LocalServer) -> None:
    heard: list[bytes] = []

    async def hear(message: Msg) -> None:
        heard.append(message.data)
        await message.respond(registry._ENCODER.encode(Reply(ok=True)))

    await connected.nc.subscribe("cmd.downloader.pause.default", cb=hear)
    await server.kill()
    with pytest.raises(UnavailableError):
        await connected.request(PAUSE, timeout_s=0.5)
    await server.start()
    assert (await connected.request(PAUSE)).ok
    assert len(heard) == 1


async def test_the_newest_readings_come_first_then_the_live_ones(connected: Bus) -> None:
    for percent in (1, 2, 3):
        await connected.publish_reading(readings.host_subject("a"), sample(percent))
    await connected.nc.flush()
    following = connected.follow_readings(["rdg.host.>"])
    assert await take(following, 1) == [3]
    await connected.publish_reading(readings.host_subject("a"), sample(4))
    assert await take(following, 1) == [4]


async def test_the_history_of_readings(connected: Bus) -> None:
    for percent in (1, 2, 3):
        await connected.publish_reading(readings.host_subject("a"), sample(percent))
    await connected.nc.flush()
    assert await take(connected.follow_readings(["rdg.host.>"], history=True), 3) == [1, 2, 3]


async def test_latest_only_keeps_one_reading(connected: Bus) -> None:
    for percent in (1, 2, 3):
        await connected.publish_reading(readings.host_subject("a"), sample(percent), latest_only=True)
    await connected.nc.flush()
    assert await take(connected.follow_readings(history=True), 1) == [3]
    assert (await connected.js.stream_info(topology.READINGS)).state.messages == 1


async def test_broken_and_unknown_readings_are_passed_over(connected: Bus) -> None:
    await connected.nc.publish("rdg.host.a", b"{")
    await connected.nc.publish("rdg.weather.a", b"{}")
    await connected.publish_reading(readings.host_subject("b"), sample(5, "b"))
    await connected.nc.flush()
    assert await take(connected.follow_readings(), 1) == [5]
    letter = await connected.js.get_last_msg(topology.DEAD_LETTERS, "dead.readings")
    assert letter.data == b"{"
    [fact] = await connected.store.read(after=0, limit=9)
    assert fact.type == "modeldeck.system.dead-lettered.v1"


async def test_readings_go_on_after_the_server_lost_them(connected: Bus, server: LocalServer) -> None:
    following = connected.follow_readings()
    task = asyncio.create_task(take(following, 1))
    await server.kill()
    await connected.publish_reading(readings.host_subject("a"), sample(1))  # dropped, and nobody is the worse for it
    await server.start()
    await connected.nc.wait_usable(10)
    await topology.ensure(connected.js)
    while not task.done():
        await connected.publish_reading(readings.host_subject("a"), sample(9))
        await asyncio.wait([task], timeout=0.1)
    assert await task == [9]


async def test_connecting_waits_for_a_server(server: LocalServer) -> None:
    await server.stop()
    connecting = asyncio.create_task(bus.connect(server.url, "early"))
    await asyncio.wait([connecting], timeout=0.3)
    assert not connecting.done()
    await server.start()
    connected = await asyncio.wait_for(connecting, 10)
    assert await topology.ensure(connected.js)
    await connected.close()


async def test_ten_processes_that_start_at_once_make_one_log(server: LocalServer) -> None:
    buses = await asyncio.gather(*(bus.connect(server.url, f"s{number}") for number in range(10)))
    epochs = await asyncio.gather(*(topology.ensure(one.js) for one in buses))
    assert len(set(epochs)) == 1
    await asyncio.gather(*(one.close() for one in buses))


async def test_an_older_configuration_is_updated_and_the_log_stays(connected: Bus) -> None:
    epoch = await topology.ensure(connected.js)
    info = await connected.js.stream_info(topology.EVENTS)
    await connected.js.update_stream(info.config, max_bytes=1_000_000)
    assert await topology.ensure(connected.js) == epoch
    updated = await connected.js.stream_info(topology.EVENTS)
    assert updated.config.max_bytes == topology.streams()[0].max_bytes


async def test_a_stream_that_cannot_be_made_right_is_told(connected: Bus) -> None:
    await connected.js.delete_stream(topology.READINGS)
    await connected.js.add_stream(StreamConfig(name=topology.READINGS, subjects=["rdg.>"], storage=StorageType.FILE))
    with pytest.raises(topology.TopologyError, match="READINGS"):
        await topology.ensure(connected.js)


async def test_a_foreign_event_stream_is_not_taken_for_ours(connected: Bus) -> None:
    await connected.js.delete_stream(topology.EVENTS)
    await connected.js.add_stream(topology.streams()[0])
    with pytest.raises(topology.TopologyError, match="modeldeck-epoch"):
        await topology.ensure(connected.js)


async def test_what_is_missing_is_named(connected: Bus) -> None:
    assert await topology.missing(connected.js) == []
    await connected.js.delete_stream(topology.JOBS)
    assert await topology.missing(connected.js) == [topology.JOBS]
