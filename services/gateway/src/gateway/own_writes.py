"""Reading one's own writes, whichever of several gateways answers.

A write's answer says in the header `Modeldeck-Seen` up to where the log was shown when it was given. A read that sends
it back waits until this gateway is as far, which is a matter of milliseconds. Browsers do so by a cookie, for as long
as it can make a difference.
"""

from __future__ import annotations

from gateway.asgi import Message, Scope, Send, header
from gateway.cookies import cookie_value
from gateway.ids import EventId, parse
from gateway.live import Live

NAME = "modeldeck-seen"
REMEMBERED_S = 10
_HEADER = NAME.encode()


def telling(send: Send, live: Live, *, with_cookie: bool) -> Send:
    """Return a `send` that adds how far the log is shown to the answer of a write, unless it was refused."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] < 400:
            headers = [*message.get("headers", ())]
            seen = str(EventId(*live.position)).encode()
            if with_cookie and all(name != b"set-cookie" for name, _ in headers):  # else the session itself changes
                cookie = b"%b=%b; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict" % (_HEADER, seen, REMEMBERED_S)
                headers.append((b"set-cookie", cookie))
            message = {**message, "headers": [*headers, (_HEADER, seen)]}
        await send(message)

    return sending


async def catch_up(scope: Scope, live: Live) -> None:
    """Wait until everything is shown that the caller has seen elsewhere, 2 s at most; what is no such id is ignored."""
    told = header(scope, _HEADER)
    if not told:
        cookies = header(scope, b"cookie")
        if _HEADER not in cookies:
            return
        told = cookie_value(cookies, NAME).encode("latin-1")
    seen = parse(told.decode("latin-1"))
    if seen is not None and seen.epoch == live.position.epoch and seen.seq > live.position.seq:
        await live.wait_for(seen.seq)
