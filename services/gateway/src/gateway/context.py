"""What the routes work with."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from fastapi import Depends, Header, Request, Response
from modeldeck_events.message import Command, Reply
from modeldeck_events.store import EventStore

from gateway.asgi import etag_matches
from gateway.auth import Authenticator
from gateway.boards.fold import Boards
from gateway.checkpoints import PastFolds
from gateway.commands import Commands, command_id
from gateway.cookies import Cookies
from gateway.frames import encode
from gateway.health import HealthCheck
from gateway.live import Live, etag
from gateway.problems import not_ready
from gateway.rights import Principal
from gateway.settings import GatewaySettings
from gateway.sse import StreamEndpoint
from gateway.user_facts import UserFacts
from gateway.webhooks import Webhooks


class SignIn(Protocol):
    """Sends browsers to an issuer and takes them back (`oidc.Login`)."""

    async def start(self, base_url: str, return_to: str) -> tuple[str, bytes]:
        """Return where to send the browser, and its cookie."""
        ...

    async def finish(self, query: Mapping[str, str], base_url: str, cookie: bytes) -> tuple[Principal, str]:
        """Return who came back, and the page he wanted; raises ProblemError."""
        ...


@dataclass(frozen=True)
class Gateway:
    """The parts of a running gateway."""

    settings: GatewaySettings
    boards: Boards
    live: Live
    store: EventStore
    commands: Commands
    auth: Authenticator
    streams: StreamEndpoint
    health: HealthCheck
    webhooks: Webhooks
    connected: Callable[[], bool]
    """Whether the log can be reached at present."""
    cookies: Cookies
    user_facts: UserFacts
    past: PastFolds
    login: SignIn | None = None
    """Signing in at an issuer, when one is configured."""
    folding: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while facts are folded into the boards (`Projector.folding`)."""


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def _ready(request: Request) -> Gateway:
    gateway = _gateway(request)
    if not gateway.live.caught_up.is_set():
        raise not_ready()
    return gateway


def _principal(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


GatewayDep = Annotated[Gateway, Depends(_gateway)]
ReadyDep = Annotated[Gateway, Depends(_ready)]
"""The gateway once its read models have caught up; 503 before."""
PrincipalDep = Annotated[Principal, Depends(_principal)]


class Writer:
    """Runs commands for one request: it knows who asks and the request's Idempotency-Key."""

    def __init__(
        self,
        request: Request,
        gateway: ReadyDep,
        principal: PrincipalDep,
        idempotency_key: Annotated[str, Header(max_length=255)] = "",
    ) -> None:
        self._gateway = gateway
        self._request = request if idempotency_key else None
        self.ids: dict[str, Any] = {
            "actor": principal.actor,
            "command_id": command_id(principal.actor, request.method, request.url.path, idempotency_key),
        }

    def ids_of(self, part: str) -> dict[str, Any]:
        """Return the ids of one of several commands that the request becomes: `part` tells them apart."""
        return self.ids | {"command_id": hashlib.sha256(f"{self.ids['command_id']}\n{part}".encode()).hexdigest()[:32]}

    async def run(self, command: Command, **options: Any) -> Reply:
        """Run a command built with `**writer.ids`, or with `**writer.ids_of(...)`."""
        digest = await _digest(self._request) if self._request else None
        return await self._gateway.commands.run(command, keyed=digest, **options)


async def _digest(request: Request) -> bytes:
    """Return what tells two requests of a method and path apart."""
    return hashlib.sha256(request.scope["query_string"] + b"\n" + await request.body()).digest()


WriterDep = Annotated[Writer, Depends()]


def json_answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(encode(data), status, headers, media_type="application/json")


def read_answer(request: Request, data: Any) -> Response:
    """Return a read model's JSON with its ETag, or 304 when the caller has it."""
    body = encode(data)
    tag = etag(body)
    headers = {"ETag": tag.decode(), "Cache-Control": "private, no-cache"}
    if etag_matches(request.headers.get("if-none-match", "").encode("latin-1"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type="application/json")
