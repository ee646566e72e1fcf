"""Personal tokens over HTTP: made, scoped, revoked, known to every gateway, named in the log; the pace of writers."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway import api
from gateway.app import App
from gateway.pace import Pace
from gateway.rights import find
from gateway.server import bind
from modeldeck_events.presets import PresetPublished
from modeldeck_events.presets import subject as preset_subject
from modeldeck_events.store import Meta
from modeldeck_events.studio.training import TrainingStarted
from modeldeck_events.users import TokenIssued, subject

from tests.integration.gateway.conftest import TOKEN, Product, caught_up, client, settings
from tests.integration.gateway.fakes import eventually
from tests.integration.gateway.sse_client import Follower
from tests.support.nats import NatsServer
from tests.unit.gateway.facts import preset

TOKENS = "/api/v1/user/tokens"
QUESTIONS = {
    ("POST", "/api/v1/downloads/plan"),
    ("POST", "/api/v1/workflows/scan"),
    ("POST", "/api/v1/workflows/plan"),
    ("POST", "/api/v1/workflows/lock"),
    ("POST", "/api/v1/workflows/lock"),
    ("POST", "/api/v1/workflows/lock/plan"),
}
"""Reads that take a body."""


def every_route() -> list[tuple[str, str]]:
    paths = api.document(api.build(None))["paths"]
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", "a", path)) for path, operations in paths.items() for method in operations
    ]


async def make(product: Product, **body: Any) -> dict[str, Any]:
    answer = await product.http.post(TOKENS, json={"name": "ci", **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@asynccontextmanager
async def holder(product: Product, **body: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a new personal token."""
    async with client(product.url, token=(await make(product, **body))["token"]) as http:
        yield http


@pytest.fixture
async def replica(product: Product, nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a second gateway on the same log, with the same local token and a folder of its own."""
    listener = bind("127.0.0.1", 0)
    app = App(settings(tmp_path / "replica", nats_server.url), listener)
    await app.service.start()
    await app.service.ready()
    await eventually(lambda: caught_up(app, product.services))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    await app.service.stop()


async def test_a_token_is_shown_once_and_listed_by_its_prefix(product: Product) -> None:
    answer = await product.http.post(
        TOKENS, json={"name": "ci bot", "scopes": ["operate", "read"], "expires_in_days": 30}
    )
    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"{TOKENS}/{made['id']}")
    assert re.fullmatch(r"md_[A-Za-z0-9]{32}", made["token"])
    assert (made["prefix"], made["scopes"]) == (made["token"][:9], ["read", "operate"])
    days = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < days <= timedelta(days=30)
    listed = await product.http.get(TOKENS)
    assert listed.json() == {"tokens": [{k: v for k, v in made.items() if k != "token"}], "total": 1}
    log = await product.http.get("/api/v1/events", params={"type": "modeldeck.user.token-issued.v1"})
    assert made["token"] not in listed.text + log.text
    assert len(log.json()["events"]) == 1


async def test_the_list_tells_when_a_token_opened_something_last(product: Product) -> None:
    async with holder(product) as http:
        assert "last_used_at" not in (await product.http.get(TOKENS)).json()["tokens"][0]
        assert (await http.get("/api/v1/presets")).status_code == 200
        used = datetime.fromisoformat((await product.http.get(TOKENS)).json()["tokens"][0]["last_used_at"])
        assert datetime.now(UTC) - used < timedelta(seconds=30)


async def test_a_token_without_scopes_only_reads(product: Product) -> None:
    async with holder(product) as http:
        assert (await http.get("/api/v1/session")).json() == {
            "user_id": "local",
            "kind": "token",
            "token_name": "ci",
            "scopes": ["read"],
        }
        assert (await http.get("/api/v1/presets")).status_code == 200
        assert (await http.get("/metrics")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "<script>"},
        {"name": "x" * 101},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["root"]},
        {"name": "a", "expires_in_days": 0},
        {"name": "a", "expires_in_days": "1"},
        {"name": "a", "expires_in_days": 5000},
        {"name": "a", "sha256": "0"},
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(product: Product, body: dict[str, Any]) -> None:
    answer = await product.http.post(TOKENS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_name_is_taken_once_so_a_repeated_request_makes_no_second_token(product: Product) -> None:
    made = await make(product)
    again = await product.http.post(TOKENS, json={"name": "ci"})
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    assert (await product.http.delete(f"{TOKENS}/{made['id']}")).status_code == 204
    await make(product)


def test_every_route_has_a_scope() -> None:
    routes = [*every_route(), ("GET", "/docs"), ("GET", "/openapi.json")]
    assert [route for route in routes if find(*route) is None] == [], "say in rights.py what these need"
    writes = {(method, path): find(method, path) for method, path in routes if method != "GET"}
    reading = {route for route, need in writes.items() if need == "read"}
    assert reading == QUESTIONS


async def test_a_reader_gets_403_on_every_write_and_hears_which_scope_is_missing(product: Product) -> None:
    async with holder(product, scopes=["read"]) as http:
        for method, path in every_route():
            need = find(method, path)
            if path == "/api/v1/stream" or need == "open":
                continue
            for spelling in (path, path.replace("/api/v1", "/api"), f"{path}/"):
                answer = await http.request(method, spelling)
                if need in {"read", "any"}:
                    assert answer.status_code not in {401, 403}, (method, spelling, answer.text)
                    continue
                missing = {"person": "admin", "own": "operate"}.get(str(need), need)
                assert (answer.status_code, answer.json()["code"]) == (403, "no_right"), (method, spelling)
                assert answer.json()["missing_scope"] == missing
                assert f'scope="{missing}"' in answer.headers["www-authenticate"]
    said = {type(command).__name__ for command in product.services.received}
    assert not said & {"QueueDownload", "CancelDownload", "DeleteModelFile", "UninstallPreset", "ConfigurePool"}


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (["operate"], {"read", "operate"}),
        (["publish"], {"publish"}),
        (["read", "publish"], {"read", "publish"}),
        (["admin"], {"read", "operate", "publish", "admin"}),
    ],
)
async def test_scopes_open_what_they_say(product: Product, scopes: list[str], allowed: set[str]) -> None:
    tries = {
        "read": ("GET", "/api/v1/presets"),
        "operate": ("POST", "/api/v1/presets/a/install"),
        "publish": ("POST", "/api/v1/events"),
        "admin": ("GET", TOKENS),
    }
    async with holder(product, scopes=scopes) as http:
        for right, (method, path) in tries.items():
            status = (await http.request(method, path)).status_code
            assert (status == 403) is (right not in allowed), (right, status)


async def test_a_token_makes_no_token_that_may_more_or_lasts_longer(product: Product) -> None:
    async with holder(product, scopes=["operate"]) as http:
        refused = await http.post(TOKENS, json={"name": "more"})
        assert (refused.status_code, refused.json()["missing_scope"]) == (403, "admin")
    async with holder(product, name="root", scopes=["admin"], expires_in_days=2) as http:
        child = (await http.post(TOKENS, json={"name": "child", "scopes": ["admin"], "expires_in_days": 90})).json()
        endless = (await http.post(TOKENS, json={"name": "endless"})).json()
        parent = next(token for token in (await http.get(TOKENS)).json()["tokens"] if token["name"] == "root")
        assert child["expires_at"] == endless["expires_at"] == parent["expires_at"]


async def test_revoking_ends_a_token_and_its_streams_on_every_gateway(product: Product, replica: str) -> None:
    made = await make(product)
    async with AsyncExitStack() as stack:
        holders = [await stack.enter_async_context(client(url, token=made["token"])) for url in (product.url, replica)]
        followers = [Follower(http, "queue") for http in holders]
        for follower in followers:
            await follower.until(lambda f: bool(f.last_id))
        other = Follower(product.http, "queue")
        await other.until(lambda f: bool(f.last_id))
        assert (await product.http.delete(f"{TOKENS}/{made['id']}")).status_code == 204
        for follower, http in zip(followers, holders, strict=True):
            await follower.ended()
            assert (await http.get("/api/v1/presets")).status_code == 401
        assert not other._task.done()
        await other.stop()
    assert (await product.http.get(TOKENS)).json() == {"tokens": [], "total": 0}
    gone = await product.http.delete(f"{TOKENS}/{made['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "token_not_found")


async def test_a_stream_that_waits_for_its_beginning_ends_with_its_token(product: Product) -> None:
    made = await make(product)
    position, streams = product.app.live.position, product.app.gateway.streams
    async with client(product.url, token=made["token"]) as http:
        follower = Follower(http, "activity", last_event_id=f"{position.epoch}.{position.seq + 1}")

        async def waits() -> bool:
            return streams.open_count == 1

        await eventually(waits)
        assert (await product.http.delete(f"{TOKENS}/{made['id']}")).status_code == 204  # and that it waited for
        await follower.ended()
    assert streams.open_count == 0


async def test_a_token_made_by_one_gateway_opens_the_other_at_once(product: Product, replica: str) -> None:
    for number in range(5):
        token = (await make(product, name=f"bot {number}"))["token"]
        async with client(replica, token=token) as http:
            assert (await http.get("/api/v1/presets")).status_code == 200


async def test_signing_out_ends_the_session_on_every_gateway(product: Product, replica: str) -> None:
    async with client(product.url, token="") as browser, client(replica, token="") as elsewhere:
        await browser.post("/api/v1/session", json={"token": TOKEN})
        name, value = next(iter(browser.cookies.items()))
        theirs = {"Cookie": f"{name.replace(product.url.rsplit(':')[-1], replica.rsplit(':', maxsplit=1)[-1])}={value}"}
        assert (await elsewhere.get("/api/v1/presets", headers=theirs)).status_code == 200
        assert (await browser.delete("/api/v1/session")).status_code == 204

        async def refused() -> bool:
            return (await elsewhere.get("/api/v1/presets", headers=theirs)).status_code == 401

        await eventually(refused)


async def test_an_expired_token_opens_nothing_and_its_streams_end(product: Product) -> None:
    made = await make(product, name="long")
    users = product.app.boards.users
    issued = users.token(made["id"])
    assert issued is not None
    soon = datetime.now(UTC) + timedelta(seconds=1)
    short = TokenIssued(
        user_id="local",
        token_id=made["id"],
        name="short",
        prefix=made["prefix"],
        sha256=issued.sha256,
        scopes=("read",),
        expires_at=soon,
    )
    store = product.services.bus.store
    last = await store.last_seq(subject("local"))
    await store.append(subject("local"), [short], expected_seq=last, meta=Meta(source="test"))
    await eventually(lambda: caught_up(product.app, product.services))
    async with client(product.url, token=made["token"]) as http:
        follower = Follower(http, "queue")
        await follower.until(lambda f: bool(f.last_id))
        await follower.ended()
        assert datetime.now(UTC) >= soon
        refused = await http.get("/api/v1/presets")
        assert (refused.status_code, refused.json()["code"]) == (401, "token_expired")
        assert (await product.http.get(TOKENS)).json()["tokens"][0]["expired"] is True


async def test_wrong_tokens_wait_and_right_ones_do_not(product: Product) -> None:
    async with holder(product) as http, client(product.url, token="md_" + "x" * 32) as guesser:
        answers = [(await guesser.get("/api/v1/presets")).status_code for _ in range(12)]
        assert answers[:10] == [401] * 10
        assert answers[-1] == 429
        assert (await http.get("/api/v1/presets")).status_code == 200


async def test_who_did_what_stands_in_the_log_with_the_tokens_name(product: Product) -> None:
    async with holder(product, name="ci bot", scopes=["operate", "admin"]) as http:
        await http.post("/api/v1/presets/a/install")
        assert product.services.received[-1].actor == "local/token:ci bot"  # type: ignore[attr-defined]
        await http.put("/api/v1/user/settings", json={"show_featured_models": False})
        await http.post("/api/v1/presets/b/install")
        log = (await http.get("/api/v1/events", params={"type": "modeldeck.user.settings-changed.v1"})).json()
        assert [event["actor"] for event in log["events"]] == ["local/token:ci bot"]
    shown = (await product.http.get("/api/v1/user/settings")).json()
    assert shown["show_featured_models"] is False, "a token acts for its owner"


async def publish(http: httpx.AsyncClient, number: int, **attributes: str) -> None:
    attributes |= {"specversion": "1.0", "id": f"{number}", "source": "trainer", "type": TrainingStarted.TYPE}
    event = {**attributes, "data": {"job_id": f"{number}"}}
    kind = {"Content-Type": "application/cloudevents+json"}
    answer = await http.post("/api/v1/events", json=event, headers=kind)
    assert answer.status_code == 200, answer.text


async def test_a_publisher_speaks_in_nobody_elses_name(product: Product) -> None:
    async with holder(product, name="trainer", scopes=["publish"]) as http:
        await publish(http, 1)
        await publish(http, 2, actor="local")
    await publish(product.http, 3)
    await publish(product.http, 4, actor="ana")
    log = (await product.http.get("/api/v1/events", params={"type": TrainingStarted.TYPE})).json()
    wanted = ["local/token:trainer", "local/token:trainer/local", "local", "ana"]
    assert [event["actor"] for event in log["events"]] == wanted
    feed = (await product.http.get("/api/v1/activity")).json()["activities"]
    assert [entry["actor_user_id"] for entry in feed] == wanted[::-1]


async def test_writers_are_paced_and_readers_are_not(product: Product) -> None:
    product.app.front._writes = Pace(rate=0.5, burst=3)
    async with holder(product, scopes=["operate"]) as http:  # makes the first of three
        answers = [(await http.post("/api/v1/presets/a/install")) for _ in range(4)]
        assert [answer.status_code for answer in answers[:2]] == [200, 200]
        assert (answers[3].status_code, answers[3].json()["code"]) == (429, "rate_limited")
        assert 1 <= int(answers[3].headers["retry-after"]) <= 2
        assert (await product.http.post("/api/v1/presets/a/install")).status_code == 429, "of the same user"
        for _ in range(20):
            assert (await http.get("/api/v1/presets")).status_code == 200


async def test_what_a_user_did_for_himself_is_shown_to_nobody_else(product: Product) -> None:
    stream = Follower(product.http, "events")
    await stream.until(lambda seen: seen.named("hello"))
    made = await product.http.post("/api/v1/user/tokens", json={"name": "reader", "scopes": ["read"]})
    assert made.status_code == 201, made.text
    reader = {"Authorization": f"Bearer {made.json()['token']}"}
    await product.services.append(preset_subject("c"), PresetPublished(preset=preset("c")))
    await stream.until(lambda seen: seen.named("event"))
    assert [event.data["type"] for event in stream.named("event")] == [PresetPublished.TYPE]
    await stream.stop()
    everything = (await product.http.get("/api/v1/events?limit=200")).json()["events"]
    public = (await product.http.get("/api/v1/events?limit=200", headers=reader)).json()["events"]
    assert "modeldeck.user.token-issued.v1" in {event["type"] for event in everything}
    assert [event for event in everything if not event["subject"].startswith("evt.user.")] == public
