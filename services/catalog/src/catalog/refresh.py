"""Taking over a catalog: fetch, check, keep a copy, append what changed. A bad source never touches what stands."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from modeldeck_events.errors import ConflictError
from modeldeck_events.message import Event
from modeldeck_events.presets import (
    CATALOG_SUBJECT,
    CatalogRefreshFailed,
    PresetPublished,
    PresetWithdrawn,
    RefreshPresets,
)
from modeldeck_events.store import EventStore, Meta

from catalog import changes
from catalog.copies import Copies, Copy
from catalog.presets import Catalog, InvalidCatalogError, parse_catalog
from catalog.publishing import append_all
from catalog.source import Source, SourceError
from catalog.states import Append, PresetsFold

TRIES = 3
MAX_MESSAGE = 2000
_log = structlog.get_logger(__name__)


class RefreshError(Exception):
    """The catalog was not refreshed; `code` is stable, `status` the HTTP status that fits."""

    def __init__(self, message: str, *, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did; `seq` is the last fact it appended, 0 when nothing was new."""

    catalog: Catalog
    published: int
    withdrawn: int
    seq: int


class Refresher:
    """Refreshes the published presets from one source, one refresh at a time.

    `wait_for` returns once `fold` has seen a sequence of the log.
    """

    def __init__(
        self,
        store: EventStore,
        fold: PresetsFold,
        source: Source,
        copies: Copies,
        *,
        wait_for: Callable[[int], Awaitable[object]],
    ) -> None:
        self.problem = ""
        """Why the last refresh failed; empty when it did not."""
        self._store = store
        self._fold = fold
        self._source = source
        self._copies = copies
        self._wait_for = wait_for
        self._lock = asyncio.Lock()

    async def load_copy(self) -> None:
        """Publish the last good copy of this source, so that presets are there before the network is."""
        copy = await asyncio.to_thread(self._copies.load)
        if copy is None or copy.source != self._source.name or not self._source.remote:
            return
        try:
            catalog = await asyncio.to_thread(parse_catalog, copy.data)
        except InvalidCatalogError as error:
            _log.warning("the kept copy of the catalog is not usable", reason=str(error))
            return
        async with self._lock:
            await self._take_over(catalog, None)

    async def refresh(self, asked: RefreshPresets | None = None) -> Refreshed:
        """Refresh now; `asked` is the command of a person, whose refresh always leaves a fact.

        Raises RefreshError, UnavailableError when the log is away, ConflictError when another process was quicker
        each time. What is published stays as it was.
        """
        async with self._lock:
            try:
                data, etag = await self._fetch()
                catalog = await asyncio.to_thread(parse_catalog, data)
                await asyncio.to_thread(self._copies.save, Copy(data, self._source.name, etag))
            except SourceError as error:
                problem = RefreshError(str(error), code=error.code, status=error.status)
            except InvalidCatalogError as error:
                message = f"{self._source.name}: {error}"
                problem = RefreshError(message, code=error.code, status=400)
            except OSError as error:
                message = f"the copy of the catalog cannot be written: {error.strerror or error}"
                problem = RefreshError(message, code="copy_unwritable", status=507)
            else:
                outcome = await self._take_over(catalog, asked)
                self._say("")
                return outcome
            self._say(str(problem))
            await self._report(problem, asked)
            raise problem

    async def _fetch(self) -> tuple[bytes, str]:
        """Return the source's bytes; those of the kept copy when the source says that it has nothing newer."""
        copy = await asyncio.to_thread(self._copies.load)
        mine = copy if copy is not None and copy.source == self._source.name else None
        fetched = await self._source.fetch(mine.etag if mine else "")
        if fetched is not None:
            return fetched.data, fetched.etag
        if mine is None:
            raise SourceError(f"{self._source.name} answered 304 unasked", code="upstream_status", status=502)
        return mine.data, mine.etag

    async def _take_over(self, catalog: Catalog, asked: RefreshPresets | None) -> Refreshed:
        """Append what differs: first the presets, then the fact about the whole, so that every prefix is true."""
        count: Counter[type[Event]] = Counter()

        def note(item: Append, seq: int) -> None:
            count[type(item.event)] += 1
            self._fold.note(item.key, seq, item.event)

        actor, asked_id = (asked.actor, asked.command_id) if asked else ("", "")
        last_seq = 0
        for _ in range(TRIES):
            appends = changes.preset_changes(self._fold, catalog)
            done = await append_all(self._store, appends, actor=actor, correlation_id=asked_id, on_appended=note)
            last_seq = max(last_seq, done.last_seq)
            if not done.conflicts:
                break
            await self._catch_up()
        else:
            raise ConflictError("another process takes over a catalog at the same time")
        published, withdrawn = count[PresetPublished], count[PresetWithdrawn]
        summary = changes.summary(catalog, source=self._source.name, published=published, withdrawn=withdrawn)
        if asked is not None or changes.says_more(summary, self._fold):
            last_seq = await self._append_about_all(summary, actor=actor, asked_id=asked_id)
            _log.info("catalog taken over", version=catalog.version, published=published, withdrawn=withdrawn)
        return Refreshed(catalog, published, withdrawn, last_seq)

    async def _append_about_all(self, event: Event, *, actor: str, asked_id: str) -> int:
        """Append a fact about the catalog as a whole; whoever was quicker does not make it less true."""
        for left in reversed(range(TRIES)):
            item = changes.append(CATALOG_SUBJECT, CATALOG_SUBJECT, event, self._fold.catalog_seq)
            meta = Meta("catalog", actor=actor, command_id=asked_id or item.command_id)
            try:
                seq = await self._store.append(item.subject, (event,), expected_seq=item.expected_seq, meta=meta)
            except ConflictError:
                if not left:
                    raise
                await self._catch_up()
            else:
                self._fold.note(item.key, seq, event)
                return seq
        raise AssertionError  # the loop returns or raises

    async def _report(self, problem: RefreshError, asked: RefreshPresets | None) -> None:
        """Append the failure when a person waits for it, or when it is another one than the log says."""
        event = CatalogRefreshFailed(source=self._source.name, code=problem.code, message=str(problem)[:MAX_MESSAGE])
        known = self._fold.failed
        if asked is not None or known is None or (known.source, known.code) != (event.source, event.code):
            actor, asked_id = (asked.actor, asked.command_id) if asked else ("", "")
            await self._append_about_all(event, actor=actor, asked_id=asked_id)

    async def _catch_up(self) -> None:
        """Wait until the fold has seen what stands in the log now."""
        head = await self._store.head()
        await self._wait_for(head.seq)

    def _say(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning("the catalog was not refreshed; the last good one stays", reason=problem)
        elif self.problem and not problem:
            _log.info("the catalog can be refreshed again")
        self.problem = problem
