"""How a command becomes facts: load, decide, append with the guard; whoever lost the race decides again."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from modeldeck_events.errors import ConflictError
from modeldeck_events.message import Event
from modeldeck_events.store import EventStore, Meta

S = TypeVar("S")
C = TypeVar("C")

FOLD_WAIT_S = 2.0
FOLD_POLL_S = 0.01


async def execute(  # noqa: PLR0913 - the contract of every handler, by keyword
    store: EventStore,
    subject: str,
    *,
    load: Callable[[], tuple[S, int] | Awaitable[tuple[S, int]]],
    decide: Callable[[C, S], Sequence[Event]],
    command: C,
    meta: Meta,
    tries: int = 3,
) -> tuple[int, tuple[Event, ...]]:
    """Return the last sequence appended (0 when nothing had to be) and the facts.

    `load` gives the subject's state and the sequence it was folded up to; it may be async. After a conflict the state
    is loaded until it has reached what stands in the log (at most 2 s), then decided on again, `tries` times in all.
    Raises what `decide` raises, ConflictError when every try lost, UnavailableError.
    """
    for left in reversed(range(tries)):
        state, expected_seq = await _load(load)
        events = tuple(decide(command, state))
        if not events:
            return 0, ()
        try:
            return await store.append(subject, events, expected_seq=expected_seq, meta=meta), events
        except ConflictError:
            if not left:
                raise
        await _fold_reaches(await store.last_seq(subject), load)
    raise ValueError("tries must be at least 1")


async def _load(load: Callable[[], tuple[S, int] | Awaitable[tuple[S, int]]]) -> tuple[S, int]:
    loaded = load()
    return await loaded if inspect.isawaitable(loaded) else loaded


async def _fold_reaches(seq: int, load: Callable[[], tuple[S, int] | Awaitable[tuple[S, int]]]) -> None:
    try:
        async with asyncio.timeout(FOLD_WAIT_S):
            while (await _load(load))[1] < seq:  # noqa: ASYNC110 - any fold may be behind `load`
                await asyncio.sleep(FOLD_POLL_S)
    except TimeoutError as error:
        raise ConflictError(f"the state did not reach sequence {seq} within {FOLD_WAIT_S} s") from error
