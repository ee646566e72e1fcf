"""Appending many independent facts at once: in batches, guarded, repeatable."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from modeldeck_events.errors import ConflictError
from modeldeck_events.store import Entry, EventStore, Meta

from catalog.states import Append

TOGETHER = 500
"""So many facts are appended with one write to the disk; one by one, 20,000 files would take ten seconds."""
WINDOW = 64
"""So many appends are under way together where one of such a batch was refused."""


@dataclass(slots=True)
class Appended:
    """What came of it. `conflicts`: appends that lost against someone else, to be decided again."""

    last_seq: int = 0
    count: int = 0
    conflicts: int = 0

    def took(self, seq: int) -> None:
        """Count one append."""
        self.count += 1
        self.last_seq = max(self.last_seq, seq)


async def append_all(
    store: EventStore,
    appends: Iterable[Append],
    *,
    actor: str = "",
    correlation_id: str = "",
    on_appended: Callable[[Append, int], None],
) -> Appended:
    """Append each fact to its own subject; `on_appended` gets each with its sequence.

    Raises UnavailableError when the log does not answer: what was appended until then stays, repeating is harmless.
    """
    done = Appended()
    rest = iter(appends)
    while part := list(itertools.islice(rest, TOGETHER)):
        entries = [
            Entry(item.subject, item.event, item.expected_seq, _meta(item, actor, correlation_id)) for item in part
        ]
        try:
            first = await store.append_together(entries) - len(entries) + 1
        except ConflictError:
            await _append_singly(store, list(zip(part, entries, strict=True)), done, on_appended)
            continue
        for seq, item in enumerate(part, start=first):
            done.took(seq)
            on_appended(item, seq)
    return done


def _meta(item: Append, actor: str, correlation_id: str) -> Meta:
    return Meta(source="catalog", actor=actor, command_id=item.command_id, correlation_id=correlation_id)


async def _append_singly(
    store: EventStore,
    pairs: Sequence[tuple[Append, Entry]],
    done: Appended,
    on_appended: Callable[[Append, int], None],
) -> None:
    """Append each for itself, as one of them lost against someone else or was appended before."""

    async def one(item: Append, entry: Entry) -> None:
        try:
            seq = await store.append(entry.subject, (entry.event,), expected_seq=entry.expected_seq, meta=entry.meta)
        except ConflictError:
            done.conflicts += 1
            return
        done.took(seq)
        on_appended(item, seq)

    rest = iter(pairs)
    while window := list(itertools.islice(rest, WINDOW)):
        outcomes = await asyncio.gather(*(one(*pair) for pair in window), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
