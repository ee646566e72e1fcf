"""The outermost application: every request passes here first, in this order.

1. Host header; 2. one spelling of the path; 3. what needs no credentials: health, the dashboard's files, signing in;
4. credentials; 5. writes only from our own pages, and not too many; 6. the right for the route; 7. read models from
ready bytes; 8. streams; 9. the routes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import structlog
from modeldeck_events.errors import UnavailableError
from modeldeck_events.templates import MAX_WORKFLOW_BYTES
from starlette.exceptions import HTTPException

from gateway import own_writes, traffic
from gateway.asgi import (
    JSON,
    SECURITY_HEADERS,
    App,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    answer_problem,
    etag_matches,
    header,
)
from gateway.auth import Authenticator, HostCheck, check_site, refuse_embedded, refuse_foreign_site
from gateway.live import Answer, Live
from gateway.pace import Pace
from gateway.problems import ProblemError, away, internal, not_found, not_ready
from gateway.rights import API, SAFE_METHODS, Principal, check, needed
from gateway.sse import StreamEndpoint
from gateway.traffic import STREAMS
from gateway.web import Dashboard, File

MAX_BODY_BYTES = 1024 * 1024
LARGE_BODIES = dict.fromkeys(
    (f"{API}/workflows/{what}" for what in ("scan", "plan", "install-missing", "lock", "lock/plan", "lock/install")),
    MAX_WORKFLOW_BYTES,
)
"""The routes that take a whole workflow or a lock file."""
STREAM = f"{API}/stream"
PUBLISH = f"{API}/events"
WRITES_PER_S = 50.0
WRITES_AT_ONCE = 1000
"""For each user, with all his tokens; a reader is never made to wait."""
MAX_TIMER_S = 30 * 86_400.0
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
GUARDED_PAGES = frozenset({"/metrics", "/docs", "/openapi.json"})

_log = structlog.get_logger(__name__)


class Front:
    """The gateway's ASGI application."""

    def __init__(  # noqa: PLR0913 - the parts it puts in order, by keyword
        self,
        *,
        host_check: HostCheck,
        auth: Authenticator,
        dashboard: Dashboard,
        live: Live,
        answers: Mapping[str, Answer],
        streams: StreamEndpoint,
        routes: App,
    ) -> None:
        self._host_check = host_check
        self._auth = auth
        self._dashboard = dashboard
        self._live = live
        self._answers = {f"{API}{path}": answer for path, answer in answers.items()}
        self._streams = streams
        self._routes = routes
        self._writes = Pace(rate=WRITES_PER_S, burst=WRITES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a problem on the way becomes a problem document."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not spoken here")
        with traffic.traced(scope):
            await self._measured(scope, receive, send)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        problem: ProblemError | None = None
        try:
            await self._answer(scope, receive, noting)
        except ProblemError as error:
            problem = error
        except UnavailableError as error:
            problem = away(f"The event log does not answer at present: {error}.")
        except Exception as error:  # noqa: BLE001 - the outermost loop: logged, counted, answered
            _log.error("request failed", method=scope["method"], path=scope["path"], exc_info=error)
            problem = internal()
        if problem is not None and not status:
            await answer_problem(noting, problem)
        traffic.answered(scope, status, started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._host_check.check(header(scope, b"host"))
        path = scope["path"] = one_spelling(scope["path"])
        if scope["method"] == "HEAD" and path != STREAM:
            scope = {**scope, "method": "GET"}  # the server knows, and leaves the body out
        if not path.startswith("/api/") and path != "/api":
            if path in OPEN_PATHS:
                return await self._route(scope, receive, send)
            if path not in GUARDED_PAGES:
                return await self._page(scope, send)
        need = needed(scope["method"], path)
        if need == "open":
            refuse_embedded(scope) if scope["method"] == "GET" else refuse_foreign_site(scope)
            return await self._route(scope, receive, send)
        principal = await self._auth.principal(scope)
        check_site(scope, principal)
        check(principal, need)
        if scope["method"] not in SAFE_METHODS:
            self._take_turn(principal, path)
            send = own_writes.telling(send, self._live, with_cookie=principal.by_cookie)
        elif scope["method"] == "GET":
            await own_writes.catch_up(scope, self._live)
            ready = self._answers.get(path)
            if ready is not None and not scope["query_string"]:
                return await self._ready_bytes(scope, send, ready)
            if path == STREAM:
                return await self._stream(scope, receive, send, principal)
        scope.setdefault("state", {})["principal"] = principal
        return await self._route(scope, receive, send)

    def _take_turn(self, principal: Principal, path: str) -> None:
        """Raise ProblemError 429 for a user who writes faster than any person or script has reason to."""
        if path == PUBLISH:
            return  # counted by the facts in it
        wait_s = self._writes.take({principal.name: 1})
        if wait_s:
            seconds = math.ceil(wait_s)
            raise ProblemError(
                429,
                "rate_limited",
                f"You may write {WRITES_PER_S:g} times a second in the long run; try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )

    async def _stream(self, scope: Scope, receive: Receive, send: Send, principal: Principal) -> None:
        """Answer with a stream, which ends with the credentials it was opened with."""
        ending = None
        if principal.expires_at is not None:
            left_s = min(max(0.0, principal.expires_at - time.time()), MAX_TIMER_S)
            ending = asyncio.get_running_loop().call_later(left_s, self._streams.end_session, principal.session)
        STREAMS.inc()
        try:
            await self._streams(scope, receive, send, session=principal.session, user=principal.name)
        finally:
            STREAMS.dec()
            if ending is not None:
                ending.cancel()

    async def _ready_bytes(self, scope: Scope, send: Send, ready: Answer) -> None:
        if not self._live.caught_up.is_set():
            raise not_ready()
        body, tag = ready.current()
        headers = [(b"etag", tag), (b"cache-control", b"private, no-cache")]
        if etag_matches(header(scope, b"if-none-match"), tag):
            return await answer(send, 304, b"", headers)
        return await answer(send, 200, body, [(b"content-type", JSON), *headers])

    async def _page(self, scope: Scope, send: Send) -> None:
        if scope["method"] != "GET":
            raise ProblemError(405, "method_not_allowed", "Pages can only be read.", headers={"Allow": "GET, HEAD"})
        if scope["path"] == "/" and b"token=" in scope["query_string"]:
            return await self._exchange(scope, send)
        file = self._dashboard.find(scope["path"])
        if file is None:
            raise not_found("There is no such file.")
        return await _send_file(scope, send, file)

    async def _exchange(self, scope: Scope, send: Send) -> None:
        """Take the token out of the address bar: a cookie and a redirect; a wrong one leads to the sign-in page."""
        refuse_embedded(scope)
        token = parse_qs(scope["query_string"].decode("ascii", "replace")).get("token", [""])[-1]
        headers = [(b"location", b"/"), (b"cache-control", b"no-store")]
        try:
            headers.append((b"set-cookie", self._auth.sign_in(token, scope)))
        except ProblemError as problem:
            if problem.status != 401:
                raise
            page = self._dashboard.find("/")
            body = page.body if page else b""
            html = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
            return await answer(send, 401, body, html)
        return await answer(send, 303, b"", headers)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._routes(scope, _limited(scope, receive), _with_headers(send))


def one_spelling(path: str) -> str:
    """Return the path as the routes know it: below `/api/v1`, without a slash at its end."""
    if path.startswith("/api/"):
        path = path.rstrip("/")
        if not path.startswith("/api/v1/") and path not in {"/api", API}:
            path = f"{API}{path.removeprefix('/api')}"
    elif len(path) > 1 and path.rstrip("/") in OPEN_PATHS | GUARDED_PAGES:
        path = path.rstrip("/")
    return path


def _limited(scope: Scope, receive: Receive) -> Receive:
    """Refuse bodies that no request of this API has."""
    most = LARGE_BODIES.get(scope["path"], MAX_BODY_BYTES)
    too_large = f"This request may have at most {most} bytes."
    length = header(scope, b"content-length")
    if length.isdigit() and int(length) > most:
        raise ProblemError(413, "too_large", too_large)
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise HTTPException(413, too_large)  # the one kind of error that FastAPI hands on while it reads a body
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message.get("headers", ())}
            extra: list[tuple[bytes, bytes]] = [*SECURITY_HEADERS]
            if b"cache-control" not in there:
                extra.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await send(message)

    return sending


async def _send_file(scope: Scope, send: Send, file: File) -> None:
    kept = b"public, max-age=31536000, immutable" if file.immutable else b"no-cache"
    headers: list[tuple[bytes, bytes]] = [(b"etag", file.etag), (b"cache-control", kept)]
    if etag_matches(header(scope, b"if-none-match"), file.etag):
        return await answer(send, 304, b"", headers)
    body: Any = file.body
    return await answer(send, 200, body, [(b"content-type", file.content_type), *headers])
