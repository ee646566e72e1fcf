"""Sends one fact to one receiver, once; what came of it is a value."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass

import httpcore
from modeldeck_events.store import Record

from gateway.frames import cloudevent, encode
from gateway.webhook_settings import Webhook
from gateway.webhooks import signing
from gateway.webhooks.addresses import GuardedNetwork

CONNECT_S = 5.0
ANSWER_S = 10.0
ALL_S = 20.0
"""However slowly a receiver drips its answer."""
MAX_ANSWER_BYTES = 64 * 1024
MAX_RETRY_AFTER_S = 300.0
GONE = 410
_TIMEOUTS = {"connect": CONNECT_S, "read": ANSWER_S, "write": ANSWER_S, "pool": ANSWER_S}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a fact did not arrive; `final` when no further try will help."""

    reason: str
    final: bool = False
    retry_after_s: float | None = None


class Sender:
    """A receiver and the connection to it. Redirects are not followed: they could lead anywhere."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._closed = False

    async def send(self, record: Record) -> Failure | None:
        """Send a fact; None when the receiver took it (2xx)."""
        if self._closed:
            return Failure("the gateway goes down")
        body = encode(cloudevent(record))
        headers = signing.headers(self._webhook.key, signing.message_id(record), int(time.time()), body)
        headers |= {"user-agent": "modeldeck-webhook/1", "content-length": str(len(body))}
        try:
            async with asyncio.timeout(ALL_S):
                return await self._post(headers, body)
        except (TimeoutError, httpcore.TimeoutException):
            return Failure("it did not answer in time")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, ssl.SSLError) as error:
            return Failure(f"{type(error).__name__}: {error}"[:300])

    async def _post(self, headers: dict[str, str], body: bytes) -> Failure | None:
        sent = list(headers.items())
        extensions = {"timeout": _TIMEOUTS}
        async with self._open().stream(
            "POST", self._webhook.url, headers=sent, content=body, extensions=extensions
        ) as answer:
            got = 0
            async for chunk in answer.aiter_stream():  # so that the connection can be used again
                got += len(chunk)
                if got > MAX_ANSWER_BYTES:
                    break
        if 200 <= answer.status < 300:
            return None
        if 300 <= answer.status < 400:
            return Failure(f"it answered {answer.status}, and redirects are not followed")
        retry_after = dict(answer.headers).get(b"Retry-After", dict(answer.headers).get(b"retry-after", b""))
        wait_s = min(float(retry_after), MAX_RETRY_AFTER_S) if retry_after.isdigit() else None
        return Failure(f"it answered {answer.status}", final=answer.status == GONE, retry_after_s=wait_s)

    def _open(self) -> httpcore.AsyncConnectionPool:
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=ssl.create_default_context(),
                max_connections=2,
                keepalive_expiry=30,
                network_backend=GuardedNetwork(),
            )
        return self._pool

    async def close(self) -> None:
        """Close the connections for good."""
        self._closed = True
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None
