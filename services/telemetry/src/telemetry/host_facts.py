"""What of a host's samples is worth remembering: that it joined, and when a disk crosses a threshold."""

from __future__ import annotations

import structlog
from modeldeck_events import hosts
from modeldeck_events.errors import ConflictError, UnavailableError
from modeldeck_events.hosts import DiskLevel, DiskLevelChanged, HostEvent, HostJoined
from modeldeck_events.readings import DiskSample, HostSample
from modeldeck_events.store import EventStore, Meta, Record

THRESHOLDS: tuple[tuple[DiskLevel, float], ...] = (("critical", 90.0), ("warning", 80.0))
"""R-235, in percent; a value on a threshold belongs to the upper class (C-04)."""
MARGIN_PERCENT = 2.0
"""A disk must fall so far below a threshold before it counts as below, so that one at its edge does not chatter."""
META = Meta(source="telemetry", actor="policy:host-facts")
_log = structlog.get_logger(__name__)


class HostState:
    """What the log says of this host; a fold of `evt.host.<host>`."""

    def __init__(self, host: str) -> None:
        self.subject = hosts.subject(host)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.seq = 0
        self.joined = False
        self.disks: dict[str, DiskLevel] = {}

    def apply(self, record: Record, /) -> None:
        """Apply one record of the host's subject."""
        if record.subject != self.subject or record.seq <= self.seq:
            return
        self.seq = record.seq
        match record.event:
            case HostJoined():
                self.joined = True
            case DiskLevelChanged(path=path, level=level):
                self.disks[path] = level
            case _:
                pass


def decide(sample: HostSample, state: HostState) -> tuple[HostEvent, ...]:
    """Return the facts that follow from a sample; every prefix of them is a legal history."""
    facts: list[HostEvent] = [] if state.joined else [HostJoined(host=sample.host, pool=sample.pool)]
    for disk in sample.disks:
        before = state.disks.get(disk.path, "ok")
        now = level(disk, before)
        if now != before:
            facts.append(
                DiskLevelChanged(
                    host=sample.host,
                    pool=sample.pool,
                    path=disk.path,
                    level=now,
                    percent=disk.percent or 0.0,
                    free_bytes=disk.free_bytes or 0,
                )
            )
    return tuple(facts)


def level(disk: DiskSample, before: DiskLevel) -> DiskLevel:
    """Return the class of a disk's use, with hysteresis; one that could not be measured stays what it was."""
    if disk.percent is None:
        return before
    for name, threshold in THRESHOLDS:
        margin = MARGIN_PERCENT if before in ("critical", name) else 0.0
        if disk.percent >= threshold - margin:
            return name
    return "ok"


class HostLog:
    """Appends what follows from each sample."""

    def __init__(self, store: EventStore, state: HostState) -> None:
        self._store = store
        self._state = state

    async def note(self, sample: HostSample) -> None:
        """Append what is new. While the log is away, or another one was first, the next sample tries again."""
        facts = decide(sample, self._state)
        if not facts:
            return
        try:
            await self._store.append(self._state.subject, facts, expected_seq=self._state.seq, meta=META)
        except (ConflictError, UnavailableError) as error:
            _log.debug("what is new of this host waits", reason=str(error))
