"""TLS between a socket and a connection, decrypted straight into the buffers that are written and hashed.

asyncio's own TLS hands on one record of 16 KiB at a time, through a callback for each; for files of many GB that costs
as much as the decryption. Here one buffer takes what the socket holds, and all of its records are decrypted one behind
the other into the place where the connection wants its bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import cast

from downloader.transfer.connection import Connection

# Ciphertext per read: stays in the cache of a core, yet a turn of the event loop is shared by 32 records.
FEED_BYTES = 512 << 10


def feed_buffer() -> memoryview:
    """Return the memory for ciphertext. All links of one event loop share it: a read is over before the next begins."""
    return memoryview(bytearray(FEED_BYTES))


class TlsLink(asyncio.BufferedProtocol):
    """A socket's protocol and, for one connection, its transport. `await secure()` before the connection is used."""

    def __init__(self, context: ssl.SSLContext, host: str, connection: Connection, feed: memoryview) -> None:
        self._connection = connection
        self._feed = feed
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Future[None] = self._loop.create_future()
        self._secured = False
        self._reading = True
        self._decrypting = False
        self._unsent = b""  # waits for an answer of the server to a renegotiation
        self._error: Exception | None = None

    async def secure(self) -> None:
        """Return when the server has proved its name; ssl.SSLError or OSError when it has not."""
        try:
            await self._handshake
        except BaseException:
            self.abort()
            raise

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._go_on()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return the shared buffer for ciphertext."""
        return self._feed

    def buffer_updated(self, nbytes: int) -> None:
        """Decrypt what came."""
        self._incoming.write(self._feed[:nbytes])
        self._go_on()

    def eof_received(self) -> bool:
        """Take an end that the server did not sign for what it is: a cut, which `connection_lost` reports."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self._reading = False
        if self._secured:
            self._connection.connection_lost(exc or self._error)
        elif not self._handshake.done():
            self._handshake.set_exception(exc or ConnectionResetError("the server hung up during the handshake"))

    # What the connection calls

    def write(self, data: bytes) -> None:
        """Send, encrypted."""
        self._unsent += data
        self._go_on()

    def pause_reading(self) -> None:
        """Stop giving bytes; what was received already stays encrypted."""
        self._reading = False
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Give bytes again, those first that wait here."""
        self._reading = True
        if self._transport is None:
            return
        self._transport.resume_reading()
        if not self._decrypting and (self._incoming.pending or self._tls.pending()):
            self._loop.call_soon(self._go_on)

    def abort(self) -> None:
        """Close at once."""
        self._reading = False
        if self._transport is not None:
            self._transport.abort()

    # Records

    def _go_on(self) -> None:
        """Do what can be done with the records that are here, then send what that made."""
        try:
            if not self._secured:
                self._tls.do_handshake()
                self._secured = True
                self._connection.attach(self)
                self._handshake.set_result(None)
            self._encrypt()
            if not self._decrypting:
                self._decrypt()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fail(error)
        if self._outgoing.pending and self._transport is not None:
            self._transport.write(self._outgoing.read())
        if self._error is not None:
            self.abort()  # after the alert that says why

    def _encrypt(self) -> None:
        if self._unsent:
            with contextlib.suppress(ssl.SSLWantReadError):
                self._unsent = self._unsent[self._tls.write(self._unsent) :]

    def _decrypt(self) -> None:
        """Fill one buffer of the connection after the other until it pauses or a record is not whole yet."""
        self._decrypting = True
        try:
            while self._reading:
                place = self._connection.get_buffer(-1)
                size, state = self._fill(place)
                if size:
                    self._connection.buffer_updated(size)
                if state == "ended":
                    self._reading = False
                    self._connection.eof_received()
                    self.abort()
                if state != "full":
                    return
        finally:
            self._decrypting = False

    def _fill(self, place: memoryview) -> tuple[int, str]:
        """Return how many bytes were decrypted into `place`, and whether it is full, starved, or the stream ended."""
        size, read = 0, self._tls.read
        try:
            while size < len(place):
                more = cast("int", read(len(place) - size, place[size:]))  # a count, as a buffer is given
                if not more:
                    return size, "ended"
                size += more
        except ssl.SSLWantReadError:
            return size, "starved"
        except ssl.SSLZeroReturnError:
            return size, "ended"
        return size, "full"

    def _fail(self, error: ssl.SSLError) -> None:
        self._error = error
        if not self._handshake.done():
            self._handshake.set_exception(error)
