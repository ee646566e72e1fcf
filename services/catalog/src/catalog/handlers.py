"""What can be asked of the catalog."""

from __future__ import annotations

from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.message import Reply
from modeldeck_events.presets import RefreshPresets

from catalog.feed import RefreshError
from catalog.refresh import Refresher


class Handlers:
    """Answers commands; errors of the source are refusals with its own status (R-073)."""

    def __init__(self, refresher: Refresher) -> None:
        self._refresher = refresher

    async def refresh_presets(self, command: RefreshPresets) -> Reply:
        """Refresh now; answers once everything is in the log, at most some 30 s later."""
        try:
            done = await self._refresher.refresh(command)
        except RefreshError as error:
            raise CommandNotAllowedError(str(error), code=error.code, status=error.status) from error
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
