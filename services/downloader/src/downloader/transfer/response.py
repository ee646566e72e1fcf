"""What a server answered: the head, and the body that is still on the wire."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import h11

from downloader.errors import LinkError
from downloader.sources import Hop
from downloader.transfer.connection import BodySink, Connection

DRAINED_BYTES = 64 << 10


class Response:
    """A response head, and the body still on the wire: receive it, drain it, or close."""

    def __init__(self, connection: Connection, hop: Hop, head: h11.Response) -> None:
        self.hop = hop
        self.status = head.status_code
        self.headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        self.connection = connection
        self.released = False

    @property
    def length(self) -> int | None:
        """The body's length, when it is framed by a length."""
        return self.connection.framing.length

    @property
    def ends_by_close(self) -> bool:
        """True when only the end of the connection ends the body: its wholeness cannot be seen."""
        return self.connection.framing.ends_by_close

    async def receive(self, sink: BodySink) -> None:
        """Receive until the body ends or the sink is satisfied; LinkError when the connection ends or stalls first."""
        await self.connection.receive(sink)

    async def drain(self) -> None:
        """Use up a small body that nobody wants, so that the connection can serve again; close on a large one."""
        length = self.length
        if length is None or length > DRAINED_BYTES:
            self.close()
            return
        with contextlib.suppress(LinkError):
            await self.connection.receive(_Discarding())

    def close(self) -> None:
        """Close the connection unless its response was read to the end."""
        self.connection.close_unless_idle()


class _Discarding:
    satisfied = False

    def __init__(self) -> None:
        self._scratch = memoryview(bytearray(DRAINED_BYTES))

    def get_buffer(self, wake: Callable[[], None]) -> memoryview | None:  # noqa: ARG002
        return self._scratch

    def filled(self, size_bytes: int) -> None:
        pass
