"""CloudEvents over HTTP (HTTP protocol binding 1.0.2) to facts: binary, structured and batch mode. Pure.

Only the types that other services may publish are taken (api.md, Bus). One bad item never spoils the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
from modeldeck_events import generations, registry, studio
from modeldeck_events.errors import PoisonError
from modeldeck_events.message import UNREADABLE, Event
from modeldeck_events.store import Stamp

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MAX_BATCH = 500
MAX_DATA_BYTES = 512 * 1024
"""A fact has to fit into one message of the log with its headers."""
MAX_TEXT_CHARS = 256
FUTURE = timedelta(minutes=5)
"""How far a publisher's clock may run ahead."""
OPEN_TYPES: Mapping[str, type[Event]] = {event.TYPE: event for event in (*studio.EVENTS, *generations.EVENTS)}


class Refused(NamedTuple):
    """The item at `position` (0 is the first) cannot be taken; `code` is stable."""

    position: int
    id: str
    code: str
    message: str


class Taken(NamedTuple):
    """The item at `position` as a fact that can be published."""

    position: int
    subject: str
    event: Event
    stamp: Stamp


class MalformedError(ValueError):
    """The request as a whole holds no CloudEvents; the text says why."""


class _RefusedError(ValueError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read(headers: Mapping[str, str], body: bytes, now: datetime) -> list[Taken | Refused]:
    """Return each item of the request, in order; raises MalformedError.

    `headers` have lower-case names. `now` is what an item without a time gets.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == BATCH:
        items = _json(body)
        if not isinstance(items, list) or len(items) > MAX_BATCH:
            raise MalformedError(f"a batch is a JSON array of at most {MAX_BATCH} events")
        return [_item(position, item, now) for position, item in enumerate(items)]
    if kind == STRUCTURED:
        return [_item(0, _json(body), now)]
    if "ce-specversion" not in headers:
        raise MalformedError(
            "send one event in binary mode (headers ce-specversion, ce-id, ce-source, ce-type; the data as JSON body) "
            f"or as {STRUCTURED}, or several as {BATCH}"
        )
    attributes: dict[str, Any] = {
        name.removeprefix("ce-"): unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    return [_item(0, attributes | {"datacontenttype": kind or "application/json", "data": msgspec.Raw(body)}, now)]


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE as error:
        raise MalformedError(f"the body is no JSON: {error}") from error


def _item(position: int, item: Any, now: datetime) -> Taken | Refused:
    event_id = item.get("id") if isinstance(item, dict) else None
    try:
        return _take(position, item, now)
    except _RefusedError as error:
        return Refused(position, event_id if isinstance(event_id, str) else "", error.code, str(error))


def _take(position: int, item: Any, now: datetime) -> Taken:
    if not isinstance(item, dict):
        raise _RefusedError("not_an_event", "an event is a JSON object with specversion, id, source, type and data")
    if item.get("specversion") != "1.0":
        raise _RefusedError("bad_specversion", f"specversion is {item.get('specversion')!a}, 1.0 is expected")
    event_id, source = _text(item, "id"), _text(item, "source")
    event_type = OPEN_TYPES.get(_text(item, "type"))
    if event_type is None:
        raise _RefusedError(
            "closed_type",
            f"{item['type'][:MAX_TEXT_CHARS]!a} is not a type that other services may publish; "
            "GET /api/v1/asyncapi.json lists them",
        )
    event = _data(item, event_type, source)
    actor = item.get("actor", "")
    if not isinstance(actor, str) or len(actor) > MAX_TEXT_CHARS:
        raise _RefusedError("bad_actor", f"`actor` is text of at most {MAX_TEXT_CHARS} characters")
    stamp = Stamp(source, event_id, _time(item.get("time"), now), actor)
    try:
        return Taken(position, _subject(source, event), event, stamp)
    except ValueError as error:
        raise _RefusedError("bad_id", f"the id in the data cannot be used: {error}") from error


def _subject(source: str, event: Event) -> str:
    if isinstance(event, generations.GenerationEvent):
        return generations.subject(source, event.generation_id)
    return studio.subject(source, event)


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT_CHARS or not value.isprintable():
        raise _RefusedError(f"bad_{name}", f"`{name}` must be text of 1 to {MAX_TEXT_CHARS} printable characters")
    return value


def _time(value: Any, now: datetime) -> datetime:
    if value is None:
        return now
    try:
        time = datetime.fromisoformat(value)
        offset = time.utcoffset()
    except (TypeError, ValueError):
        time, offset = now, None
    if offset is None:
        raise _RefusedError("bad_time", f"`time` is {value!a}; write RFC 3339 with an offset: 2026-01-31T12:00:00Z")
    if time > now + FUTURE:
        raise _RefusedError("bad_time", f"`time` {value} lies in the future: is the publisher's clock right?")
    return time.astimezone(UTC)


def _data(item: dict[str, Any], event_type: type[Event], source: str) -> Event:
    content_type = item.get("datacontenttype", "application/json")
    if not isinstance(content_type, str) or content_type.partition(";")[0].strip().lower() != "application/json":
        raise _RefusedError("bad_content_type", f"data of type {content_type!a}; only application/json is taken")
    data = item.get("data")
    try:
        if isinstance(data, msgspec.Raw):
            data = msgspec.json.decode(data)
        if isinstance(data, dict) and issubclass(event_type, generations.GenerationEvent):
            data["source"] = source
        raw = msgspec.json.encode(data)
        if len(raw) > MAX_DATA_BYTES:
            raise _RefusedError("too_large", f"the data has {len(raw)} bytes; at most {MAX_DATA_BYTES} are taken")
        event = registry.decode(event_type.TYPE, raw)
    except (PoisonError, *UNREADABLE) as error:
        raise _RefusedError("bad_data", str(error)) from error
    assert event is not None  # noqa: S101 - every open type is registered
    return event


def sources(items: Iterable[Taken | Refused]) -> dict[str, int]:
    """Return how many facts each source brings."""
    counts: dict[str, int] = {}
    for item in items:
        if isinstance(item, Taken):
            counts[item.stamp.source] = counts.get(item.stamp.source, 0) + 1
    return counts
