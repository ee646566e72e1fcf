"""Asking what may never answer (a dead network volume, a hung GPU) without waiting for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NoAnswerError(Exception):
    """The probe has not answered yet; it is asked again once it has."""


class Patient(Generic[T]):
    """Runs `ask` in a daemon thread of its own, one at a time: a stuck one costs a thread and holds up nothing.

    What `ask` raises is raised by `answer`.
    """

    def __init__(self, ask: Callable[[], T], *, limit_s: float) -> None:
        self._ask = ask
        self._limit_s = limit_s
        self._pending: asyncio.Future[T] | None = None

    async def answer(self) -> T:
        """Return what `ask` says; raises NoAnswerError after `limit_s`, and at once while an earlier call is stuck."""
        if self._pending is not None and not self._pending.done():
            raise NoAnswerError("still no answer")
        loop = asyncio.get_running_loop()
        self._pending = future = loop.create_future()
        threading.Thread(target=self._run, args=(loop, future), daemon=True).start()
        done, _ = await asyncio.wait({future}, timeout=self._limit_s)
        if not done:
            future.add_done_callback(_consume)
            raise NoAnswerError(f"no answer within {self._limit_s:g} s")
        value: T = future.result()
        return value

    def _run(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]) -> None:
        try:
            value = self._ask()
        except Exception as error:  # noqa: BLE001 - carried over to whoever asked
            _tell(loop, future.set_exception, error)
        else:
            _tell(loop, future.set_result, value)


def _tell(loop: asyncio.AbstractEventLoop, tell: Callable[[T], None], value: T) -> None:
    try:
        loop.call_soon_threadsafe(tell, value)
    except RuntimeError:  # the service ended meanwhile
        return


def _consume(future: asyncio.Future[T]) -> None:
    """Take a late answer's error, which nobody waits for any more."""
    if not future.cancelled():
        future.exception()
