"""On which volumes the pool's model files lie, as its inventory says. Pure; folded from the log."""

from __future__ import annotations

from pathlib import Path

from modeldeck_events import modelfiles
from modeldeck_events.modelfiles import InventorySurveyed
from modeldeck_events.store import Record

MAX_MOUNTS = 32
"""More volumes than that are not sampled: each costs a thread per sample."""


class Mounts:
    """The mount points beside that of the models folder, which is sampled anyway."""

    def __init__(self, pool: str) -> None:
        self.paths: tuple[Path, ...] = ()
        self._subject = modelfiles.inventory_subject(pool)

    @property
    def subject(self) -> str:
        """What this fold has to see."""
        return self._subject

    def apply(self, record: Record, /) -> None:
        """Apply one record; other subjects' are passed over."""
        if record.subject == self._subject and isinstance(record.event, InventorySurveyed):
            mounts = record.event.mounts
            others = sorted({mount for prefix, mount in mounts.items() if prefix} - {mounts.get("")})
            self.paths = tuple(Path(mount) for mount in others[:MAX_MOUNTS])

    def reset(self) -> None:
        """Start from zero."""
        self.paths = ()
