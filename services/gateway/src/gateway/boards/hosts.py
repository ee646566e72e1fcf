"""Which hosts report, as the log remembers it, and what follows from their samples. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
from modeldeck_events.hosts import DiskLevelChanged, HostEvent, HostFellSilent, HostReturned
from modeldeck_events.readings import HostSample
from modeldeck_events.store import Record

from gateway.boards import words
from gateway.boards.board import Json, known


class _Host(msgspec.Struct):
    pool: str
    seq: int = 0
    silent_since: datetime | None = None
    last_seen_at: datetime | None = None
    disks: dict[str, str] = {}


class Hosts:
    """The hosts by name."""

    VERSION = 1
    FOLDS = (HostEvent,)

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def apply(self, record: Record) -> bool:
        """Fold one fact of a host."""
        event = record.event
        if not isinstance(event, HostEvent):
            return False
        host = self._hosts.setdefault(event.host, _Host(pool=event.pool))
        host.pool, host.seq = event.pool, record.seq
        match event:
            case HostFellSilent():
                host.silent_since, host.last_seen_at = record.time, event.last_seen_at
            case HostReturned():
                host.silent_since = host.last_seen_at = None
            case DiskLevelChanged():
                host.disks[event.path] = event.level
        return True

    def follows(self, sample: HostSample, *, silent: bool) -> Iterator[tuple[HostEvent, int]]:
        """Yield the fact that a host's newest sample and its silence make true, with the subject's last sequence."""
        host = self._hosts.get(sample.host)
        was_silent = host is not None and host.silent_since is not None
        seq = host.seq if host is not None else 0
        if silent and not was_silent:
            yield HostFellSilent(host=sample.host, pool=sample.pool, last_seen_at=sample.at), seq
        elif was_silent and not silent:
            yield HostReturned(host=sample.host, pool=sample.pool), seq

    def state(self) -> Json:
        """Return the hosts by name."""
        return {
            name: known(
                pool=host.pool,
                silent_since=words.time(host.silent_since) if host.silent_since else None,
                last_seen_at=words.time(host.last_seen_at) if host.last_seen_at else None,
                disks=dict(host.disks) or None,
            )
            for name, host in sorted(self._hosts.items())
        }

    def reset(self) -> None:
        """Forget everything."""
        self._hosts.clear()

    def dump(self) -> bytes:
        """Return everything folded."""
        return msgspec.json.encode(self._hosts)

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        self._hosts = msgspec.json.decode(data, type=dict[str, _Host])
