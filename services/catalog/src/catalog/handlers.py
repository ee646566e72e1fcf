"""What can be asked of the catalog about its sources."""

from __future__ import annotations

from typing import Any, TypeVar

from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.message import Command, Reply
from modeldeck_events.presets import RefreshPresets
from modeldeck_events.repositories import RefreshFeatured

from catalog.featured.fold import FeaturedFold
from catalog.featured.refresh import FeaturedRefresher
from catalog.feed import Feed, RefreshError
from catalog.refresh import Refresher

Outcome = TypeVar("Outcome")


class Handlers:
    """Answers commands; errors of the source are refusals with its own status (R-073)."""

    def __init__(self, refresher: Refresher) -> None:
        self._refresher = refresher

    async def refresh_presets(self, command: RefreshPresets) -> Reply:
        """Refresh now; answers once everything is in the log, at most some 30 s later."""
        done = await _refresh(self._refresher, command)
        total = len(done.catalog.presets)
        changes = f"{done.published} new or changed, {done.withdrawn} withdrawn"
        left_out = [warning.message for warning in done.catalog.warnings if warning.code == "invalid_preset"]
        if left_out:
            changes += f", {len(left_out)} left out ({left_out[0]})"
        return Reply(
            ok=True,
            seq=done.seq,
            data={
                "status": "success",
                "message": f"{total} presets, version {done.catalog.version}: {changes}",
                "total_presets": total,
                "version": done.catalog.version,
            },
        )


class FeaturedHandlers:
    """Answers commands about the featured list."""

    def __init__(self, refresher: FeaturedRefresher, fold: FeaturedFold) -> None:
        self._refresher = refresher
        self._fold = fold

    async def refresh_featured(self, command: RefreshFeatured) -> Reply:
        """Refresh now; answers once the list is in the log, at most some 30 s later."""
        seq = await _refresh(self._refresher, command)
        standing = self._fold.published
        total = len(standing.models) if standing else 0
        message = f"{total} featured models" + ("" if seq else ", as before")
        if standing and standing.warnings:
            message += f"; {len(standing.warnings)} oddities ({standing.warnings[0]})"
        return Reply(ok=True, seq=seq, data={"status": "success", "message": message, "total": total})


async def _refresh(feed: Feed[Any, Outcome], command: Command) -> Outcome:
    try:
        return await feed.refresh(command)
    except RefreshError as error:
        raise CommandNotAllowedError(str(error), code=error.code, status=error.status) from error
