"""How to ask a ComfyUI: its HTTP routes and its WebSocket, with limits on what it may answer.

Whatever goes wrong is a ComfyuiError whose text says what; addresses in it carry no credentials. Bodies are read with
the standard library's JSON, because ComfyUI writes NaN into prompts, which stricter readers refuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import structlog
from yarl import URL

from telemetry.comfyui_jobs import Queue, read_queue

MIB = 1024 * 1024
MAX_BODY_BYTES = 32 * MIB
MAX_MESSAGE_BYTES = 16 * MIB
ANSWER_S = 30.0
CONNECT_S = 5.0
HEARTBEAT_S = 60.0
"""While ComfyUI loads a model it may not answer for many seconds."""
ENTRIES = 16
FIRST_ENTRIES = (2, ENTRIES)
"""Mostly one is new, sometimes some; only after an outage the whole length matters."""
MAX_HISTORY = 20_000
"""ComfyUI keeps 10,000."""
_BEYOND = 1 << 30
_IN_A_THREAD_BYTES = MIB
_log = structlog.get_logger(__name__)

Entry = tuple[str, Any]
"""A job's id and its history entry as it came."""
Message = tuple[str, dict[str, Any]]
"""A message's type and its data."""


class ComfyuiError(Exception):
    """ComfyUI is away, or answers something else than its protocol says."""


class TooLargeError(ComfyuiError):
    """The answer is larger than anything that we take."""


def shown(url: str) -> str:
    """Return an address without what must not be shown."""
    return str(URL(url).with_user(None).with_query(None).with_fragment(None))


def source_of(url: str, host: str) -> str:
    """Return the name under which every watcher of this ComfyUI publishes: `host:port`, then its base path.

    A loopback address means another ComfyUI on every host, so there the host's own name stands for it.
    """
    address = URL(url)
    name = address.host or ""
    if name == "localhost" or name.startswith("127.") or name == "::1":
        name = host
    return f"{name}:{address.port}{address.path.rstrip('/')}"


class ComfyuiClient:
    """One ComfyUI, also behind a base path. Use it as a context manager: it holds connections."""

    def __init__(self, url: str, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self.asked_s = 0.0
        """How long it has been kept busy with answering, in all."""
        self._base = URL(url.rstrip("/"))
        self._max_body_bytes = max_body_bytes
        self._session: aiohttp.ClientSession | None = None
        self._client_id = uuid.uuid4().hex  # an id in use elsewhere would take that client's messages away
        self._offsets: bool | None = None
        self._said_too_large = False

    async def __aenter__(self) -> Self:
        """Open the session."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=ANSWER_S)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[Message]]:
        """Connect the WebSocket; yields its messages until it closes. Previews and broken messages are left out."""
        address = (self._base / "ws").with_query(clientId=self._client_id)
        try:
            async with self._open.ws_connect(
                address, heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE_BYTES, timeout=_CLOSE
            ) as socket:
                yield self._messages(socket)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ComfyuiError(f"its WebSocket cannot be used: {_reason(error)}") from error

    async def _messages(self, socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[Message]:
        async for frame in socket:
            if frame.type is aiohttp.WSMsgType.ERROR:
                raise ComfyuiError(f"its WebSocket failed: {_reason(frame.data)}")
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            try:
                message = _parse(frame.data)
            except ValueError:
                continue
            match message:
                case {"type": str(kind), "data": dict(data)}:
                    yield kind, data
        raise ComfyuiError("its WebSocket was closed")

    async def queue(self) -> Queue | None:
        """Return what runs and waits, None when that is more than we take."""
        try:
            body = await self._get("queue")
        except TooLargeError:
            return None
        queue = read_queue(body)
        if queue is None:
            raise ComfyuiError("its queue is not as expected: is this address a ComfyUI?")
        return queue

    async def pending(self) -> int | None:
        """Return how many jobs run and wait, by the cheapest request."""
        match await self._get("prompt"):
            case {"exec_info": {"queue_remaining": int(count)}}:
                return count
        return None

    async def version(self) -> str:
        """Return ComfyUI's version, "" when it does not tell."""
        try:
            answer = await self._get("system_stats")
        except ComfyuiError:
            return ""
        match answer:
            case {"system": {"comfyui_version": str(version)}}:
                return version[:100]
        return ""

    async def entry(self, job_id: str) -> Any | None:
        """Return one job's history entry, None when there is none."""
        body = await self._get(f"history/{quote(job_id, safe='')}")
        if not isinstance(body, dict):
            raise ComfyuiError("its history is not as expected: is this address a ComfyUI?")
        return body.get(job_id)

    async def history(self) -> AsyncGenerator[list[Entry]]:
        """Yield the history in pages, newest entry first; entries can come twice, none is left out while it grows.

        A ComfyUI that knows no offset (before 2025) is asked for ever more of the newest ones.
        """
        for count in FIRST_ENTRIES:
            try:
                newest = await self._page(max_items=count)
            except TooLargeError:
                break
            yield newest
            if len(newest) < count:
                return
        pages = self._by_offset() if await self._knows_offsets() else self._by_growing()
        async with contextlib.aclosing(pages):
            async for page in pages:
                yield page

    async def _by_offset(self) -> AsyncGenerator[list[Entry]]:
        end = await self._length()
        while end > 0:
            start = max(0, end - ENTRIES)
            yield await self._between(start, end)
            end = start

    async def _by_growing(self) -> AsyncGenerator[list[Entry]]:
        count = ENTRIES * 4
        while count < MAX_HISTORY:
            try:
                page = await self._page(max_items=count)
            except TooLargeError as error:
                self._say_too_large(f"its {count} newest entries have {error}")
                return
            yield page
            if len(page) < count:
                return
            count *= 4

    async def _between(self, start: int, end: int) -> list[Entry]:
        try:
            return await self._page(max_items=end - start, offset=start)
        except TooLargeError as error:
            if end - start == 1:
                self._say_too_large(f"one entry has {error}")
                return []
        middle = (start + end) // 2
        return [*await self._between(middle, end), *await self._between(start, middle)]

    async def _knows_offsets(self) -> bool:
        if self._offsets is None:
            self._offsets = not await self._page(max_items=1, offset=_BEYOND)
        return self._offsets

    async def _length(self) -> int:
        """Return how many entries there are, by halving: the history tells its length nowhere."""
        low, high = 0, ENTRIES
        while high < MAX_HISTORY and await self._reaches(high):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if await self._reaches(middle) else (low, middle)
        return high

    async def _reaches(self, index: int) -> bool:
        try:
            return bool(await self._page(max_items=1, offset=index))
        except TooLargeError:
            return True

    async def _page(self, **query: int) -> list[Entry]:
        """Return entries, newest first."""
        body = await self._get("history", query)
        if not isinstance(body, dict):
            raise ComfyuiError("its history is not as expected: is this address a ComfyUI?")
        return list(reversed(body.items()))

    async def _get(self, path: str, query: Mapping[str, int] | None = None) -> Any:
        began = time.monotonic()
        try:
            body = await self._body(path, query)
        finally:
            self.asked_s += time.monotonic() - began
        try:
            if len(body) > _IN_A_THREAD_BYTES:
                return await asyncio.to_thread(_parse, body)
            return _parse(body)
        except ValueError as error:
            raise ComfyuiError(f"GET /{path.partition('/')[0]} was not answered with JSON") from error

    async def _body(self, path: str, query: Mapping[str, int] | None) -> bytearray:
        address = self._base.joinpath(path, encoded=True).with_query(query)
        try:
            async with self._open.get(address, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise ComfyuiError(f"GET /{path.partition('/')[0]} was answered with {answer.status}")
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > self._max_body_bytes:
                        raise TooLargeError(f"more than {self._max_body_bytes // MIB} MiB")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ComfyuiError(_reason(error)) from error
        return body

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client as a context manager")
        return self._session

    def _say_too_large(self, what: str) -> None:
        if not self._said_too_large:
            _log.warning("part of ComfyUI's history cannot be read", comfyui=shown(str(self._base)), reason=what)
        self._said_too_large = True


_CLOSE = aiohttp.ClientWSTimeout(ws_close=2.0)


def _parse(text: str | bytes | bytearray) -> Any:
    """Return JSON's value, None for NaN and infinities; raises ValueError for no JSON, or one nested too deeply."""
    try:
        return json.loads(text, parse_constant=lambda _name: None)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _reason(error: object) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
    return (str(error) or type(error).__name__) if not isinstance(error, TimeoutError) else "no answer in time"
