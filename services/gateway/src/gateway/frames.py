"""Server-Sent Events as bytes, and log records as CloudEvents in JSON."""

from __future__ import annotations

from typing import Any

import msgspec
from modeldeck_events import users
from modeldeck_events.message import UNREADABLE
from modeldeck_events.store import Record

from gateway.boards import words

encode = msgspec.json.Encoder(decimal_format="string").encode


def frame(event: str, data: bytes, event_id: str = "", retry_ms: int | None = None) -> bytes:
    """Return one event; `data` is JSON, which never contains a raw line break."""
    head = b"event: %b\n" % event.encode()
    if event_id:
        head = b"id: %b\n" % event_id.encode() + head
    if retry_ms is not None:
        head = b"retry: %d\n" % retry_ms + head
    return b"%bdata: %b\n\n" % (head, data)


def chunk(body: bytes) -> bytes:
    """Return bytes as one chunk of HTTP/1.1's chunked coding."""
    return b"%x\r\n%b\r\n" % (len(body), body)


LAST_CHUNK = b"0\r\n\r\n"
_PRIVATE = f"evt.{users.AGGREGATE}."


def is_private(record: Record) -> bool:
    """Tell whether a fact is one user's own business (his board, settings, tokens, sessions): shown to nobody else."""
    return record.subject.startswith(_PRIVATE)


def cloudevent(record: Record) -> dict[str, Any]:
    """Return a fact as a CloudEvent in JSON; the extension `seq` is its position in the log."""
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": record.id,
        "source": record.source,
        "type": record.type,
        "subject": record.subject,
        "time": words.time(record.time),
        "datacontenttype": "application/json",
        "seq": record.seq,
    }
    extensions = {
        "actor": record.actor,
        "correlationid": record.correlation_id,
        "causationid": record.causation_id,
    }
    found |= {name: value for name, value in extensions.items() if value}
    found["data"] = msgspec.Raw(record.data) if _is_json(record.data) else record.data.decode(errors="replace")
    return found


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except UNREADABLE:
        return False
    return b"\n" not in data
