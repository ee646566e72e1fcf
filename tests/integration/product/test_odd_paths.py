"""Paths and ids that try to lead elsewhere, on every route of model files, workflows and hubs."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import pytest

from tests.integration.product.workshop import Workshop, model, put

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES = (
    ("DELETE", "/models/{}"),
    ("DELETE", "/models/{}?force=true"),
    ("POST", "/models/{}/restore"),
    ("POST", "/models/{}/link"),
    ("GET", "/modelfiles/{}/metadata"),
    ("GET", "/hub/{}"),
    ("DELETE", "/presets/{}"),
    ("GET", "/workflows/templates/{}"),
    ("GET", "/workflows/templates/{}/missing-models"),
    ("GET", "/workflows/templates/{}/plan"),
    ("GET", "/workflows/templates/{}/lock"),
    ("POST", "/workflows/templates/{}/install-missing"),
)
PATHS = (
    "../secret.safetensors",
    "..%2Fsecret.safetensors",
    "%2e%2e/secret.safetensors",
    "%2e%2e%2fsecret.safetensors",
    "vae/../../secret.safetensors",
    "vae/%2e%2e/%2e%2e/secret.safetensors",
    "/secret.safetensors",
    "%2Fetc%2Fpasswd",
    "a%00b",
    "a%0Ab",
    "a%5C..%5Cb",
    "C%3A%5Cx",
    "@nowhere/x",
    "@../x",
    "%FF%FE",
    "a" * 5000,
    "%E2%80%A8",
    "*",
    "evt.%3E",
    ".",
    "..",
)


def ask(url: str, token: str, method: str, target: str) -> tuple[int, str, bytes]:
    """Send the target as it is; ordinary clients fold dots away."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        body = b'{"from_path": "vae/there.safetensors"}' if method == "POST" else None
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("content-type", ""), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=lambda value: value.replace("/", "_"))
async def test_a_path_that_leads_elsewhere_is_a_clear_refusal(shop: Workshop, method: str, route: str) -> None:
    secret = put(shop.folder / "secret.safetensors", model("secret"))
    for path in PATHS:
        target = f"/api/v1{route.format(path)}"
        status, kind, body = ask(shop.product.url, shop.product.token, method, target)
        assert 400 <= status < 500, (target[:200], status, body[:500])
        assert kind.startswith("application/problem+json"), (target[:200], kind)
        problem = json.loads(body)
        assert problem["code"], target[:200]
        assert problem["status"] == status
    assert secret.is_file()


async def test_names_that_look_odd_and_are_none_of_that_are_served(shop: Workshop) -> None:
    odd = "vae/a b%2e?#é.safetensors"
    shop.put_model(odd, model("odd"))
    async with shop.live("models") as live:
        await live.until(lambda states: odd in states["models"]["models"])
    done = await shop.delete("/models/vae/a%20b%252e%3F%23%C3%A9.safetensors")
    assert done["path"] == odd
    assert not (shop.models / odd).exists()
