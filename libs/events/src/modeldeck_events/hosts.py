"""Facts about hosts: what of the readings is worth remembering. Subject `evt.host.<host>`."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from modeldeck_events import subjects
from modeldeck_events.message import Event

AGGREGATE = "host"

DiskLevel = Literal["ok", "warning", "critical"]


class HostEvent(Event, frozen=True, kw_only=True):
    """Base of a host's facts; `pool` is the storage pool that it serves."""

    host: str
    pool: str


class HostJoined(HostEvent, frozen=True, kw_only=True):
    """The host reported for the first time."""

    TYPE: ClassVar[str] = "modeldeck.host.joined.v1"


class HostFellSilent(HostEvent, frozen=True, kw_only=True):
    """The host has not reported for three intervals; `last_seen_at` is its newest sample's time."""

    TYPE: ClassVar[str] = "modeldeck.host.fell-silent.v1"
    last_seen_at: datetime


class HostReturned(HostEvent, frozen=True, kw_only=True):
    """The host reports again."""

    TYPE: ClassVar[str] = "modeldeck.host.returned.v1"


class DiskLevelChanged(HostEvent, frozen=True, kw_only=True):
    """A volume crossed a threshold (R-235: warning from 80 %, critical from 90 %), or came back below by a margin."""

    TYPE: ClassVar[str] = "modeldeck.host.disk-level-changed.v1"
    path: str
    level: DiskLevel
    percent: float
    free_bytes: int


EVENTS: tuple[type[HostEvent], ...] = (HostJoined, HostFellSilent, HostReturned, DiskLevelChanged)


def subject(host: str) -> str:
    """Subject of one host's facts."""
    return subjects.event(AGGREGATE, host)
