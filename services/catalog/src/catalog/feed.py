"""A document kept up to date from one source: fetch, check, keep a copy, take over.

A bad one never touches what stands.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog
from modeldeck_events.errors import ConflictError
from modeldeck_events.message import Command, Event
from modeldeck_events.store import EventStore, Meta

from catalog import changes
from catalog.copies import Copies, Copy
from catalog.documents import InvalidDocumentError
from catalog.source import Fetched, Source
from catalog.web import SourceError

TRIES = 3
MAX_MESSAGE = 2000
_log = structlog.get_logger(__name__)

Parsed = TypeVar("Parsed")
Outcome = TypeVar("Outcome")


class RefreshError(Exception):
    """The document was not refreshed; `code` is stable, `status` the HTTP status that fits."""

    def __init__(self, message: str, *, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Feed(ABC, Generic[Parsed, Outcome]):
    """One refresh at a time. `wait_for` returns once the fold of what is published has seen a sequence of the log."""

    what = "document"

    def __init__(
        self, store: EventStore, source: Source, copies: Copies, *, wait_for: Callable[[int], Awaitable[object]]
    ) -> None:
        self.problem = ""
        """Why the last refresh failed; empty when it did not."""
        self._store = store
        self._source = source
        self._copies = copies
        self._wait_for = wait_for
        self._lock = asyncio.Lock()

    @abstractmethod
    def parse(self, data: bytes) -> Parsed:
        """Return what the bytes say; raises InvalidDocumentError. Runs in a thread."""

    @abstractmethod
    async def take_over(self, parsed: Parsed, asked: Command | None) -> Outcome:
        """Append what differs from what is published."""

    @abstractmethod
    async def report(self, problem: RefreshError, asked: Command | None) -> None:
        """Append the failure when a person waits for it, or when it is another one than the log says."""

    async def load_copy(self) -> None:
        """Take over the last good copy of this source, so that it is there before the network is."""
        copy = await asyncio.to_thread(self._copies.load)
        if copy is None or copy.source != self._source.name or not self._source.remote:
            return
        try:
            parsed = await asyncio.to_thread(self.parse, copy.data)
        except InvalidDocumentError as error:
            _log.warning(f"the kept copy of the {self.what} is not usable", reason=str(error))
            return
        async with self._lock:
            await self.take_over(parsed, None)

    async def refresh(self, asked: Command | None = None) -> Outcome:
        """Refresh now; `asked` is the command of a person.

        Raises RefreshError, UnavailableError when the log is away, ConflictError when another process was quicker
        each time. What is published stays as it was.
        """
        async with self._lock:
            try:
                fetched = await self._fetch()
                parsed = await asyncio.to_thread(self.parse, fetched.data)
                await asyncio.to_thread(self._copies.save, Copy(fetched.data, self._source.name, fetched.etag))
            except SourceError as error:
                problem = RefreshError(str(error), code=error.code, status=error.status)
            except InvalidDocumentError as error:
                problem = RefreshError(f"{self._source.name}: {error}", code=error.code, status=400)
            except OSError as error:
                message = f"the copy of the {self.what} cannot be written: {error.strerror or error}"
                problem = RefreshError(message, code="copy_unwritable", status=507)
            else:
                outcome = await self.take_over(parsed, asked)
                self._say("")
                return outcome
            self._say(str(problem))
            await self.report(problem, asked)
            raise problem

    async def _fetch(self) -> Fetched:
        """Return the source's document; the kept copy of it when the source says that it has nothing newer."""
        copy = await asyncio.to_thread(self._copies.load)
        mine = Fetched(copy.data, copy.etag) if copy is not None and copy.source == self._source.name else None
        fetched = await self._source.fetch(mine)
        if fetched is None and mine is None:
            raise SourceError(f"{self._source.name} answered 304 unasked", code="upstream_status", status=502)
        return fetched or mine or Fetched(b"")

    async def append_about_all(
        self, subject: str, event: Event, asked: Command | None, *, seq_of: Callable[[], int]
    ) -> int:
        """Append a fact about the document as a whole; whoever was quicker does not make it less true.

        `seq_of` tells the last sequence of the subject as it is folded.
        """
        for left in reversed(range(TRIES)):
            item = changes.append(subject, subject, event, seq_of())
            actor, command_id = (asked.actor, asked.command_id) if asked else ("", "")
            meta = Meta("catalog", actor=actor, command_id=command_id or item.command_id)
            try:
                return await self._store.append(item.subject, (event,), expected_seq=item.expected_seq, meta=meta)
            except ConflictError:
                if not left:
                    raise
                await self.catch_up()
        raise AssertionError  # the loop returns or raises

    async def catch_up(self) -> None:
        """Wait until the fold has seen what stands in the log now."""
        head = await self._store.head()
        await self._wait_for(head.seq)

    def _say(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning(f"the {self.what} was not refreshed; the last good one stays", reason=problem)
        elif self.problem and not problem:
            _log.info(f"the {self.what} can be refreshed again")
        self.problem = problem
