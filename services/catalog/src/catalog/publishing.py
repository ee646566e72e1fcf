"""Appending many independent facts at once: in a window, guarded, repeatable."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from modeldeck_events.errors import ConflictError
from modeldeck_events.store import EventStore, Meta

from catalog.states import Append

WINDOW = 64
"""So many appends are under way together; one by one a cold start with 20,000 files would take minutes."""


@dataclass(slots=True)
class Appended:
    """What came of it. `conflicts`: appends that lost against someone else, to be decided again."""

    last_seq: int = 0
    count: int = 0
    conflicts: int = 0


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

    async def one(item: Append) -> None:
        meta = Meta(source="catalog", actor=actor, command_id=item.command_id, correlation_id=correlation_id)
        try:
            seq = await store.append(item.subject, (item.event,), expected_seq=item.expected_seq, meta=meta)
        except ConflictError:
            done.conflicts += 1
            return
        done.count += 1
        done.last_seq = max(done.last_seq, seq)
        on_appended(item, seq)

    rest = iter(appends)
    while window := list(itertools.islice(rest, WINDOW)):
        outcomes = await asyncio.gather(*(one(item) for item in window), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
    return done
