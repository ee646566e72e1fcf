"""Time travel: the read models as they were at a position of the log, or at a time, folded anew from the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated

from fastapi import Depends, Query, Request
from modeldeck_events.store import EpochChangedError

from gateway.boards.board import Board, Json
from gateway.boards.fold import Boards
from gateway.checkpoints import Fold, Until
from gateway.context import Gateway, ReadyDep
from gateway.derived import Derived
from gateway.problems import ProblemError, away

_FOLD_S = 20.0
_MEASURED = frozenset({"resources", "disk-health"})
_SHOWN_PRECISION_US = 1000


class View:
    """The read models of now, or of the moment that `?at=` names. `seq` is the position they stand for."""

    def __init__(self, gateway: Gateway, fold: Fold | None) -> None:
        self._live = gateway.live
        self._fold = fold
        self._present = gateway.boards
        self._settled = False
        self._has_samples = True
        self.seq = gateway.live.position.seq if fold is None else fold.seq

    @property
    def is_past(self) -> bool:
        """Whether this is not the present."""
        return self._fold is not None

    @property
    def boards(self) -> Boards:
        """The boards themselves."""
        return self._present if self._fold is None else self._settle(self._fold)

    def now(self, zone: tzinfo = UTC) -> datetime:
        """Return the time that it was then: of the past, that of the last fact."""
        return datetime.now(zone) if self._fold is None else self._fold.time.astimezone(zone)

    def look_back(self, moment: datetime) -> None:
        """Add what the hosts read at the moment, as far as that is kept."""
        if self._fold is not None:
            samples = self._present.resources.kept_at(moment)
            self._has_samples = bool(samples)
            self._fold.boards.look_back(samples, moment)

    def knows(self, topic: str) -> bool:
        """Tell whether a topic's state of then is known: what hosts read is kept for about an hour."""
        return self._fold is None or self._has_samples or topic not in _MEASURED

    def topic(self, name: str) -> Json:
        """Return a topic's state; raises ProblemError 422 for one that is not kept."""
        if self._fold is None:
            return self._live.topics[name].published
        if not self.knows(name):
            raise ProblemError(422, "not_kept", "What hosts read is kept for about an hour; nothing is of that moment.")
        past = self._fold.boards
        if name == "queue":
            return past.queue.state()
        if name == "presets":
            return past.presets.state()
        past = self.boards
        renders = Derived(past, lambda: True, self.now).renders()
        if name in renders:
            return renders[name]()
        boards: dict[str, Board] = {
            "models": past.models,
            "templates": past.templates,
            "featured": past.featured,
            "resources": past.resources,
        }
        return boards[name].state()

    def _settle(self, fold: Fold) -> Boards:
        """Take over what some boards only reckon when they are asked, which costs most where many files are."""
        if not self._settled:
            fold.boards.take_changes(float("inf"))
            self._settled = True
        return fold.boards


async def view(
    request: Request,
    gateway: ReadyDep,
    at: Annotated[
        str | None, Query(max_length=64, description="answer from the past: a position of the log or an RFC 3339 time")
    ] = None,
) -> AsyncIterator[View]:
    """Yield the read models that a request asks for."""
    if at is None:
        yield View(gateway, None)
        return
    until = _moment(at, gateway.live.position.seq)
    fold = await _fold(request, gateway, until)
    try:
        past = View(gateway, fold)
        past.look_back(until if isinstance(until, datetime) else fold.time)
        yield past
    finally:
        gateway.past.give_back(fold)


async def _fold(request: Request, gateway: Gateway, until: Until) -> Fold:
    if await request.is_disconnected():
        raise away("The caller is gone.")
    try:
        async with asyncio.timeout(_FOLD_S):
            return await gateway.past.take(until, gateway.live.position)
    except TimeoutError as error:
        raise away(f"Folding the log up to then takes longer than {_FOLD_S:g} s; ask again to go on.") from error
    except EpochChangedError as error:
        raise away("The log is being replaced.") from error


def _moment(text: str, head: int) -> Until:
    if text.isascii() and text.isdigit():
        seq = int(text)
        if seq <= head:
            return seq
        raise ProblemError(422, "invalid_request", f"at: the log ends at {head}, it has no {seq}.")
    try:
        time = datetime.fromisoformat(text.replace(" ", "+"))  # a plus in a query is a space unless it is escaped
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ProblemError(
            422, "invalid_request", "at: write a position of the log or a time such as 2026-01-31T12:00:00Z."
        )
    if time.microsecond % _SHOWN_PRECISION_US == 0:  # times are shown cut to this: who repeats one means all of it
        time += timedelta(microseconds=_SHOWN_PRECISION_US - 1)
    return time


ViewDep = Annotated[View, Depends(view)]
