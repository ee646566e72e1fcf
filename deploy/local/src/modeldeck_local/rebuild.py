"""`modeldeck doctor --rebuild`: folds the log from zero here, and compares with the boards of the running gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from gateway import proof
from gateway.boards.fold import Boards
from modeldeck_events import bus
from modeldeck_events.errors import EventsError
from modeldeck_events.store import EventStore, Position

BOARDS = "/api/v1/system/boards"
CONNECT_S = 5.0
ANSWER_S = 60.0
LOOKED_INTO = 5
"""Of so many differing boards it is told where they differ."""


class RebuildError(Exception):
    """The comparison could not be made; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """What was compared, as of which position of the log, and how each board that differs does so."""

    names: tuple[str, ...]
    seq: int
    differing: dict[str, list[str]]


async def compare(url: str, token: str, nats_url: str) -> Outcome:
    """Compare every board; raises RebuildError."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx.AsyncClient(base_url=url, headers=headers, timeout=ANSWER_S, trust_env=False) as http,
        _log(nats_url) as store,
    ):
        theirs = await _ask(http, BOARDS)
        rebuilt = _Rebuilt(store, Position(theirs["epoch"], theirs["seq"]), theirs["pool"])
        if rebuilt.boards.schema != theirs["form"]:
            raise RebuildError("the gateway is of another version than this command")
        await rebuilt.fold_to(theirs["seq"])
        ours = await proof.digests(rebuilt.boards, proof.shown_of(rebuilt.boards))
        names = tuple(sorted({*ours, *theirs["digests"]}))
        differing = {name: [""] for name in names if ours.get(name) != theirs["digests"].get(name)}
        for name in list(differing)[:LOOKED_INTO]:
            differing[name] = await _where(http, rebuilt, name)
        return Outcome(names, theirs["seq"], differing)


class _Rebuilt:
    """Boards that are folded from zero, as far as is asked."""

    def __init__(self, store: EventStore, log: Position, pool: str) -> None:
        self.boards = Boards(pool=pool)
        self._store = store
        self._at = Position(log.epoch, 0)

    async def fold_to(self, seq: int) -> None:
        """Go on to a position, not beyond it."""
        if self._at.seq >= seq:
            return
        async with aclosing(self._store.follow(after=self._at)) as batches:  # type: ignore[type-var]  # a generator
            async for batch in batches:
                for record in batch.records:
                    if record.seq <= seq:
                        self.boards.apply(record)
                if batch.seq >= seq:
                    break
        self._at = Position(self._at.epoch, seq)


async def _where(http: httpx.AsyncClient, rebuilt: _Rebuilt, name: str) -> list[str]:
    """Return where a board differs, as of the position that the gateway has reached by now."""
    theirs = await _ask(http, f"{BOARDS}/{name}")
    await rebuilt.fold_to(theirs["seq"])
    ours = await proof.content(rebuilt.boards, proof.shown_of(rebuilt.boards), name) or b"null"
    found = proof.first(proof.differences(theirs["content"], msgspec.json.decode(ours)))
    return found or [f"differed at {theirs['seq']} no more, or only in its order"]


async def _ask(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    try:
        answer = await http.get(path)
    except httpx.HTTPError as error:
        raise RebuildError(f"the gateway does not answer: {error!r}") from error
    if answer.status_code != 200:
        raise RebuildError(f"the gateway answers {answer.status_code} to {path}: {answer.text[:200]}")
    found: dict[str, Any] = answer.json()
    return found


@asynccontextmanager
async def _log(url: str) -> AsyncIterator[EventStore]:
    """Connect to the log; raises RebuildError when nothing answers there, or when it went away meanwhile."""
    try:
        async with asyncio.timeout(CONNECT_S):
            connected = await bus.connect(url, "gateway")  # whose rights these are
    except TimeoutError as error:
        raise RebuildError("the event log does not answer") from error
    try:
        yield connected.store
    except EventsError as error:
        raise RebuildError(f"the event log could not be read: {error}") from error
    finally:
        await connected.close()
