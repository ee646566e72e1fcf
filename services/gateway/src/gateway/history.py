"""The whole story of one download, from the log."""

from __future__ import annotations

from typing import Any

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events.store import EventStore, Record

from gateway.boards import words
from gateway.boards.board import known
from gateway.boards.downloads import Download

_PAGE = 500


async def timeline(store: EventStore, download: Download, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Return up to `limit` facts about the download after a position, oldest first."""
    subject = d.subject(download.pool, download.target.id)
    found: list[dict[str, Any]] = []
    position = max(after, download.seq - 1)
    while len(found) < limit:
        records = await store.read(after=position, limit=_PAGE, subjects=(subject,))
        for record in records:
            position = record.seq
            if getattr(record.event, "download_id", None) == download.download_id and len(found) < limit:
                found.append(_fact(record))
        if len(records) < _PAGE:
            break
    return found


def _fact(record: Record) -> dict[str, Any]:
    event = record.event
    failure: d.FailureInfo | None = getattr(event, "failure", None)
    reason = failure.message if failure else getattr(event, "message", "") or getattr(event, "reason", "")
    host = failure.host if failure else getattr(event, "host", None)
    size = getattr(event, "total_bytes", getattr(event, "size_bytes", None))
    return known(
        seq=record.seq,
        time=words.time(record.time),
        type=record.type,
        actor=record.actor or None,
        attempt=getattr(event, "attempt", None),
        path=getattr(event, "path", None),
        reason=reason or None,
        code=failure.code if failure else None,
        http_status=failure.status if failure else None,
        host=host,
        bytes=size,
        fetched_bytes=getattr(event, "fetched_bytes", None),
        resumed_from_bytes=getattr(event, "resumed_from_bytes", None),
        data=msgspec.json.decode(record.data),
    )
