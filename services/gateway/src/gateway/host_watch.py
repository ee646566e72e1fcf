"""Remembers when hosts fall silent and come back: somebody who is alive has to say so.

Every gateway may say it; the guard on the host's subject lets one of them.
"""

from __future__ import annotations

import asyncio

import structlog
from modeldeck_events import hosts
from modeldeck_events.errors import ConflictError, UnavailableError
from modeldeck_events.store import EventStore, Meta

from gateway.boards.fold import Boards

LOOK_S = 0.2
META = Meta(source="gateway", actor="policy:host-watch")
_log = structlog.get_logger(__name__)


class HostWatch:
    """Compares the newest samples with what the log says of their hosts."""

    def __init__(self, boards: Boards, store: EventStore) -> None:
        self._boards = boards
        self._store = store

    async def run(self) -> None:
        """Look for ever; while the log is away the facts wait."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except UnavailableError as error:
                _log.debug("what is new of hosts waits for the log", reason=str(error))

    async def look(self) -> None:
        """Append what became true since the last look; raises UnavailableError."""
        for sample, silent in list(self._boards.resources.reporting()):
            for event, seq in self._boards.hosts.follows(sample, silent=silent):
                subject = hosts.subject(event.host)
                try:
                    await self._store.append(subject, [event], expected_seq=seq, meta=META)
                except ConflictError:
                    _log.debug("another one said it first, or the fold is behind", host=event.host)
