"""How this service writes to the log: a command on the present state becomes facts, under the guard."""

from __future__ import annotations

from modeldeck_events import deciding, pools
from modeldeck_events import downloads as d
from modeldeck_events.errors import UnavailableError
from modeldeck_events.projector import Projector
from modeldeck_events.store import EventStore, Meta

from downloader import domain, pool
from downloader.domain import Download, DownloadDecision
from downloader.pool import PoolSettings
from downloader.queue import QueueFold

FOLD_TIMEOUT_S = 2.0


class PoolLog:
    """The subjects of one pool. Every method raises UnavailableError when the log cannot be reached."""

    def __init__(self, store: EventStore, projector: Projector, queue: QueueFold) -> None:
        self._store = store
        self._projector = projector
        self._queue = queue

    async def state(self, target_id: str) -> Download:
        """Return the target's state as the log has it now, whichever process wrote last."""
        await self._settle(d.subject(self._queue.pool, target_id))
        return self._queue.get(target_id)

    async def execute(
        self, target_id: str, command: DownloadDecision, meta: Meta
    ) -> tuple[int, tuple[d.DownloadEvent, ...]]:
        """Decide and append; return the last sequence (0: nothing had to be) once the fold has it, and the facts."""
        subject = d.subject(self._queue.pool, target_id)

        async def load() -> tuple[Download, int]:
            seq = await self._settle(subject)
            return self._queue.get(target_id), seq

        seq, events = await deciding.execute(
            self._store, subject, load=load, decide=domain.decide, command=command, meta=meta
        )
        await self._projector.wait_for(seq, FOLD_TIMEOUT_S)
        return seq, tuple(event for event in events if isinstance(event, d.DownloadEvent))

    async def configure(self, command: pools.ConfigurePool | pool.Declare, meta: Meta) -> int:
        """Change the pool's settings; return the sequence, 0 when they were so already."""
        subject = pools.subject(self._queue.pool)

        async def load() -> tuple[PoolSettings, int]:
            seq = await self._settle(subject)
            return self._queue.settings, seq

        seq, _ = await deciding.execute(self._store, subject, load=load, decide=pool.decide, command=command, meta=meta)
        await self._projector.wait_for(seq, FOLD_TIMEOUT_S)
        return seq

    async def _settle(self, subject: str) -> int:
        """Wait until the fold has the subject's last fact: a decision on a stale state could refuse wrongly."""
        seq = await self._store.last_seq(subject)
        if not await self._projector.wait_for(seq, FOLD_TIMEOUT_S):
            raise UnavailableError("the downloader has not caught up with the log")
        return self._queue.last_seq(subject)
