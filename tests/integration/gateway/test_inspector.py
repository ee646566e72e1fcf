"""What nobody can read in the log becomes one dead letter, soon and once, and the gateway goes on."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.app import App
from gateway.inspector import NAME
from gateway.server import bind
from modeldeck_events import downloads as d
from modeldeck_events import topology
from modeldeck_events.system import MessageDeadLettered

from tests.integration.gateway.conftest import Product, caught_up, settings
from tests.integration.gateway.fakes import eventually
from tests.support.nats import NatsServer

ENVELOPE = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-time": "2026-01-01T00:00:00Z"}
PAUSED = {**ENVELOPE, "ce-type": d.DownloadPaused.TYPE}
DEEP = b'{"unheard_of": ' + b"[" * 200_000


async def test_broken_facts_become_letters_and_newer_types_pass(product: Product) -> None:
    js = product.services.bus.js
    broken = [
        (await js.publish("evt.model.x", data, headers=headers)).seq
        for data, headers in ((b"no event", None), (b"{}", ENVELOPE), (b'{"download_id": 7}', PAUSED), (DEEP, PAUSED))
    ]
    await js.publish("evt.model.x", b"{}", headers={**ENVELOPE, "ce-type": "modeldeck.model.dreamt.v9"})

    async def told() -> list[int]:
        found = await product.services.bus.store.read(after=0, limit=99, subjects=["evt.system.>"])
        return [fact.event.stream_seq for fact in found if isinstance(fact.event, MessageDeadLettered)]

    await eventually(lambda: _equal(told, broken), 5)
    letter = await js.get_last_msg(topology.DEAD_LETTERS, f"dead.{NAME}")
    assert (letter.data, (letter.headers or {})["ce-type"]) == (DEEP, d.DownloadPaused.TYPE)
    events = (await product.http.get("/api/v1/events", params={"limit": 200})).json()
    assert [event["data"] for event in events["events"] if event["seq"] == broken[3]] == [DEEP.decode()]
    await eventually(lambda: caught_up(product.app, product.services))
    activities = (await product.http.get("/api/v1/activity", params={"limit": 200})).json()["activities"]
    assert sum(entry["title"] == "A message could not be handled" for entry in activities) == len(broken)


async def test_a_rebuilt_gateway_keeps_no_second_letter(
    product: Product, nats_server: NatsServer, tmp_path: Path
) -> None:
    js = product.services.bus.js
    await js.publish("evt.model.x", b"no event")

    async def letters() -> int:
        return (await js.stream_info(topology.DEAD_LETTERS)).state.messages

    await eventually(lambda: _equal(letters, 1), 5)
    head = await product.services.bus.store.head()
    again = App(settings(tmp_path / "again", nats_server.url), bind("127.0.0.1", 0))
    await again.service.start()
    await again.service.ready()
    try:
        await eventually(lambda: caught_up(again, product.services))
        assert again._inspector.pending == {}
    finally:
        await again.service.stop()
    assert (await product.services.bus.store.head(), await letters()) == (head, 1)


async def _equal(found: Callable[[], Awaitable[object]], wanted: object) -> bool:
    return bool(await found() == wanted)
