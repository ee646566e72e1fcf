"""A gateway in this process, on a real nats-server, with the other services faked at the bus."""

import copy
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import httpx
import pytest
from fastapi import FastAPI
from gateway import api
from gateway.app import App
from gateway.context import Gateway
from gateway.server import bind
from gateway.settings import GatewaySettings
from modeldeck_events.presets import PresetPublished
from modeldeck_events.presets import subject as preset_subject
from pydantic import SecretStr
from starlette.datastructures import State

from tests.integration.gateway.fakes import FakeServices, eventually, fake_services
from tests.support.nats import NatsServer
from tests.unit.gateway.facts import preset

TOKEN = "an-integration-test-token"


class Product(NamedTuple):
    app: App
    services: FakeServices
    http: httpx.AsyncClient
    """Signed in with the bearer token."""
    stranger: httpx.AsyncClient
    """Without credentials."""
    url: str


def settings(folder: Path, nats_url: str, **more: object) -> GatewaySettings:
    return GatewaySettings(
        data_dir=folder / "data",
        nats_url=nats_url,
        token=SecretStr(TOKEN),
        **more,  # type: ignore[arg-type]
    )


def client(url: str, *, token: str = TOKEN) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=10, trust_env=False, verify=False)


_BUILD = api.build


@functools.cache
def _compiled() -> FastAPI:
    return _BUILD(None)


def _routes(gateway: Gateway) -> FastAPI:
    """As `api.build`, whose compiling takes longer than the rest of a start and is the same for all gateways."""
    built = copy.copy(_compiled())
    built.state = State({"gateway": gateway})
    built.middleware_stack = None
    return built


@pytest.fixture
async def product(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Product]:
    async with running(nats_server.url, tmp_path) as running_product:
        yield running_product


@asynccontextmanager
async def running(
    nats_url: str, folder: Path, *, before: Callable[[App], None] = lambda _app: None, **more: object
) -> AsyncIterator[Product]:
    """Run a gateway with two presets in its catalog; `before` may change it before it starts."""
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with mock.patch.object(api, "build", _routes):
        app = App(settings(folder, nats_url, **more), listener)
    before(app)
    await app.service.start()
    await app.service.ready()
    services = await fake_services(nats_url)
    for name in ("a", "b") if not await services.bus.store.last_seq(preset_subject("a")) else ():
        await services.append(preset_subject(name), PresetPublished(preset=preset(name)))
    await eventually(lambda: caught_up(app, services))
    async with client(url) as http, client(url, token="") as stranger:
        yield Product(app, services, http, stranger, url)
    await services.bus.close()
    await app.service.stop()


async def caught_up(app: App, services: FakeServices) -> bool:
    return app.live.position.seq >= (await services.bus.store.head()).seq
