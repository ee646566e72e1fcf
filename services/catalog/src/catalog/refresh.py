"""Taking over a catalog of presets: one fact per preset that changed, then one about the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from modeldeck_events.errors import ConflictError
from modeldeck_events.message import Command, Event
from modeldeck_events.presets import CATALOG_SUBJECT, CatalogRefreshFailed, PresetPublished, PresetWithdrawn
from modeldeck_events.store import EventStore

from catalog import changes
from catalog.copies import Copies
from catalog.feed import MAX_MESSAGE, TRIES, Feed, RefreshError
from catalog.presets import Catalog, parse_catalog
from catalog.publishing import append_all
from catalog.source import Source
from catalog.states import Append, PresetsFold

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did; `seq` is the last fact it appended, 0 when nothing was new."""

    catalog: Catalog
    published: int
    withdrawn: int
    seq: int


class Refresher(Feed[Catalog, Refreshed]):
    """Refreshes the published presets. A refresh that a person asked for always leaves a fact."""

    what = "catalog"

    def __init__(
        self,
        store: EventStore,
        fold: PresetsFold,
        source: Source,
        copies: Copies,
        *,
        wait_for: Callable[[int], Awaitable[object]],
    ) -> None:
        super().__init__(store, source, copies, wait_for=wait_for)
        self._fold = fold

    def parse(self, data: bytes) -> Catalog:
        """Return the catalog in `data`."""
        return parse_catalog(data)

    async def take_over(self, parsed: Catalog, asked: Command | None) -> Refreshed:
        """Append what differs: first the presets, then the fact about the whole, so that every prefix is true."""
        count: Counter[type[Event]] = Counter()

        def note(item: Append, seq: int) -> None:
            count[type(item.event)] += 1
            self._fold.note(item.key, seq, item.event)

        actor, asked_id = (asked.actor, asked.command_id) if asked else ("", "")
        last_seq = 0
        for _ in range(TRIES):
            appends = changes.preset_changes(self._fold, parsed)
            done = await append_all(self._store, appends, actor=actor, correlation_id=asked_id, on_appended=note)
            last_seq = max(last_seq, done.last_seq)
            if not done.conflicts:
                break
            await self.catch_up()
        else:
            raise ConflictError("another process takes over a catalog at the same time")
        published, withdrawn = count[PresetPublished], count[PresetWithdrawn]
        summary = changes.summary(parsed, source=self._source.name, published=published, withdrawn=withdrawn)
        if asked is not None or changes.says_more(summary, self._fold):
            last_seq = await self._append(summary, asked)
            _log.info("catalog taken over", version=parsed.version, published=published, withdrawn=withdrawn)
        return Refreshed(parsed, published, withdrawn, last_seq)

    async def report(self, problem: RefreshError, asked: Command | None) -> None:
        """Append the failure when a person waits for it, or when it is another one than the log says."""
        event = CatalogRefreshFailed(source=self._source.name, code=problem.code, message=str(problem)[:MAX_MESSAGE])
        known = self._fold.failed
        if asked is not None or known is None or (known.source, known.code) != (event.source, event.code):
            await self._append(event, asked)

    async def _append(self, event: Event, asked: Command | None) -> int:
        seq = await self.append_about_all(CATALOG_SUBJECT, event, asked, seq_of=lambda: self._fold.catalog_seq)
        self._fold.note(CATALOG_SUBJECT, seq, event)
        return seq
