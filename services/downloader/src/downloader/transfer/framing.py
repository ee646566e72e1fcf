"""Where a response's body ends (RFC 9112 6.3), read off its head."""

from __future__ import annotations

from dataclasses import dataclass

import h11

from downloader.transfer.headers import parse_length


@dataclass(frozen=True, slots=True)
class Framing:
    """`length` is None when chunks or the end of the connection end the body."""

    length: int | None
    ends_by_close: bool
    keep_alive: bool


NO_BODY = Framing(0, ends_by_close=False, keep_alive=False)


def framing_of(head: h11.Response, *, asked_by_head: bool) -> Framing:
    """Return how the body after `head` is framed, and whether the connection may serve again after it."""
    fields = {name.lower(): value for name, value in head.headers}
    chunked = b"transfer-encoding" in fields
    stated = parse_length(fields.get(b"content-length", b"").decode("latin-1"))
    bodiless = asked_by_head or head.status_code in (204, 304)
    length = 0 if bodiless else (None if chunked else stated)
    ends_by_close = length is None and not chunked
    tokens = {token.strip().lower() for token in fields.get(b"connection", b"").split(b",")}
    keep_alive = head.http_version == b"1.1" and b"close" not in tokens and not ends_by_close
    return Framing(length, ends_by_close, keep_alive)
