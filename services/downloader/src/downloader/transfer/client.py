"""Connections to where a hop leads: addresses checked before and after connecting, kept open between files."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from downloader.errors import LinkError
from downloader.limits import BandwidthLimiter
from downloader.sources import Hop
from downloader.transfer.connection import USER_AGENT, Connection, Method
from downloader.transfer.dialing import dial
from downloader.transfer.response import Response
from downloader.transfer.tls import TlsLink, feed_buffer

CONNECT_TIMEOUT_S = 30.0
IDLE_S = 15.0
MAX_IDLE = 32


class HttpClient:
    """Sends requests along hops; at most `MAX_IDLE` connections are kept for the next file."""

    def __init__(
        self, limiter: BandwidthLimiter, stall_timeout_s: float, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._limiter = limiter
        self._stall_timeout_s = stall_timeout_s
        self._ssl = ssl_context
        self._feed: memoryview | None = None
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()

    async def ask(self, hop: Hop, headers: dict[str, str], method: Method = "GET") -> Response:
        """Return the answer's head. A kept connection that turns out dead is replaced without a word."""
        fields = [
            ("Host", hop.netloc),
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            *headers.items(),
        ]
        if hop.authorization is not None:
            fields.append(("Authorization", hop.authorization))
        await self._limiter.free()  # a small file comes whole with its head: it has to wait before
        while (kept := self._kept(hop)) is not None:
            try:
                return Response(kept, hop, await kept.ask(fields, method))
            except LinkError as error:
                if error.code != "closed_early":
                    raise
        connection = await self._connect(hop)
        return Response(connection, hop, await connection.ask(fields, method))

    def release(self, response: Response) -> None:
        """Give a finished response's connection back for the next request, or close it. Counts once."""
        if response.released:
            return
        response.released = True
        response.close()
        connection = response.connection
        now = asyncio.get_running_loop().time()
        fresh = [each for each in self._idle if each.idle and now - each.idle_since < IDLE_S]
        for each in self._idle:
            if each not in fresh:
                each.abort()
        self._idle = fresh
        if connection.idle and connection not in fresh:
            fresh.append(connection)
            if len(fresh) > MAX_IDLE:
                fresh.pop(0).abort()

    @contextmanager
    def owned(self, response: Response) -> Iterator[None]:
        """Release a response at the end of a block."""
        try:
            yield
        finally:
            self.release(response)

    async def close(self) -> None:
        """Close every connection and wait until the sockets are gone."""
        for connection in self._open:
            connection.abort()
        self._idle.clear()
        for connection in self._open:
            await connection.gone.wait()
        self._open.clear()

    def _kept(self, hop: Hop) -> Connection | None:
        now = asyncio.get_running_loop().time()
        for index in range(len(self._idle) - 1, -1, -1):
            connection = self._idle[index]
            if connection.hop.origin == hop.origin and connection.hop.listed_literally == hop.listed_literally:
                del self._idle[index]
                if connection.idle and now - connection.idle_since < IDLE_S:
                    connection.hop = hop
                    return connection
                connection.abort()
        return None

    async def _connect(self, hop: Hop) -> Connection:
        limit_s = min(CONNECT_TIMEOUT_S, self._stall_timeout_s)
        try:
            async with asyncio.timeout(limit_s):
                connection = await self._open_link(hop)
        except ssl.SSLError as error:
            message = f"The TLS connection to {hop.netloc} failed: {error.reason or error}."
            certificate = isinstance(error, ssl.SSLCertVerificationError)
            raise LinkError("tls_failed", message, retryable=not certificate, host=hop.netloc) from error
        except TimeoutError as error:
            message = f"{hop.netloc} could not be reached within {limit_s:g} s."
            raise LinkError("connection_failed", message, retryable=True, host=hop.netloc) from error
        except OSError as error:
            message = f"{hop.netloc} could not be reached: {error.strerror or error}."
            raise LinkError("connection_failed", message, retryable=True, host=hop.netloc) from error
        self._open = {each for each in self._open if not each.closed} | {connection}
        return connection

    async def _open_link(self, hop: Hop) -> Connection:
        loop = asyncio.get_running_loop()
        connection = Connection(hop, self._limiter, self._stall_timeout_s)
        link = TlsLink(self._tls(), hop.host, connection, self._feed_buffer()) if hop.scheme == "https" else None
        sock = await dial(hop)
        try:
            await loop.create_connection(lambda: link or connection, sock=sock)
        except BaseException:
            sock.close()
            raise
        if link is not None:
            await link.secure()
        return connection

    def _feed_buffer(self) -> memoryview:
        if self._feed is None:
            self._feed = feed_buffer()
        return self._feed

    def _tls(self) -> ssl.SSLContext:
        if self._ssl is None:
            self._ssl = ssl.create_default_context()
        return self._ssl
