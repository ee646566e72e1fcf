"""Time travel: the read models as they were at a position of the log, or at a time, folded anew from the log."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query, Request
from modeldeck_events.store import EpochChangedError, Record

from gateway.boards.board import Board, Json
from gateway.boards.fold import Boards
from gateway.context import Gateway, ReadyDep
from gateway.derived import Derived
from gateway.problems import ProblemError, away

_FOLD_S = 20.0
_ONE_AT_A_TIME = asyncio.Semaphore(1)
"""A fold of a long log costs seconds of CPU: whoever asks for the past waits for his turn."""


class View:
    """The read models of now, or of the moment that `?at=` names. `seq` is the position they stand for."""

    def __init__(self, gateway: Gateway, boards: Boards | None, seq: int) -> None:
        self._live = gateway.live
        self._past = boards
        self.boards = boards or gateway.boards
        self.seq = seq

    @property
    def is_past(self) -> bool:
        """Whether this is not the present."""
        return self._past is not None

    def topic(self, name: str) -> Json:
        """Return a topic's state."""
        if self._past is None:
            return self._live.topics[name].published
        if name in {"resources", "disk-health"}:
            raise ProblemError(422, "not_kept", "Resources of the past are in /system/resources/history, for an hour.")
        past = self._past
        renders = Derived(past, lambda: True).renders()
        if name in renders:
            return renders[name]()
        boards: dict[str, Board] = {
            "queue": past.queue,
            "presets": past.presets,
            "models": past.models,
            "templates": past.templates,
            "featured": past.featured,
        }
        return boards[name].state()


async def view(
    request: Request,
    gateway: ReadyDep,
    at: Annotated[
        str | None, Query(max_length=64, description="answer from the past: a position of the log or an RFC 3339 time")
    ] = None,
) -> View:
    """Return the read models that a request asks for."""
    if at is None:
        return View(gateway, None, gateway.live.position.seq)
    until = _moment(at, gateway.live.position.seq)
    async with _ONE_AT_A_TIME:
        if await request.is_disconnected():
            raise away("The caller is gone.")
        try:
            async with asyncio.timeout(_FOLD_S):
                return await _fold(gateway, until)
        except TimeoutError as error:
            raise away(f"Folding the log up to then takes longer than {_FOLD_S:g} s.") from error


async def _fold(gateway: Gateway, until: int | datetime) -> View:
    boards = Boards(pool=gateway.boards.pool)
    seq = 0
    try:
        async with aclosing(gateway.store.follow()) as batches:  # type: ignore[type-var]  # an async generator
            async for batch in batches:
                for record in batch.records:
                    if _after(record, until):
                        return View(gateway, _settled(boards), seq)
                    boards.apply(record)
                    seq = record.seq
                if batch.caught_up:
                    break
    except EpochChangedError as error:
        raise away("The log is being replaced.") from error
    return View(gateway, _settled(boards), seq)


def _settled(boards: Boards) -> Boards:
    boards.take_changes(float("inf"))
    return boards


def _after(record: Record, until: int | datetime) -> bool:
    return record.seq > until if isinstance(until, int) else record.time > until


def _moment(text: str, head: int) -> int | datetime:
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
    return time


ViewDep = Annotated[View, Depends(view)]
