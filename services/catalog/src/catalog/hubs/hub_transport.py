"""Every request that huggingface_hub makes for us: held to its own hub, conditional, capped, in time.

Only the hub's own origin is asked (so a redirect leads nowhere else, and the token neither), with If-None-Match,
without compression, with a cap on the body and one time limit for all of it. The library has one client per process, so
what holds for a call is found through a context variable; requests outside of any call are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import httpx2

from catalog.hubs.hosts import HubHost
from catalog.hubs.problems import bad_answer, unreachable

MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_REDIRECTS = 3
_DEFAULT_PORTS = {"http": 80, "https": 443}


class NotModifiedError(Exception):
    """The hub says that its answer is still the one whose ETag was sent."""


@dataclass(slots=True)
class Rules:
    """What holds for the requests of one call; `etag` is the answer's in the end.

    `deadline` is on the clock of time.monotonic. With `cut` a longer body is cut at the cap, else refused.
    """

    host: HubHost
    deadline: float
    max_bytes: int = MAX_ANSWER_BYTES
    cut: bool = False
    known_etag: str = ""
    etag: str = ""

    def send(self, transport: httpx2.BaseTransport, request: httpx2.Request) -> httpx2.Response:
        """Send the request; raises NotModifiedError, HubError, and what the transport raises."""
        if _origin(request.url) != _origin(httpx2.URL(self.host.base)):
            raise bad_answer(self.host.name, f"a redirect to {request.url.host}, which is refused")
        request.headers["Accept-Encoding"] = "identity"
        if self.known_etag:
            request.headers["If-None-Match"] = self.known_etag
        left_s = self.left_s()
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), left_s)
        response = transport.handle_request(request)
        if self.known_etag and response.status_code == 304:
            response.close()
            raise NotModifiedError
        self.etag = response.headers.get("ETag", "")[:200] if response.status_code == 200 else ""
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise bad_answer(self.host.name, "compressed bytes, though none were asked for")
        assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101 - what a synchronous transport gives
        response.stream = _Capped(response.stream, self)
        return response

    def left_s(self) -> float:
        """Return the time that is left; raises when there is none."""
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise unreachable(self.host.name, "it took too long")
        return left_s


class _Capped(httpx2.SyncByteStream):
    """A body that ends, or is refused, at the cap; the time limit holds between any two pieces of it."""

    def __init__(self, stream: httpx2.SyncByteStream, rules: Rules) -> None:
        self._stream = stream
        self._rules = rules

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        for chunk in self._stream:
            self._rules.left_s()
            room = self._rules.max_bytes - read
            if len(chunk) > room and not self._rules.cut:
                raise bad_answer(self._rules.host.name, f"more than {self._rules.max_bytes} bytes")
            read += len(chunk)
            yield chunk[:room]
            if read >= self._rules.max_bytes and self._rules.cut:
                return

    def close(self) -> None:
        self._stream.close()


class _Transport(httpx2.BaseTransport):
    """Holds the requests of a call to its rules; whoever else uses the library in this process is left alone."""

    def __init__(self) -> None:
        self._http = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        rules = _RULES.get()
        return rules.send(self._http, request) if rules is not None else self._http.handle_request(request)

    def close(self) -> None:
        self._http.close()


_RULES: ContextVar[Rules | None] = ContextVar("rules of the call", default=None)


@contextmanager
def holding(rules: Rules) -> Iterator[Rules]:
    """Hold all requests of this context to `rules`."""
    token = _RULES.set(rules)
    try:
        yield rules
    finally:
        _RULES.reset(token)


def client() -> httpx2.Client:
    """Return the client that the library is to use; every request gets the time that is left of its call."""
    return httpx2.Client(transport=_Transport(), follow_redirects=True, max_redirects=MAX_REDIRECTS, timeout=None)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _DEFAULT_PORTS.get(url.scheme)
