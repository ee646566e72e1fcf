"""CloudEvents 1.0 in binary mode on NATS: attributes in `ce-*` headers, the fact alone in the body.

The binding (cloudevents/spec, nats-protocol-binding 1.0.3-wip): every attribute, `datacontenttype` too, is a header
`ce-<name>`; values are percent-encoded outside of printable ASCII, and for space, quote and percent.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

import structlog

from modeldeck_events import registry, tracing
from modeldeck_events.errors import PoisonError
from modeldeck_events.message import Event
from modeldeck_events.store import Meta, Record, Stamp

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

_IDS = uuid.UUID("6f0a1f0e-6a3c-5f7e-9a54-0d1b8a6f2c11")
_AS_PACKED = re.compile(
    "NATS/1\\.0\r\nce-specversion: 1\\.0\r\n"
    + "".join(f"ce-{name}: ([^\r]*)\r\n" for name in ("id", "source", "type", "time"))
    + "ce-subject: [^\r]*\r\nce-datacontenttype: [^\r]*\r\n"
    + "".join(f"(?:ce-{name}: ([^\r]*)\r\n)?" for name in ("actor", "correlationid", "causationid"))
).match
"""The headers in the order in which `pack` writes them: one match is several times faster than parsing them."""
_TO_ENCODE = re.compile(r"[^!#$&-~]")
_log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return the time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def event_ids(subject: str, events: Sequence[Event], meta: Meta) -> list[str]:
    """Return one id per event: derived from the command when there is one, else random.

    Derived from command, subject, type and its count, not from the place in the list: when a crash left a prefix, the
    rest that is decided then keeps the ids which it would have had.
    """
    if not meta.command_id:
        return [str(uuid.uuid4()) for _ in events]
    counts: dict[str, int] = {}
    ids = []
    for event in events:
        nth = counts[event.TYPE] = counts.get(event.TYPE, -1) + 1
        ids.append(str(uuid.uuid5(_IDS, "\n".join((meta.command_id, subject, event.TYPE, str(nth))))))
    return ids


def pack(subject: str, event: Event, *, event_id: str, time: datetime, meta: Meta) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of one fact; `time` must be timezone-aware."""
    if not event.TYPE:
        raise ValueError(f"{type(event).__name__} has no type name")
    attributes = {
        "ce-specversion": SPEC_VERSION,
        "ce-id": event_id,
        "ce-source": meta.source,
        "ce-type": event.TYPE,
        "ce-time": time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "ce-subject": subject,
        "ce-datacontenttype": CONTENT_TYPE,
        "ce-actor": meta.actor,
        "ce-correlationid": meta.correlation_id or meta.command_id,
        "ce-causationid": meta.causation_id or meta.command_id,
        "ce-traceparent": meta.traceparent or tracing.current(),
    }
    return {name: quote(value) for name, value in attributes.items() if value}, registry.encode(event)


def pack_foreign(subject: str, event: Event, stamp: Stamp) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a fact as `stamp` tells of it."""
    meta = Meta(source=stamp.source, actor=stamp.actor)
    return pack(subject, event, event_id=stamp.id, time=stamp.time, meta=meta)


def message_id(stamp: Stamp) -> str:
    """Return by what JetStream knows a repetition: ids are unique within a source only."""
    return quote(f"{stamp.source} {stamp.id}")


def unpack(seq: int, subject: str, headers: Mapping[str, str] | None, data: bytes) -> Record:
    """Return the record that a stored message holds; `event` is None for an unknown type.

    Raises PoisonError when the envelope is incomplete, or the body breaks the schema of its type.
    """
    record = unpack_envelope(seq, subject, headers or {}, data, None)
    return unpack_envelope(seq, subject, headers or {}, data, registry.decode(record.type, data))


def unpack_wire(seq: int, subject: str, headers: bytes, data: bytes) -> Record:
    """Return the record of a stored message, for folds, which must get past a broken one: `event` is then None.

    `headers` are as they came over the wire. The log says so when a message is broken; `type` is empty when even the
    envelope cannot be read.
    """
    text = headers.decode("utf-8", "replace")
    match = None if "%" in text else _AS_PACKED(text)
    try:
        if match is None:  # values to unquote, or someone else's order of headers
            record = unpack_envelope(seq, subject, parse_headers(headers), data, None)
            event = registry.decode(record.type, data)
            return unpack_envelope(seq, subject, parse_headers(headers), data, event) if event else record
        event_id, source, type_name, time, actor, correlation_id, causation_id = match.groups("")
        event = registry.decode(type_name, data)
        return Record(
            seq,
            subject,
            event_id,
            type_name,
            source,
            parse_time(time),
            data,
            event,
            actor,
            correlation_id,
            causation_id,
        )
    except PoisonError as error:
        _log.warning("message in the log cannot be read; skipped", seq=seq, subject=subject, reason=str(error))
    try:
        return unpack_envelope(seq, subject, parse_headers(headers), data, None)
    except PoisonError:
        return Record(seq, subject, "", "", "", NO_TIME, data, None)


def unpack_envelope(seq: int, subject: str, headers: Mapping[str, str], data: bytes, event: Event | None) -> Record:
    """Return the record of an event that is already decoded; raises PoisonError for an incomplete envelope."""
    get = headers.get
    try:
        if headers["ce-specversion"] != SPEC_VERSION:
            raise PoisonError(f"CloudEvents {headers['ce-specversion']!r} instead of {SPEC_VERSION}")
        return Record(
            seq,
            subject,
            unquote_value(headers["ce-id"]),
            unquote_value(headers["ce-type"]),
            unquote_value(headers["ce-source"]),
            parse_time(headers["ce-time"]),
            data,
            event,
            unquote_value(get("ce-actor", "")),
            unquote_value(get("ce-correlationid", "")),
            unquote_value(get("ce-causationid", "")),
        )
    except KeyError as error:
        raise PoisonError(f"the CloudEvents header {error.args[0]} is missing") from error


def parse_time(text: str) -> datetime:
    """Return an RFC 3339 time; raises PoisonError for anything else, also for a time without an offset."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise PoisonError(f"ce-time is not RFC 3339: {text!r}") from error
    if time.tzinfo is None:
        raise PoisonError(f"ce-time has no offset: {text!r}")
    return time


def quote(value: str) -> str:
    """Percent-encode a header value as the binding demands."""
    return _TO_ENCODE.sub(lambda m: "".join(f"%{b:02X}" for b in m[0].encode()), value)


def unquote_value(value: str) -> str:
    """Undo `quote`."""
    return unquote(value) if "%" in value else value


def parse_headers(raw: bytes) -> dict[str, str]:
    """Return the headers of a message as it came over the wire (`NATS/1.0`, then `Name: value` lines)."""
    lines = raw.decode("utf-8", "replace").split("\r\n")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name}


def wire_headers(headers: Mapping[str, str]) -> bytes:
    """Return headers as they go over the wire."""
    return b"".join((b"NATS/1.0\r\n", *(f"{name}: {value}\r\n".encode() for name, value in headers.items()), b"\r\n"))
