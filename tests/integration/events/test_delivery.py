from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from modeldeck_events import dead_letters, delivery, replay, runtime, system, topology
from modeldeck_events import downloads as d
from modeldeck_events.bus import Bus
from modeldeck_events.dead_letters import Letter
from modeldeck_events.errors import PoisonError, TransientError, UnavailableError
from modeldeck_events.memory import MemoryStore
from modeldeck_events.runtime import Service
from modeldeck_events.settings import ServiceSettings
from modeldeck_events.store import Meta, Record
from nats.js.errors import NotFoundError

from tests.support.nats import LocalServer
from tests.unit.events.store_suite import FromTheFuture

DURABLE = "downloader-permits"
META = Meta(source="test")
Handler = Callable[[Record], Awaitable[None]]


@asynccontextmanager
async def serving(server: LocalServer, handler: Handler, **options: Any) -> AsyncIterator[Service]:
    service = Service("downloader", ServiceSettings(nats_url=server.url))
    service.policy(DURABLE, ["evt.download.>"], **options)(handler)
    await service.start()
    try:
        async with asyncio.timeout(30):
            await service.ready()
            yield service
    finally:
        await service.stop()


async def append(bus: Bus, key: str, text: str = "") -> int:
    event = d.DownloadPaused(download_id=key, message=text)
    return await bus.store.append(d.subject("default", key), [event], expected_seq=0, meta=META)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - it is the server's state that changes
            await asyncio.sleep(0.005)


async def settled(bus: Bus, acked: int) -> None:
    """Wait until the consumer has nothing left below and at sequence `acked`."""
    async with asyncio.timeout(20):
        while True:
            info = await bus.js.consumer_info(topology.EVENTS, DURABLE)
            if info.ack_floor and info.ack_floor.stream_seq >= acked and not info.num_ack_pending:
                return
            await asyncio.sleep(0.01)


class Recorder:
    """A handler that keeps what it got and fails as told: download id to errors, one per delivery."""

    def __init__(self, failures: dict[str, list[Exception]] | None = None) -> None:
        self.got: list[str] = []
        self.failures = failures or {}

    async def __call__(self, record: Record) -> None:
        assert isinstance(record.event, d.DownloadEvent)
        key = record.event.download_id
        self.got.append(key)
        if self.failures.get(key):
            raise self.failures[key].pop(0)


async def test_every_fact_is_handled_and_acked(server: LocalServer, connected: Bus) -> None:
    handler = Recorder()
    await append(connected, "a")
    async with serving(server, handler):
        await append(connected, "b")
        await settled(connected, 2)
    assert handler.got == ["a", "b"]


async def test_a_new_policy_may_begin_with_what_comes(server: LocalServer, connected: Bus) -> None:
    handler = Recorder()
    await append(connected, "a")
    async with serving(server, handler, start="new"):
        await append(connected, "b")
        await settled(connected, 2)
    assert handler.got == ["b"]


async def test_a_restart_goes_on_where_it_was(server: LocalServer, connected: Bus) -> None:
    first, second = Recorder(), Recorder()
    await append(connected, "a")
    async with serving(server, first):
        await settled(connected, 1)
    await append(connected, "b")
    async with serving(server, second):
        await settled(connected, 2)
    assert (first.got, second.got) == (["a"], ["b"])


async def test_a_failed_handler_gets_the_fact_again_and_holds_up_no_other(server: LocalServer, connected: Bus) -> None:
    handler = Recorder({"a": [TransientError("later", delay_s=0.2), KeyError("a bug")]})
    async with serving(server, handler):
        await append(connected, "a")
        await append(connected, "b")
        await settled(connected, 2)
    assert handler.got == ["a", "b", "a", "a"]


async def test_after_five_tries_it_is_a_dead_letter(server: LocalServer, connected: Bus) -> None:
    handler = Recorder({"a": [TransientError("never", delay_s=0.01) for _ in range(9)]})
    async with serving(server, handler):
        seq = await append(connected, "a", "text ü")
        await settled(connected, seq)
    assert handler.got == ["a"] * 5
    letter = await connected.js.get_last_msg(topology.DEAD_LETTERS, f"dead.{DURABLE}")
    original = await connected.js.get_msg(topology.EVENTS, seq)
    assert letter.data == original.data
    assert letter.headers is not None
    assert original.headers is not None
    kept = {name: value for name, value in original.headers.items() if name.startswith("ce-")}
    assert kept.items() <= letter.headers.items()
    assert letter.headers["Modeldeck-Reason"] == "never"
    assert letter.headers["Modeldeck-Subject"] == d.subject("default", "a")
    assert (letter.headers["Modeldeck-Seq"], letter.headers["Modeldeck-Deliveries"]) == (str(seq), "5")
    assert "TransientError" in letter.headers["Modeldeck-Trace"]
    [fact] = await connected.store.read(after=0, limit=9, subjects=["evt.system.>"])
    assert fact.event == system.MessageDeadLettered(
        durable=DURABLE, subject=d.subject("default", "a"), reason="never", stream_seq=seq, dead_seq=letter.seq or 0
    )


async def test_poison_is_a_dead_letter_at_once(server: LocalServer, connected: Bus) -> None:
    handler = Recorder({"a": [PoisonError("never of use")]})
    async with serving(server, handler):
        await append(connected, "a")
        await settled(connected, 1)
    assert handler.got == ["a"]
    assert (await connected.js.stream_info(topology.DEAD_LETTERS)).state.messages == 1


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        (None, b"not an event at all"),
        ({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-time": "2026-01-01T00:00:00Z"}, b"{}"),
        (
            {
                "ce-specversion": "1.0",
                "ce-id": "1",
                "ce-source": "s",
                "ce-time": "2026-01-01T00:00:00Z",
                "ce-type": d.DownloadPaused.TYPE,
            },
            b'{"download_id": 7}',
        ),
        (
            {
                "ce-specversion": "1.0",
                "ce-id": "1",
                "ce-source": "s",
                "ce-time": "2026-01-01T00:00:00Z",
                "ce-type": d.DownloadPaused.TYPE,
            },
            b'{"unheard_of": ' + b"[" * 200_000,
        ),
    ],
    ids=["no envelope", "no type", "against its schema", "too deep"],
)
async def test_the_undecodable_passes_to_the_dead_letters(
    server: LocalServer, connected: Bus, headers: dict[str, str] | None, data: bytes
) -> None:
    handler = Recorder()
    async with serving(server, handler):
        await connected.js.publish(d.subject("default", "x"), data, headers=headers)
        await append(connected, "b")
        await settled(connected, 2)
    assert handler.got == ["b"]
    letter = await connected.js.get_last_msg(topology.DEAD_LETTERS, f"dead.{DURABLE}")
    assert letter.data == data


async def test_a_newer_versions_fact_is_passed_over(server: LocalServer, connected: Bus) -> None:
    handler = Recorder()
    async with serving(server, handler):
        await connected.store.append(d.subject("default", "x"), [FromTheFuture(answer=1)], expected_seq=0, meta=META)
        await append(connected, "b")
        await settled(connected, 2)
    assert handler.got == ["b"]
    assert (await connected.js.stream_info(topology.DEAD_LETTERS)).state.messages == 0


async def test_an_outage_costs_no_tries(server: LocalServer, connected: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "OUTAGE_RETRY_S", 0.01)
    handler = Recorder({"a": [UnavailableError("away") for _ in range(20)]})
    async with serving(server, handler):
        await append(connected, "a")
        await settled(connected, 1)
    assert handler.got == ["a"] * 21
    assert (await connected.js.stream_info(topology.DEAD_LETTERS)).state.messages == 0


async def test_a_deleted_consumer_is_noticed_and_goes_on_after_what_was_acked(
    server: LocalServer, connected: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "WATCH_S", 0.2)
    handler = Recorder()
    async with serving(server, handler):
        await append(connected, "a")
        await settled(connected, 1)
        await asyncio.sleep(0.5)  # the watch has to have seen the ack once
        await connected.js.delete_consumer(topology.EVENTS, DURABLE)
        await append(connected, "b")
        await until(lambda: "b" in handler.got)
    assert handler.got == ["a", "b"]


async def test_a_lost_store_begins_a_new_log_for_the_policy(
    server: LocalServer, connected: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "WATCH_S", 0.2)
    handler = Recorder()
    async with serving(server, handler):
        for key in ("a", "b", "c"):
            await append(connected, key)
        await settled(connected, 3)
        await server.stop()
        server.wipe()
        await server.start()
        await connected.nc.wait_usable(10)
        await topology.ensure(connected.js)
        await append(connected, "d")
        await until(lambda: "d" in handler.got)
    assert handler.got == ["a", "b", "c", "d"]


async def test_a_killed_server_loses_no_fact_for_the_policy(server: LocalServer, connected: Bus) -> None:
    handler = Recorder()
    async with serving(server, handler):
        await append(connected, "a")
        await until(lambda: handler.got == ["a"])
        await server.kill()
        await server.start()
        await append(connected, "b")
        await until(lambda: "b" in handler.got)
    assert set(handler.got) == {"a", "b"}


async def test_two_processes_share_the_work(server: LocalServer, connected: Bus) -> None:
    one, two = Recorder(), Recorder()
    async with serving(server, one), serving(server, two):
        for number in range(40):
            await append(connected, f"k{number}")
        await settled(connected, 40)
    assert sorted(one.got + two.got) == sorted(f"k{number}" for number in range(40))
    assert one.got
    assert two.got


async def test_a_changed_configuration_is_taken_over(server: LocalServer, connected: Bus) -> None:
    handler = Recorder()
    async with serving(server, handler):
        await append(connected, "a")
        await settled(connected, 1)
    async with serving(server, handler, concurrency=3):
        info = await connected.js.consumer_info(topology.EVENTS, DURABLE)
        assert info.config.max_ack_pending == 3 * delivery.PREFETCH
        await append(connected, "b")
        await settled(connected, 2)
    assert handler.got == ["a", "b"]


async def test_no_more_handlers_run_than_allowed(server: LocalServer, connected: Bus) -> None:
    running = most = 0

    async def handler(_record: Record) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    async with serving(server, handler, concurrency=3):
        for number in range(20):
            await append(connected, f"k{number}")
        await settled(connected, 20)
    assert most == 3


async def test_a_handler_longer_than_the_ack_wait_runs_once(
    server: LocalServer, connected: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "ACK_WAIT_S", 0.6)
    started = 0

    async def handler(_record: Record) -> None:
        nonlocal started
        started += 1
        await asyncio.sleep(1.5)

    async with serving(server, handler):
        await append(connected, "a")
        await settled(connected, 1)
    assert started == 1


async def test_what_waits_behind_a_long_handler_comes_once(
    server: LocalServer, connected: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "ACK_WAIT_S", 0.6)
    got: list[str] = []

    async def handler(record: Record) -> None:
        assert isinstance(record.event, d.DownloadEvent)
        got.append(record.event.download_id)
        await asyncio.sleep(1.5 if record.event.download_id == "a" else 0)

    async with serving(server, handler):
        for key in ("a", "b", "c"):
            await append(connected, key)
        await settled(connected, 3)
    assert got == ["a", "b", "c"]


async def test_a_letter_is_handled_again_by_its_own_policy(server: LocalServer, connected: Bus) -> None:
    handler = Recorder({"a": [PoisonError("once"), PoisonError("twice")]})
    async with serving(server, handler):
        seq = await append(connected, "a")
        await settled(connected, seq)
        [(number, letter)] = await replay.letters(connected)
        assert (letter.durable, letter.seq, letter.reason) == (DURABLE, seq, "once")
        head = await connected.store.head()
        with pytest.raises(PoisonError, match="twice"):
            await replay.replay(connected, number)
        await replay.replay(connected, number)
        with pytest.raises(PoisonError, match="no letter"):
            await replay.replay(connected, number + 1)
        assert await connected.store.head() == head, "a fact happens once"
    assert handler.got == ["a"] * 3
    with pytest.raises(UnavailableError, match="not running for the durable downloader-permits"):
        await replay.replay(connected, number)


async def test_a_letter_of_another_stream_is_published_again(
    server: LocalServer, connected: Bus, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = Letter("workers", topology.JOBS, 7, "job.download.default", {"Nats-Msg-Id": "x", "a": "b"}, b"permit")
    await dead_letters.bury(connected.js, connected.store, letter, PoisonError("of no use"), source="test")
    assert await replay.run(server.url, []) == 0
    assert "1 workers job.download.default JOBS:7 of no use" in capsys.readouterr().out
    assert await replay.run(server.url, [1, 5]) == 1
    again = await connected.js.get_last_msg(topology.JOBS, "job.download.default")
    assert (again.data, again.headers) == (b"permit", {"a": "b"})
    monkeypatch.delenv(replay.URL, raising=False)
    with pytest.raises(SystemExit):
        replay.main([])


async def test_a_letter_whose_fact_was_not_stored_gets_it_by_the_next_try(connected: Bus) -> None:
    class Away(MemoryStore):
        async def append(self, *_args: object, **_named: object) -> int:
            raise UnavailableError("away")

    letter = Letter(DURABLE, topology.EVENTS, 3, "evt.x.y", {}, b"broken")
    with pytest.raises(UnavailableError):
        await dead_letters.bury(connected.js, Away(), letter, PoisonError("no"), source="test")
    for _ in range(2):
        await dead_letters.bury(connected.js, connected.store, letter, PoisonError("no"), source="test")
    [fact] = await connected.store.read(after=0, limit=9, subjects=["evt.system.>"])
    assert isinstance(fact.event, system.MessageDeadLettered)
    assert fact.event.dead_seq == 1
    assert (await connected.js.stream_info(topology.DEAD_LETTERS)).state.messages == 1


async def test_what_does_not_fit_beside_its_reason_stays_in_its_stream(connected: Bus) -> None:
    body = b'"' + b"x" * (connected.nc.max_payload - 200) + b'"'
    ack = await connected.js.publish("job.download.default", body)
    [message] = [await connected.js.get_msg(topology.JOBS, ack.seq)]
    letter = Letter("workers", topology.JOBS, ack.seq, "job.download.default", {}, message.data or b"")
    await dead_letters.bury(connected.js, connected.store, letter, PoisonError("too long"), source="test")
    [(_, found)] = await replay.letters(connected)
    assert (found.data == body, found.reason) == (True, "too long")


async def test_names_that_no_consumer_can_have_are_refused(server: LocalServer) -> None:
    service = Service("downloader", ServiceSettings(nats_url=server.url))
    with pytest.raises(ValueError, match="durable's name"):
        service.policy("a.b", ["evt.>"])(Recorder())


async def test_an_unwatched_consumer_is_not_made_by_a_reader(connected: Bus) -> None:
    config = delivery.Policy(DURABLE, ("evt.>",), Recorder()).consumer()
    with pytest.raises(NotFoundError):
        await delivery.ensure_consumer(connected.js, topology.EVENTS, config, create=False)


def test_the_drain_fits_into_the_promise() -> None:
    assert runtime.DRAIN_S < 10
