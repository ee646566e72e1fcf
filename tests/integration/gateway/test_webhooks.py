"""Webhooks on a real bus, against a receiver that fails, hangs and redirects."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from gateway.app import App
from gateway.webhooks import sender

from tests.integration.gateway.conftest import Product, running
from tests.integration.gateway.fakes import eventually, fake_services
from tests.support.nats import NatsServer
from tests.support.receiver import HANG, Receiver, receiver
from tests.unit.gateway.facts import queued

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
Start = Callable[[], AbstractAsyncContextManager[Product]]


def quick(app: App) -> None:
    """Five tries within some 50 ms instead of two minutes."""
    for worker in app.gateway.webhooks.workers.values():
        worker._retry_s = (0.005, 0.01, 0.01, 0.02)


@pytest.fixture
async def hooks() -> AsyncIterator[Receiver]:
    async with receiver() as found:
        yield found


@pytest.fixture
def start(nats_server: NatsServer, tmp_path: Path, hooks: Receiver) -> Start:
    webhook = {"name": "studio", "url": f"{hooks.url}/hook", "secret": SECRET, "types": ["modeldeck.download.*"]}
    file = tmp_path / "hooks.json"
    file.write_text(json.dumps([webhook]))
    return lambda: running(nats_server.url, tmp_path, before=quick, webhooks=str(file))


async def queue(product: Product, *names: str) -> list[int]:
    return [await product.services.append_download(name, queued(name, preset_id=name)) for name in names]


async def shown(product: Product) -> dict[str, Any]:
    answer = await product.http.get("/api/v1/webhooks")
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["webhooks"]
    return dict(found)


async def is_(product: Product, state: str) -> None:
    async def reached() -> bool:
        return bool((await shown(product))["state"] == state)

    await eventually(reached)


async def test_facts_arrive_in_order_signed_and_only_those_that_are_wanted(start: Start, hooks: Receiver) -> None:
    async with start() as product:
        await product.http.put("/api/v1/user/settings", json={"show_featured_models": False})
        seqs = await queue(product, "x", "y", "z")
        await hooks.until(3)
        assert hooks.taken == seqs
        hook = hooks.hooks[0]
        assert hook.path == "/hook"
        assert hook.headers["content-type"].startswith("application/cloudevents+json")
        event = hook.event
        assert (event["specversion"], event["type"]) == ("1.0", "modeldeck.download.queued.v1")
        assert event["data"]["download_id"] == "x"
        signed = f"{hook.headers['webhook-id']}.{hook.headers['webhook-timestamp']}.".encode() + hook.body
        expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert hook.headers["webhook-signature"] == f"v1,{expected}"
        await is_(product, "active")
        told = await shown(product)
        assert (told["last_seq"], told["origin"]) == (seqs[-1], hooks.url)
        assert SECRET not in json.dumps(told)
        assert "/hook" not in json.dumps(told)


async def test_what_fails_is_tried_again_and_nothing_overtakes_it(
    start: Start, hooks: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_TIMEOUTS", {"connect": 1, "read": 0.05, "write": 1, "pool": 1})
    hooks.answers = [500, HANG, 429, 503]
    async with start() as product:
        seqs = await queue(product, "x", "y")
        await hooks.until(6)
        assert hooks.taken == [seqs[0]] * 5 + [seqs[1]]
        assert len({hook.headers["webhook-id"] for hook in hooks.hooks[:5]}) == 1
        assert hooks.hooks[5].headers["webhook-id"] != hooks.hooks[0].headers["webhook-id"]


async def test_redirects_are_not_followed(start: Start, hooks: Receiver) -> None:
    async with receiver() as elsewhere, start() as product:
        hooks.always, hooks.location = 307, f"{elsewhere.url}/steal"
        await queue(product, "x")
        await is_(product, "parked")
        assert "redirects are not followed" in (await shown(product))["last_error"]
        assert elsewhere.hooks == []


async def test_what_keeps_failing_is_parked_visible_and_resumed(start: Start, hooks: Receiver) -> None:
    async with start() as product:
        hooks.always = 500
        seqs = await queue(product, "x", "y")
        await is_(product, "parked")
        assert hooks.taken == [seqs[0]] * 5
        told = await shown(product)
        assert (told["parked_seq"], told["last_error"]) == (seqs[0], "it answered 500")
        (entry,) = [e for e in await activities(product) if e["type"] == "webhook"]
        assert (entry["title"], entry["status"]) == ("Webhook studio is parked", "failed")
        (fact,) = await facts(product, "modeldeck.system.webhook-parked.v1")
        assert fact["data"] == {"webhook": "studio", "stream_seq": seqs[0], "tries": 5, "reason": "it answered 500"}
        hooks.always = None
        resumed = await product.http.post("/api/v1/webhooks/studio/resume")
        assert (resumed.status_code, resumed.json()["status"]) == (200, "resumed")
        await hooks.until(7)
        assert hooks.taken[5:] == seqs
        await is_(product, "active")
        again = await product.http.post("/api/v1/webhooks/studio/resume")
        assert (again.status_code, again.json()["code"]) == (409, "not_parked")
        assert (await product.http.post("/api/v1/webhooks/nope/resume")).status_code == 404


async def test_one_that_cannot_be_taken_is_skipped(start: Start, hooks: Receiver) -> None:
    async with start() as product:
        hooks.answers = [410]  # gone: no further try
        first, second = await queue(product, "x", "y")
        await is_(product, "parked")
        assert hooks.taken == [first]
        await product.http.post("/api/v1/webhooks/studio/resume?skip=true")
        await hooks.until(2)
        assert hooks.taken == [first, second]


async def test_the_place_survives_the_gateway(start: Start, hooks: Receiver, nats_server: NatsServer) -> None:
    others = await fake_services(nats_server.url)
    async with start() as product:
        seqs = await queue(product, "x")
        await hooks.until(1)

        async def gone_through() -> bool:
            return bool((await shown(product))["behind"] == 0)

        await eventually(gone_through)
    seqs.append(await others.append_download("missed", queued("missed", preset_id="missed")))
    async with start() as product:
        await hooks.until(2)
        assert hooks.taken == seqs
        hooks.always = 500
        stood = await others.append_download("stands", queued("stands", preset_id="stands"))
        await is_(product, "parked")
        sent = len(hooks.hooks)
    hooks.always = None
    async with start() as product:
        assert (await shown(product))["state"] == "parked"
        await product.http.post("/api/v1/webhooks/studio/resume")
        await hooks.until(sent + 1, timeout_s=25)
        assert hooks.taken[sent:] == [stood]
    await others.bus.close()


async def test_secrets_never_reach_the_log(start: Start, hooks: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    async with start() as product:
        hooks.always = 500
        await queue(product, "x")
        await is_(product, "parked")
    said = capsys.readouterr()
    assert "webhook parked" in said.out + said.err
    assert SECRET.removeprefix("whsec_") not in said.out + said.err
    assert "/hook" not in said.out + said.err


async def test_only_admins_see_webhooks(start: Start) -> None:
    async with start() as product:
        assert (await product.stranger.get("/api/v1/webhooks")).status_code == 401
        made = await product.http.post("/api/v1/user/tokens", json={"name": "reader", "scopes": ["read"]})
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
        refused = await product.stranger.get("/api/v1/webhooks", headers=headers)
        assert refused.status_code == 403


async def activities(product: Product) -> list[dict[str, Any]]:
    return list((await product.http.get("/api/v1/activity")).json()["activities"])


async def facts(product: Product, kind: str) -> list[dict[str, Any]]:
    answer = await product.http.get("/api/v1/events", params={"type": kind})
    return list(answer.json()["events"])
