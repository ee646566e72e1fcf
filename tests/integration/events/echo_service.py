"""A service for tests, run as a process: `python -m tests.integration.events.echo_service`."""

from __future__ import annotations

import asyncio
import sys

from modeldeck_events import downloads as d
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.message import Reply
from modeldeck_events.runtime import Service
from modeldeck_events.settings import ServiceSettings, load
from modeldeck_events.store import Record


class Count:
    """How many facts there are."""

    def __init__(self) -> None:
        self.facts = 0

    def apply(self, _record: Record) -> None:
        """Count one."""
        self.facts += 1

    def reset(self) -> None:
        """Forget."""
        self.facts = 0


def main() -> int:
    """Run."""
    service = Service("downloader", load(ServiceSettings))
    count = Count()
    service.folds([count])
    crash = asyncio.Event()

    @service.command(d.PauseDownload)
    async def pause(command: d.PauseDownload) -> Reply:
        match command.target_id:
            case "gone":
                raise CommandNotAllowedError("there is no such download", code="not_found", status=404)
            case "bug":
                raise KeyError("bug")
            case "slow":
                await asyncio.sleep(1)
            case "crash":
                crash.set()
        return Reply(ok=True, data={"facts": count.facts})

    async def crash_when_told() -> None:
        await crash.wait()
        crash.clear()
        raise OSError("as told")

    service.task(crash_when_told, name="crashing")
    return service.run()


if __name__ == "__main__":
    sys.exit(main())
