"""`modeldeck doctor --rebuild` on a real bus: equal boards, boards that were tampered with, and what is in the way."""

import pytest
from modeldeck_local.rebuild import Outcome, RebuildError, compare

from tests.integration.gateway.conftest import TOKEN, Product, caught_up
from tests.integration.gateway.fakes import eventually
from tests.support.big_log import Size, facts, fill
from tests.support.nats import NatsServer
from tests.unit.gateway.facts import progress

SMALL = Size(files=40, templates=12, presets=5, downloads=20, studio=100)


async def furnish(product: Product) -> None:
    bus = product.services.bus
    after = (await bus.store.head()).seq
    await fill(bus, facts(SMALL), after=after)
    await eventually(lambda: caught_up(product.app, product.services))
    await eventually(lambda: told(product))


async def told(product: Product) -> bool:
    """Topics are published a moment after their boards; what a test spoils meanwhile would be put right, or told."""
    return product.app.live._timer is None


async def compared(product: Product, nats_server: NatsServer) -> Outcome:
    return await compare(product.url, TOKEN, nats_server.url)


async def test_all_boards_equal_a_rebuild(product: Product, nats_server: NatsServer) -> None:
    await furnish(product)
    product.app.live.on_reading(progress("00000000-0000-4000-8000-000000000001", 7))
    outcome = await compared(product, nats_server)
    assert outcome.differing == {}
    assert outcome.seq == product.app.live.position.seq
    assert {"downloads", "library", "studio", "users", "topic:models", "topic:templates"} <= set(outcome.names)


async def test_a_board_that_lost_something_is_named_and_where(product: Product, nats_server: NatsServer) -> None:
    await furnish(product)
    path, file = next(iter(product.app.boards.library.files.items()))
    file.size_bytes = 12345678
    outcome = await compared(product, nats_server)
    assert set(outcome.differing) == {"library"}
    assert outcome.differing["library"] == [f"/files/{path}/size_bytes: 12345678 instead of 1"]


async def test_what_was_published_and_does_not_fit_is_named(product: Product, nats_server: NatsServer) -> None:
    await furnish(product)
    topic = product.app.live.topics["templates"]
    topic.published = topic.published | {"templates": dict(list(topic.published["templates"].items())[1:])}
    outcome = await compared(product, nats_server)
    assert set(outcome.differing) == {"topic:templates"}
    assert outcome.differing["topic:templates"][0].startswith("/templates/workflows/template-0: null instead of ")


async def test_a_wrong_token_and_a_dead_bus_are_said(product: Product, nats_server: NatsServer) -> None:
    with pytest.raises(RebuildError, match="401"):
        await compare(product.url, "wrong", nats_server.url)
    with pytest.raises(RebuildError, match="does not answer"):
        await compare("http://127.0.0.1:9", TOKEN, nats_server.url)
