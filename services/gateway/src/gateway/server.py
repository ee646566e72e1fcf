"""The HTTP server inside a service: uvicorn without its own signal handling, which ends with open streams, too."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable, Generator

import structlog
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.asgi import App
from gateway.sse import TRANSPORT

GRACE_S = 3
BACKLOG = 2048
_log = structlog.get_logger(__name__)


class Protocol(HttpToolsProtocol):
    """Offers the connection's transport to the application, which writes streams to it without a task in between."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


class HttpServer(Server):
    """A server whose end is somebody else's decision."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to the service."""
        yield


def allow_connections(count: int) -> None:
    """Raise this process's limit of open files so far, as the system lets us; many systems begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises OSError that says which address could not be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets that name their protocol; with it answers take 40 ms
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host.strip("[]"), port))
        found.listen(BACKLOG)
    except OSError as error:
        found.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    found.setblocking(False)
    return found


async def serve(app: App, listener: socket.socket, *, before_end: Callable[[], None]) -> None:
    """Serve until cancelled; then `before_end` is called, open requests finish, at most 3 s."""
    config = Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever asks must not choose the address that wrong tokens are counted for
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = HttpServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        await asyncio.shield(serving)
    finally:
        before_end()
        server.should_exit = True
        await serving
        _log.info("HTTP server ended")
