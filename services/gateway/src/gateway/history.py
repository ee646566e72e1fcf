"""The whole story of one download, from the log: every fact, and what each attempt came to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events.store import EventStore, Record

from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.downloads import Download

_PAGE = 500
MAX_ATTEMPTS = 200
"""Of more, the last ones are told."""
_OUTCOMES: dict[type[d.DownloadEvent], str] = {
    d.DownloadInterrupted: "interrupted",
    d.DownloadPaused: "paused",
    d.DownloadCompleted: "completed",
    d.DownloadFailed: "failed",
    d.DownloadCancelled: "cancelled",
}


class Timeline:
    """`events` are those that were asked for, `attempts` all of them, each oldest first."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.attempts: list[Json] = []

    def tell(self, record: Record, event: d.DownloadEvent, *, wanted: bool) -> None:
        """Take the next fact about the download."""
        attempt = getattr(event, "attempt", None)
        if isinstance(event, d.DownloadStarted):
            self._end(record, "interrupted", reason="the worker went away without a word")
            begun = words.time(record.time)
            self.attempts.append(
                {"attempt": event.attempt, "worker": event.worker, "started_at": begun, "outcome": "running"}
            )
            del self.attempts[:-MAX_ATTEMPTS]
        running = self.attempts[-1] if self.attempts and self.attempts[-1]["outcome"] == "running" else None
        if running is not None:
            attempt = running["attempt"]
            _note(running, event)
        if wanted:
            self.events.append(_fact(record, event, attempt))
        if type(event) in _OUTCOMES:
            self._end(record, _OUTCOMES[type(event)], reason=_reason(event))

    def _end(self, record: Record, outcome: str, *, reason: str) -> None:
        if self.attempts and self.attempts[-1]["outcome"] == "running":
            self.attempts[-1] |= {"outcome": outcome, "ended_at": words.time(record.time)} | known(
                reason=reason or None
            )


async def timeline(store: EventStore, download: Download, *, after: int, limit: int) -> Timeline:
    """Return the story, with up to `limit` facts after a position."""
    told = Timeline()
    async for record in _facts(store, download):
        event: Any = record.event
        told.tell(record, event, wanted=record.seq > after and len(told.events) < limit)
    return told


async def _facts(store: EventStore, download: Download) -> AsyncIterator[Record]:
    """Yield the facts about a download; its target may have had others before and after it."""
    subject = d.subject(download.pool, download.target.id)
    position = download.seq - 1
    while True:
        records = await store.read(after=position, limit=_PAGE, subjects=(subject,))
        for record in records:
            position = record.seq
            if isinstance(record.event, d.DownloadEvent) and record.event.download_id == download.download_id:
                yield record
        if len(records) < _PAGE:
            return


def _note(attempt: Json, event: d.DownloadEvent) -> None:
    """Add what a fact says of the attempt under way: what was fetched, from where, and what went wrong."""
    match event:
        case d.DownloadFileCompleted():
            attempt["files"] = attempt.get("files", 0) + 1
            attempt["fetched_bytes"] = attempt.get("fetched_bytes", 0) + event.fetched_bytes
            hosts = [event.host]
        case d.DownloadRetryScheduled(failure=failure):
            attempt["retries"] = attempt.get("retries", 0) + 1
            hosts = [failure.host]
        case d.DownloadFileFailed(failure=failure) | d.DownloadFailed(failure=failure):
            hosts = [failure.host]
        case _:
            return
    seen = [*attempt.get("hosts", ()), *filter(None, hosts)]
    if seen:
        attempt["hosts"] = list(dict.fromkeys(seen))


def _reason(event: d.DownloadEvent) -> str:
    failure: d.FailureInfo | None = getattr(event, "failure", None)
    return failure.message if failure else getattr(event, "message", "") or getattr(event, "reason", "")


def _fact(record: Record, event: d.DownloadEvent, attempt: int | None) -> Json:
    failure: d.FailureInfo | None = getattr(event, "failure", None)
    return known(
        seq=record.seq,
        time=words.time(record.time),
        type=record.type,
        actor=record.actor or None,
        attempt=attempt,
        path=getattr(event, "path", None),
        reason=_reason(event) or None,
        code=failure.code if failure else None,
        http_status=failure.status if failure else None,
        host=failure.host if failure else getattr(event, "host", None),
        bytes=getattr(event, "total_bytes", getattr(event, "size_bytes", None)),
        fetched_bytes=getattr(event, "fetched_bytes", None),
        resumed_from_bytes=getattr(event, "resumed_from_bytes", None),
        data=msgspec.json.decode(record.data),
    )
