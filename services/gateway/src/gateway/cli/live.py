"""Follow the live stream: Server-Sent Events over httpx, through drops, restarts and silence.

SseDecoder    bytes to messages, as the HTML standard says (not as str.splitlines would cut them)
follow        messages of some topics for ever; `Lost` says that the connection is away and will be tried again
merge_patch   RFC 7396
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from gateway.cli.client import ApiError, Client, UnreachableError

_HEARTBEAT_S = 10.0
_SILENT_HEARTBEATS = 2.5
_FIRST_DELAY_S = 0.5
_MAX_DELAY_S = 10.0
_GIVE_UP_S = 600.0
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_LINE_END = re.compile(rb"\r\n|\n|\r")


class StreamError(ValueError):
    """What came is not a stream that can be followed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One message: its event name, decoded data and the id in force after it."""

    event: str
    data: Any
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Lost:
    """The connection is away; the next try comes in `delay_s`. `first` is the one that ended a working connection."""

    reason: str
    delay_s: float
    first: bool


class SseDecoder:
    """Incremental decoder of one connection. Holds at most one message of bounded size."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry_s: float | None = None
        self._buffer = b""
        self._first = True
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that are complete with this chunk; raises StreamError for what no gateway sends."""
        self._buffer += chunk
        if len(self._buffer) + self._size > _MAX_MESSAGE_BYTES:
            raise StreamError("the gateway sent a message that is too large")
        start = 0
        for match in _LINE_END.finditer(self._buffer):
            if match[0] == b"\r" and match.end() == len(self._buffer):
                break  # its \n may be the first byte of the next chunk
            line = self._buffer[start : match.start()]
            start = match.end()
            message = self._take(line)
            if message is not None:
                yield message
        self._buffer = self._buffer[start:]

    def _take(self, line: bytes) -> Message | None:
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._finish()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"event":
                self._event = value.decode(errors="replace")
            case b"data":
                self._data.append(value)
                self._size += len(value)
            case b"id" if b"\0" not in value:
                self.last_id = value.decode(errors="replace")
            case b"retry" if value.isdigit():
                self.retry_s = int(value) / 1000
            case _:
                pass  # comments and fields of later standards
        return None

    def _finish(self) -> Message | None:
        event, data = self._event or "message", b"\n".join(self._data)
        had_data = bool(self._data)
        self._event, self._data, self._size = "", [], 0
        if not had_data:
            return None
        try:
            decoded = json.loads(data)
        except ValueError:
            raise StreamError(f"the gateway sent a {event!r} message that is not JSON") from None
        return Message(event, decoded, self.last_id)


def follow(
    client: Client,
    topics: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Message | Lost]:
    """Yield the messages of `topics` until the caller stops; goes on after the last id when the connection breaks.

    Each connection begins with a `hello`. Raises ApiError when the gateway refuses for good (no credentials), and
    UnreachableError after ten minutes without any answer.
    """
    last_id, failures, heard = "", 0, clock()
    retry_s: float | None = None
    while True:
        decoder = SseDecoder(last_id)
        decoder.retry_s = retry_s
        reason = "the gateway closed the stream"
        try:
            with client.stream(topics, last_id, _SILENT_HEARTBEATS * _HEARTBEAT_S) as chunks:
                for message in _messages(chunks, decoder):
                    heard, failures = clock(), 0
                    last_id, retry_s = decoder.last_id, decoder.retry_s
                    yield message
                    if message.event == "bye":
                        reason = "the gateway goes down"
                        break
                    if message.event == "reset":  # what follows on this connection is of the new log
                        last_id = decoder.last_id = ""
        except ApiError as error:
            if error.status == 400 and last_id:
                last_id = ""  # refused as an id: begin afresh, the snapshots make the state true again
            elif not error.passing:
                raise
            reason = error.detail
        except (UnreachableError, StreamError) as error:
            reason = str(error)
        if clock() - heard > _GIVE_UP_S:
            raise UnreachableError(f"the gateway has been away for ten minutes: {reason}")
        delay_s = _delay(failures, retry_s)
        failures += 1
        yield Lost(reason, delay_s, first=failures == 1)
        sleep(delay_s)


def _messages(chunks: Iterator[bytes], decoder: SseDecoder) -> Iterator[Message]:
    for chunk in chunks:
        yield from decoder.feed(chunk)


def _delay(failures: int, retry_s: float | None) -> float:
    """Doubling from the server's own wish or half a second to ten seconds, the upper half of it at random."""
    first = min(retry_s if retry_s is not None else _FIRST_DELAY_S, _MAX_DELAY_S)
    ceiling = min(_MAX_DELAY_S, max(first, 0.05) * 2.0 ** min(failures, 10))
    return ceiling / 2 + random.random() * ceiling / 2  # noqa: S311  # spreads clients, protects nothing


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with an RFC 7396 merge patch applied; neither is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result
