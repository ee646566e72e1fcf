"""The generations of one source as the log tells them, and how new facts about them get there: each once, whoever asks.

Any number of watchers may see the same run. The guard lets one of them append; the others learn from the log that it is
said. Event ids derive from the run, so a repetition of the same append is recognised as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from modeldeck_events import deciding
from modeldeck_events import generations as g
from modeldeck_events.projector import Projector
from modeldeck_events.store import EventStore, Meta, Record

ENDED_KEPT = 20_000
"""Twice what a ComfyUI keeps in its history, so that none of it is ever taken for new."""
FOLD_WAIT_S = 2.0

Phase = Literal["new", "open", "ended"]


class Generations:
    """Fold: which runs of `source` are open, and which have ended (the newest ones)."""

    def __init__(self, source: str, *, kept: int = ENDED_KEPT) -> None:
        self.source = source
        self._kept = kept
        self._open: dict[str, g.GenerationStarted] = {}
        self._seqs: dict[str, int] = {}
        self._ended: dict[str, int] = {}

    @property
    def open(self) -> Mapping[str, g.GenerationStarted]:
        """The runs without an end, by id, as they are now."""
        return dict(self._open)

    def phase(self, generation_id: str) -> Phase:
        """Return where a run stands in the log."""
        if generation_id in self._ended:
            return "ended"
        return "open" if generation_id in self._open else "new"

    def seq(self, generation_id: str) -> int:
        """Return the sequence of a run's last fact, 0 when there is none."""
        return self._ended.get(generation_id) or self._seqs.get(generation_id, 0)

    def apply(self, record: Record) -> None:
        """Apply one fact."""
        event = record.event
        if not isinstance(event, g.GenerationEvent) or record.subject != g.subject(self.source, event.generation_id):
            return
        key = event.generation_id
        if key in self._ended:
            self._ended[key] = record.seq
            return
        if isinstance(event, g.GenerationEnded):
            self._open.pop(key, None)
            self._seqs.pop(key, None)
            self._ended[key] = record.seq
            if len(self._ended) > self._kept:
                del self._ended[next(iter(self._ended))]
            return
        self._seqs[key] = record.seq
        if isinstance(event, g.GenerationStarted):
            self._open[key] = event

    def reset(self) -> None:
        """Forget everything folded."""
        for kept in (self._open, self._seqs, self._ended):
            kept.clear()


def decide(seen: g.GenerationEvent, phase: Phase) -> tuple[g.GenerationEvent, ...]:
    """Return the fact that was seen if it is news: a run starts once, and ends once, with or without a start."""
    match seen, phase:
        case g.GenerationStarted(), "new":
            return (seen,)
        case g.GenerationEnded(), "new" | "open":
            return (seen,)
    return ()


class GenerationLog:
    """Writes what a watcher sees. Every method raises UnavailableError while the log cannot be reached."""

    def __init__(self, store: EventStore, projector: Projector, generations: Generations) -> None:
        self.generations = generations
        self._store = store
        self._projector = projector
        self._last_seq = 0

    async def add(self, seen: g.GenerationEvent) -> bool:
        """Append what was seen unless the log knows it; return whether it was news.

        Raises ConflictError when others kept writing to the same run.
        """
        known, key = self.generations, seen.generation_id
        if not decide(seen, known.phase(key)):
            return False
        what = "started" if isinstance(seen, g.GenerationStarted) else "ended"
        seq, events = await deciding.execute(
            self._store,
            g.subject(seen.source, key),
            load=lambda: (known.phase(key), known.seq(key)),
            decide=decide,
            command=seen,
            meta=Meta(source="telemetry", actor="policy:comfyui", command_id=f"{seen.source}\n{key}\n{what}"),
        )
        self._last_seq = max(self._last_seq, seq)
        return bool(events)

    async def settle(self) -> None:
        """Return once the fold has what was appended here, so that the next look finds it known."""
        seq, self._last_seq = self._last_seq, 0
        await self._projector.wait_for(seq, FOLD_WAIT_S)
