"""Commands and facts of a storage pool: the settings that all its downloaders share. Subject `evt.pool.<pool>`."""

from __future__ import annotations

from typing import ClassVar

from modeldeck_events import subjects
from modeldeck_events.message import Command, Event, Message

AGGREGATE = "pool"


class PoolLimits(Message, frozen=True, kw_only=True):
    """What the settings of a downloader process ask for; None means no bandwidth limit (bytes per second)."""

    max_concurrent: int = 1
    bandwidth_limit_bps: int | None = None


class PoolConfigured(Event, frozen=True, kw_only=True):
    """The pool's settings from now on, all of them; None means no bandwidth limit (bytes per second).

    `declared` is what a process's settings asked for last: a changed setting counts once, a person's choice until then.
    """

    TYPE: ClassVar[str] = "modeldeck.pool.configured.v1"
    pool: str
    max_concurrent: int
    bandwidth_limit_bps: int | None = None
    paused: bool = False
    declared: PoolLimits = PoolLimits()


EVENTS: tuple[type[Event], ...] = (PoolConfigured,)


def subject(pool: str) -> str:
    """Subject of a pool's facts."""
    return subjects.event(AGGREGATE, pool)


class ConfigurePool(Command, frozen=True, kw_only=True):
    """Change some settings; what is None stays. `bandwidth_limit_bps` 0 means no limit."""

    SERVICE: ClassVar[str] = "downloader"
    VERB: ClassVar[str] = "configure"
    KEY: ClassVar[str] = "pool"
    pool: str
    max_concurrent: int | None = None
    bandwidth_limit_bps: int | None = None
    paused: bool | None = None


COMMANDS: tuple[type[Command], ...] = (ConfigurePool,)
