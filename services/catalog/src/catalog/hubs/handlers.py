"""What can be asked about hubs."""

from __future__ import annotations

import msgspec
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.message import Reply
from modeldeck_events.repositories import DescribeRepository

from catalog.hubs.describing import Describer
from catalog.hubs.links import LinkError
from catalog.hubs.problems import HubError


class HubHandlers:
    """Answers commands about repositories; what a hub refuses is a refusal with the same meaning."""

    def __init__(self, describer: Describer) -> None:
        self._describer = describer

    async def describe_repository(self, command: DescribeRepository) -> Reply:
        """Describe what the text names."""
        try:
            found = await self._describer.describe(command)
        except LinkError as error:
            raise CommandNotAllowedError(str(error), code="bad_link", status=422) from error
        except HubError as error:
            wait = {"retry_after_s": error.retry_after_s} if error.retry_after_s is not None else {}
            return Reply(ok=False, code=error.code, message=str(error), status=error.status, data=dict(wait))
        data: dict[str, object] = {
            "repository": msgspec.to_builtins(found.repository),
            "checked_at": msgspec.to_builtins(found.checked_at),
        }
        if found.selected:
            data["selected"] = found.selected
        if found.stale:
            data["stale"] = found.stale
        return Reply(ok=True, seq=found.seq, data=data)
