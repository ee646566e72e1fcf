"""The connection to NATS: never gives up, says loss and recovery once, and lets readers tap the wire cheaply.

nats-py parses the headers of each message into a dict and hands it through a queue and a task; a reader of the log
needs none of that. `Connection.tap` gives it the raw parts of its own subscription's messages, in order.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from modeldeck_events.errors import UnavailableError

RECONNECT_WAIT_S = 0.25
PING_INTERVAL_S = 5
OUTSTANDING_PINGS = 2
"""A frozen server is noticed after PING_INTERVAL_S * (OUTSTANDING_PINGS + 1)."""
PENDING_BYTES = 2 * 1024 * 1024

_USER = re.compile(r"[A-Za-z0-9_-]{1,64}")
OnMessage = Callable[[bytes, bytes, bytes, bytes | None], None]
_log = structlog.get_logger(__name__)


class Tap:
    """One tapped subscription; `lost` is called when the connection broke, as messages may be missing then."""

    def __init__(self, subscription: Subscription, lost: Callable[[], None]) -> None:
        self.subscription = subscription
        self.lost = lost


class Connection(Client):
    """A nats-py client with endless reconnects."""

    def __init__(self) -> None:
        super().__init__()
        self._taps: dict[int, tuple[OnMessage, Tap]] = {}
        self._usable = asyncio.Event()
        self._said: set[str] = set()
        self.on_reconnected: list[Callable[[], None]] = []

    async def open(self, url: str, name: str, **options: Any) -> None:
        """Connect, waiting for as long as there is no server. `url` may be a comma separated list."""
        settings: dict[str, Any] = {
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": RECONNECT_WAIT_S,
            "connect_timeout": 2,
            "ping_interval": PING_INTERVAL_S,
            "max_outstanding_pings": OUTSTANDING_PINGS,
            "pending_size": PENDING_BYTES,
            "drain_timeout": 5,
            "inbox_prefix": inbox_prefix(url),
        }
        await self.connect(
            [part.strip() for part in url.split(",")],
            name=name,
            error_cb=self._said_once,
            disconnected_cb=self._disconnected,
            reconnected_cb=self._reconnected,
            closed_cb=self._closed,
            **(settings | options),
        )
        self._said.clear()
        self._usable.set()

    async def wait_usable(self, timeout_s: float | None = None) -> None:
        """Return once connected; raises UnavailableError after `timeout_s` or when the connection was closed.

        Whoever must not have a request buffered and sent after the outage waits here first.
        """
        if self._usable.is_set() and self.is_connected:
            return
        if self.is_closed:
            raise UnavailableError("the connection to NATS is closed")
        try:
            async with asyncio.timeout(timeout_s):
                await self._usable.wait()
        except TimeoutError as error:
            raise UnavailableError("NATS is not reachable") from error

    async def tap(self, subject: str, on_message: OnMessage, lost: Callable[[], None]) -> Tap:
        """Subscribe; `on_message(subject, reply, data, raw headers)` is called for each message as it is parsed."""
        subscription = await self.subscribe(subject, pending_msgs_limit=1)
        tap = Tap(subscription, lost)
        self._taps[subscription._id] = (on_message, tap)  # noqa: SLF001 - nats-py offers no public id
        return tap

    async def untap(self, tap: Tap) -> None:
        """End a tap."""
        self._taps.pop(tap.subscription._id, None)  # noqa: SLF001
        if not (self.is_closed or self.is_draining):
            try:
                await tap.subscription.unsubscribe()
            except (nats.errors.Error, OSError) as error:
                _log.debug("unsubscribe failed", reason=str(error))

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        entry = self._taps.get(sid)
        if entry is None:
            await super()._process_msg(sid, _ascii(subject), reply, data, _ascii(headers))
        else:
            entry[0](subject, reply, data, headers)

    async def _said_once(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text not in self._said:
            self._said.add(text)
            _log.warning("NATS connection trouble", reason=text)

    async def _disconnected(self) -> None:
        self._usable.clear()
        # What was about to be sent must not be sent after the outage: its caller is told by then that it failed.
        self._pending.clear()
        self._pending_data_size = 0
        for _, tap in tuple(self._taps.values()):
            tap.lost()
        if not self.is_closed:
            _log.warning("connection to NATS lost; reconnecting")

    async def _reconnected(self) -> None:
        self._said.clear()
        self._usable.set()
        _log.info("connection to NATS is back")
        for callback in self.on_reconnected:
            callback()

    async def _closed(self) -> None:
        for _, tap in tuple(self._taps.values()):
            tap.lost()
        self._usable.set()  # wakes the waiting; they find the connection closed


def _ascii(part: bytes) -> bytes:
    """Return what nats-py can decode: with the first subject that it cannot, it stops reading the connection."""
    return part if not part or part.isascii() else part.decode("utf-8", "backslashreplace").encode()


def inbox_prefix(url: str) -> str:
    """Return under which subject answers come: one of the user's own, so that a server can keep others from it."""
    user = urlsplit(url.partition(",")[0].strip()).username or ""
    return f"_INBOX.{user}" if _USER.fullmatch(user) else "_INBOX"
