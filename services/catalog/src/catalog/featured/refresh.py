"""Taking over a featured list: one fact when it is another one than before, or when its source can be read again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from modeldeck_events.message import Command, Event
from modeldeck_events.repositories import FEATURED_SUBJECT, FeaturedPublished, FeaturedRefreshFailed
from modeldeck_events.store import EventStore

from catalog.copies import Copies
from catalog.featured.fold import FeaturedFold
from catalog.featured.reading import FeaturedList, parse_featured
from catalog.feed import MAX_MESSAGE, Feed, RefreshError
from catalog.source import Source

_log = structlog.get_logger(__name__)


class FeaturedRefresher(Feed[FeaturedList, int]):
    """Refreshes the featured models; the outcome is the sequence of what was appended, 0 when nothing was new."""

    what = "featured list"

    def __init__(
        self,
        store: EventStore,
        fold: FeaturedFold,
        source: Source,
        copies: Copies,
        *,
        wait_for: Callable[[int], Awaitable[object]],
    ) -> None:
        super().__init__(store, source, copies, wait_for=wait_for)
        self._fold = fold

    def parse(self, data: bytes) -> FeaturedList:
        """Return the list in `data`."""
        return parse_featured(data)

    async def take_over(self, parsed: FeaturedList, asked: Command | None) -> int:
        """Append the list when it differs."""
        event = FeaturedPublished(
            models=parsed.models,
            last_updated=parsed.last_updated,
            source=self._source.name[:MAX_MESSAGE],
            warnings=parsed.warnings,
        )
        if self._fold.failed is None and self._fold.published == event:
            return 0
        _log.info("featured list taken over", models=len(parsed.models))
        return await self._append(event, asked)

    async def report(self, problem: RefreshError, asked: Command | None) -> None:
        """Append the failure when it is another one than the log says."""
        event = FeaturedRefreshFailed(
            source=self._source.name[:MAX_MESSAGE], code=problem.code, message=str(problem)[:MAX_MESSAGE]
        )
        known = self._fold.failed
        if known is None or (known.source, known.code) != (event.source, event.code):
            await self._append(event, asked)

    async def _append(self, event: Event, asked: Command | None) -> int:
        seq = await self.append_about_all(FEATURED_SUBJECT, event, asked, seq_of=lambda: self._fold.seq)
        self._fold.note(seq, event)
        return seq
