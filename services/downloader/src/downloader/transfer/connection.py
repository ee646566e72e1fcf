"""HTTP/1.1 as a download needs it: heads parsed by h11, bodies received straight into the caller's buffers.

A general client copies every body several times (socket, parser, stream, caller); for files of many GB that copying is
most of the cost. Here the socket is read into the block that is later hashed and written. Only heads, chunked bodies
and the few body bytes that arrive with a head take the slow way.

Nothing here follows redirects, retries, or knows files: see `fetch`. With TLS, `tls` stands in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias, cast

import h11

from downloader.errors import LinkError, SourceError, TransferError
from downloader.limits import BandwidthLimiter
from downloader.sources import Hop
from downloader.transfer.framing import NO_BODY, framing_of

USER_AGENT = "modeldeck/0.1"
HEAD_BYTES = 16 << 10
PARSED_READ_BYTES = 64 << 10
MAX_HEAD_BYTES = 64 << 10


class BodySink(Protocol):
    """Where a body goes. Both methods are called on the event loop and must not block."""

    @property
    def satisfied(self) -> bool:
        """True when no more bytes are wanted: the connection is closed if the server would send more."""

    def get_buffer(self, wake: Callable[[], None]) -> memoryview | None:
        """Return where the next bytes go, not empty; or None, and call `wake` once when there is room again."""

    def filled(self, size_bytes: int) -> None:
        """Take the first bytes of the buffer that `get_buffer` gave."""


class Link(Protocol):
    """What carries a connection's bytes: a socket's transport, or TLS on top of one."""

    def write(self, data: bytes) -> None:
        """Send."""

    def pause_reading(self) -> None:
        """Give no more bytes."""

    def resume_reading(self) -> None:
        """Give bytes again."""

    def abort(self) -> None:
        """Close at once."""


Method: TypeAlias = Literal["GET", "HEAD"]


class Connection(asyncio.BufferedProtocol):
    """One connection, one request at a time. `idle` is True when it can take the next one."""

    def __init__(self, hop: Hop, limiter: BandwidthLimiter, stall_timeout_s: float) -> None:
        self.hop = hop
        self.idle = False
        self.closed = False
        self.gone = asyncio.Event()
        self.framing = NO_BODY  # of the current response
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._limiter = limiter
        self._stall_timeout_s = stall_timeout_s
        self._link: Link | None = None
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._keep_alive = False
        self._method: Method = "GET"
        self._scratch = memoryview(bytearray(HEAD_BYTES))
        self._view: memoryview | None = None  # where the socket is read to: the scratch or the sink's buffer
        self._direct = False
        self._reading = True
        self._last_byte_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._head: asyncio.Future[h11.Response] | None = None
        self._body: asyncio.Future[None] | None = None
        self._sink: BodySink | None = None
        self._complete = False
        self._ended = False
        self._left = 0
        self._early = memoryview(b"")  # body bytes that came with the head, or out of the chunk parser

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport of a connection without TLS."""
        self.attach(cast("asyncio.Transport", transport))

    def attach(self, link: Link) -> None:
        """Keep what carries the bytes, which is reading already."""
        self._link = link
        self._view = self._scratch

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return where the next bytes go. Reading is paused whenever there is no such place."""
        view = self._view
        if view is None:  # a read that was under way when reading was paused: keep it small and safe
            raise AssertionError("the transport read while it was paused")
        if not self._direct:
            return view
        size = min(len(view), self._left, self._limiter.read_size())
        return view[:size]

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came."""
        self._last_byte_at = self._loop.time()
        if self._direct and self._sink is not None:
            self._left -= nbytes
            self._sink.filled(nbytes)
            free = self._limiter.spend(nbytes)
            view = self._view
            if free and self._left and view is not None and len(view) > nbytes:
                self._view = view[nbytes:]
                return
            self._pump(free=free)
        elif self._body is not None:
            free = self._limiter.spend(nbytes)
            self._feed(bytes(self._scratch[:nbytes]))
            self._pump(free=free)
        elif self._head is not None:
            self._limiter.spend(nbytes)
            self._feed(bytes(self._scratch[:nbytes]))
            self._look_for_head()
        else:
            self.abort()  # bytes that nobody asked for: this connection cannot be trusted with another request

    def eof_received(self) -> bool:
        """Let the end of the connection end a body that is framed by nothing else."""
        if self._body is not None and self.framing.ends_by_close:
            self._ended = True
            self._feed(b"")
            self._pump(free=True)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits."""
        self.closed, self.idle = True, False
        if self._watch is not None:
            self._watch.cancel()
        self.gone.set()
        if self._ended:
            return  # all came; what the parser still holds waits for room in the sink
        self._limiter.forget(self._resume)
        self._fail(self._closed_early(exc))
        self._sink = None
        self._view = None

    # What the client calls

    async def ask(self, headers: list[tuple[str, str]], method: Method = "GET") -> h11.Response:
        """Send a request and return the head of its answer; `framing` tells how its body is framed."""
        if self._link is None or self.closed:
            raise self._closed_early(None)
        self.idle = self._complete = False
        self._method = method
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        fields = [
            (name.encode(), value.encode("latin-1")) for name, value in headers
        ]  # an entity tag may have such bytes
        request = h11.Request(method=method, target=self.hop.target, headers=fields)
        self._head = self._loop.create_future()
        self._read_into_scratch()
        self._start_watch()
        payload = (self._parser.send(request) or b"") + (self._parser.send(h11.EndOfMessage()) or b"")
        self._link.write(payload)
        try:
            return await self._head
        except BaseException:
            self.abort()
            raise
        finally:
            self._head = None

    async def receive(self, sink: BodySink) -> None:
        """Receive the body until its end or the sink is satisfied; LinkError when the link ends or stalls first."""
        if self._complete:
            return
        if self.closed and not self._early:
            raise self._closed_early(None)
        self._sink = sink
        self._body = self._loop.create_future()
        self._start_watch()
        try:
            self._pump(free=True)
            await self._body
        except BaseException:
            self.abort()
            raise
        finally:
            self._body = self._sink = None
            self._limiter.forget(self._resume)

    def close_unless_idle(self) -> None:
        """Close a connection whose response was not read to its end."""
        if not self.idle:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.idle = False
        if self._link is not None:
            self._link.abort()

    # Heads

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.receive_data(data)
        except h11.RemoteProtocolError as error:
            self._fail(self._nonsense(error))

    def _nonsense(self, error: Exception) -> SourceError:
        message = f"{self.hop.netloc} does not speak HTTP properly: {error}."
        return SourceError("bad_response", message, retryable=True, host=self.hop.netloc)

    def _closed_early(self, exc: Exception | None) -> LinkError:
        message = f"{self.hop.netloc} closed the connection early{_why(exc)}."
        return LinkError("closed_early", message, retryable=True, host=self.hop.netloc)

    def _look_for_head(self) -> None:
        while self._head is not None and not self._head.done():
            try:
                event = self._parser.next_event()
            except h11.RemoteProtocolError as error:
                self._fail(self._nonsense(error))
                return
            if event is h11.NEED_DATA:
                return
            if isinstance(event, h11.Response):
                self._pause()
                self._head.set_result(event)
                self._frame(event)
            elif not isinstance(event, h11.InformationalResponse):
                self._fail(self._nonsense(ValueError("an answer without a head")))

    def _frame(self, head: h11.Response) -> None:
        self.framing = framing_of(head, asked_by_head=self._method == "HEAD")
        length = self.framing.length
        self._left = length or 0
        self._early = memoryview(b"")
        self._keep_alive = self.framing.keep_alive
        if length is not None:
            came_along = self._parser.trailing_data[0]
            self._early = memoryview(came_along)[:length]
            self._keep_alive = self._keep_alive and len(came_along) <= length
            if not length:
                self._finish()

    # Bodies

    def _pump(self, *, free: bool) -> None:
        """Move what is at hand into the sink, then read on, or pause until the sink or the limiter says go."""
        while self._body is not None and not self._body.done() and self._sink is not None:
            if self.framing.length is not None and not self._left and not self._early:
                self._finish()
                return
            if self._sink.satisfied:
                self._body.set_result(None)
                self.abort()
                return
            if self._early:
                if not self._take_early(self._sink):
                    return
            elif self.framing.length is not None:
                self._read_directly(self._sink, free=free)
                return
            elif not self._parse_body():
                if free:
                    self._read_into_scratch()
                else:
                    self._wait_for_limiter()
                return

    def _take_early(self, sink: BodySink) -> bool:
        view = sink.get_buffer(self._resume)
        if view is None:
            self._pause()
            return False
        size = min(len(view), len(self._early))
        view[:size] = self._early[:size]
        self._early = self._early[size:]
        sink.filled(size)
        if self.framing.length is not None:
            self._left -= size
        return True

    def _read_directly(self, sink: BodySink, *, free: bool) -> None:
        if self.closed:
            self._fail(self._closed_early(None))
            return
        if not free:
            self._wait_for_limiter()
            return
        view = sink.get_buffer(self._resume)
        if view is None:
            self._pause()
            return
        self._view, self._direct = view, True
        self._go_on()

    def _parse_body(self) -> bool:
        """Get the next bytes out of a chunked body; False when more must come from the wire."""
        try:
            event = self._parser.next_event()
        except h11.RemoteProtocolError:
            self._fail(self._closed_early(None))
            return True
        if isinstance(event, h11.Data):
            self._early = memoryview(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            self._finish()
        else:
            return False
        return True

    def _finish(self) -> None:
        """Note that the response was read to its end."""
        self._pause()
        self._complete = True
        self.idle = self._keep_alive and not self.closed
        self.idle_since = self._loop.time()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._body is not None and not self._body.done():
            self._body.set_result(None)
        if self.idle:
            self._read_into_scratch()  # to see the server close it
        elif self._link is not None:
            self._link.abort()

    # Reading, pausing, stalling

    def _read_into_scratch(self) -> None:
        self._view, self._direct = self._scratch, False
        self._go_on()

    def _go_on(self) -> None:
        if not self._reading and self._link is not None and not self.closed:
            self._reading = True
            self._last_byte_at = self._loop.time()
            self._link.resume_reading()

    def _pause(self) -> None:
        if self._reading and self._link is not None and not self.closed:
            self._reading = False
            self._view = None
            self._link.pause_reading()

    def _wait_for_limiter(self) -> None:
        self._pause()
        self._limiter.forget(self._resume)
        self._limiter.call_when_free(self._resume)

    def _resume(self) -> None:
        self._pump(free=True)

    def _start_watch(self) -> None:
        self._last_byte_at = self._loop.time()
        if self._watch is None and not self.closed:
            self._watch = self._loop.call_later(self._stall_timeout_s / 4, self._check_stall)

    def _check_stall(self) -> None:
        self._watch = None
        quiet_s = self._loop.time() - self._last_byte_at
        if self._reading and quiet_s >= self._stall_timeout_s and not self.idle:
            message = f"{self.hop.netloc} sent nothing for {self._stall_timeout_s:g} s."
            self._fail(LinkError("stalled", message, retryable=True, host=self.hop.netloc))
            self.abort()
            return
        if not self.idle:
            self._watch = self._loop.call_later(self._stall_timeout_s / 4, self._check_stall)

    def _fail(self, error: TransferError) -> None:
        for waiter in (self._head, self._body):
            if waiter is not None and not waiter.done():
                waiter.set_exception(error)


def _why(exc: Exception | None) -> str:
    return f" ({exc})" if exc is not None and str(exc) else ""
