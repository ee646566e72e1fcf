"""The topic `user`: a person's board and settings reach every browser of his at once, and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from modeldeck_events.presets import PresetPublished
from modeldeck_events.presets import subject as preset_subject
from pydantic import SecretStr

from tests.integration.gateway.conftest import Product, client, running
from tests.integration.gateway.sse_client import Follower
from tests.support.issuer import CLIENT_ID, SECRET, Issuer
from tests.support.nats import NatsServer
from tests.unit.gateway.facts import preset

BOARD = "/api/v1/user/dashboard"
PLACE: dict[str, Any] = {"widget": "stats", "x": 0, "y": 0, "w": 4, "h": 1}
WITHIN_S = 1.0


class Team(NamedTuple):
    product: Product
    ana: httpx.AsyncClient
    ben: httpx.AsyncClient


@pytest.fixture
async def team(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Team]:
    """Two people at one gateway."""
    async with (
        Issuer() as issuer,
        running(
            nats_server.url,
            tmp_path,
            auth="oidc",
            oidc_issuer=issuer.url,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=SecretStr(SECRET),
            oidc_scopes={"admins": ("admin",)},
        ) as product,
        client(product.url, token=issuer.sign(sub="ana")) as ana,
        client(product.url, token=issuer.sign(sub="ben")) as ben,
    ):
        yield Team(product, ana, ben)


def _started(follower: Follower) -> bool:
    return follower.state("user") is not None


async def test_what_one_person_changes_comes_to_all_of_his_streams_and_to_no_one_elses(team: Team) -> None:
    mine = [Follower(team.ana, "user"), Follower(team.ana, "queue,user")]
    theirs = Follower(team.ben, "user,presets,events")
    for follower in (*mine, theirs):
        await follower.until(_started)
    assert theirs.state("user")["user_id"] == "oidc:ben"
    before = [event.data for event in theirs.seen]

    kept = (await team.ana.put(BOARD, json={"layout": [PLACE], "widget_settings": {"stats": {"x": 1}}})).json()
    await team.ana.put("/api/v1/user/settings", json={"show_featured_models": False})
    for follower in mine:
        await follower.until(lambda f: not f.state("user")["settings"]["show_featured_models"], WITHIN_S)
        assert follower.state("user") == {
            "user_id": "oidc:ana",
            "dashboard": kept,
            "settings": {"show_featured_models": False},
        }
    # What comes after on the same stream is there: nothing of hers was before it.
    await team.product.services.append(preset_subject("after"), PresetPublished(preset=preset("after")))
    await theirs.until(lambda f: "after" in f.state("presets")["presets"])
    news = [event for event in theirs.seen[len(before) :] if event.name != "ping"]
    assert {event.name for event in news} == {"delta", "event"}
    assert [event.data["topic"] for event in news if event.name == "delta"] == ["presets"]
    assert "ana" not in str([event.data for event in theirs.seen])
    for follower in (*mine, theirs):
        await follower.stop()


async def test_the_state_is_the_callers_own_and_comes_only_when_it_is_named(team: Team) -> None:
    await team.ana.put(BOARD, json={"layout": [PLACE]})
    states = [(await http.get("/api/v1/state?topics=user")).json()["user"] for http in (team.ana, team.ben)]
    assert [state["user_id"] for state in states] == ["oidc:ana", "oidc:ben"]
    assert [state["dashboard"]["is_default"] for state in states] == [False, True]
    assert states[0]["dashboard"] == (await team.ana.get(BOARD)).json()
    assert "user" not in (await team.ana.get("/api/v1/state")).json()
    follower = Follower(team.ana, "")
    await follower.until(lambda f: bool(f.last_id))
    assert "user" not in [event.data.get("topic") for event in follower.seen]
    await follower.stop()


async def test_a_reset_board_and_one_that_changed_while_nobody_looked(team: Team) -> None:
    first = Follower(team.ana, "user,activity")
    await first.until(_started)
    await team.ana.put(BOARD, json={"layout": [PLACE]})
    await first.until(lambda f: not f.state("user")["dashboard"]["is_default"], WITHIN_S)
    last_id = first.last_id
    await first.stop()
    async with asyncio.timeout(5):
        while team.product.app.live.stream_count:  # noqa: ASYNC110  # the server notices
            await asyncio.sleep(0.01)
    assert not list(team.product.app.live._own), "nothing is kept for whom nobody follows"
    await team.ana.delete(BOARD)
    again = Follower(team.ana, "user,activity", last_event_id=last_id)
    await again.until(_started)
    assert again.state("user")["dashboard"] == (await team.ana.get(BOARD)).json()
    assert again.state("user")["dashboard"]["is_default"] is True
    await again.stop()
