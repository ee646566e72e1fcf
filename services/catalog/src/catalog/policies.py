"""What follows from facts and from time: finished downloads are looked at, presets and featured models refreshed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from modeldeck_events import downloads, subjects
from modeldeck_events.downloads import DownloadFileCompleted
from modeldeck_events.store import Record

from catalog.feed import Feed, RefreshError

RETRY_S = (5.0, 30.0, 120.0, 600.0)
"""Waits after failed refreshes, when the schedule is not sooner."""


class FinishedFiles:
    """Has each file looked at whose download just ended, so that it counts as installed at once.

    A fold without a state: facts from before the start are covered by the first walk.
    """

    def __init__(self, pool: str, look_at: Callable[[str], None]) -> None:
        self.subjects = f"{subjects.event(downloads.AGGREGATE, pool)}.>"
        self._look_at = look_at
        self._live = asyncio.Event()

    def begin_after(self, caught_up: asyncio.Event) -> None:
        """Act only on facts that come after `caught_up` is set."""
        self._live = caught_up

    def apply(self, record: Record, /) -> None:
        """Act on one record."""
        if isinstance(record.event, DownloadFileCompleted) and self._live.is_set():
            self._look_at(record.event.path)

    def reset(self) -> None:
        """Nothing is kept."""


class Schedule:
    """Loads the last good copy, refreshes, and again every `interval_s` (0: never again, unless the first failed)."""

    def __init__(self, feed: Feed[Any, Any], *, interval_s: float) -> None:
        self._feed = feed
        self._interval_s = interval_s

    async def run(self) -> None:
        """Refresh for ever."""
        await self._feed.load_copy()
        failures = 0
        while True:
            try:
                await self._feed.refresh()
                failures = 0
            except RefreshError:  # said and kept by the feed
                failures += 1
            wait_s = self._interval_s
            if failures:
                retry_s = RETRY_S[min(failures, len(RETRY_S)) - 1]
                wait_s = min(retry_s, wait_s) if wait_s else retry_s
            if not wait_s:
                return
            await asyncio.sleep(wait_s)
