"""The pool's settings: decide and evolve. A process declares its own at its start; a person may change them at work."""

from __future__ import annotations

from dataclasses import dataclass

from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.pools import ConfigurePool, PoolConfigured, PoolLimits

_BUILT_IN = PoolLimits()
MAX_CONCURRENT = 64
"""More transfers at a time help nobody and cost a socket pool each."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How much may run at a time, how fast all of it together (bytes per second), and whether anything starts."""

    max_concurrent: int = 1
    bandwidth_limit_bps: int | None = None
    paused: bool = False
    declared: PoolLimits = _BUILT_IN


@dataclass(frozen=True, slots=True)
class Declare:
    """A process starts with these settings."""

    pool: str
    limits: PoolLimits


def decide(command: ConfigurePool | Declare, state: PoolSettings) -> tuple[PoolConfigured, ...]:
    """Return the new settings as a fact, nothing when they are so already; refuse numbers that make no sense."""
    wanted = _declare(command.limits, state) if isinstance(command, Declare) else _configure(command, state)
    if wanted == state:
        return ()
    return (
        PoolConfigured(
            pool=command.pool,
            max_concurrent=wanted.max_concurrent,
            bandwidth_limit_bps=wanted.bandwidth_limit_bps,
            paused=wanted.paused,
            declared=wanted.declared,
        ),
    )


def _declare(limits: PoolLimits, state: PoolSettings) -> PoolSettings:
    """Take over what changed since the last declaration: what a person chose outlives a restart."""
    before = state.declared
    concurrent = limits.max_concurrent if limits.max_concurrent != before.max_concurrent else state.max_concurrent
    same_limit = limits.bandwidth_limit_bps == before.bandwidth_limit_bps
    limit = state.bandwidth_limit_bps if same_limit else limits.bandwidth_limit_bps
    return PoolSettings(concurrent, limit, state.paused, limits)


def _configure(command: ConfigurePool, state: PoolSettings) -> PoolSettings:
    concurrent = state.max_concurrent if command.max_concurrent is None else command.max_concurrent
    if not 1 <= concurrent <= MAX_CONCURRENT:
        raise CommandNotAllowedError(
            f"max_concurrent must be 1 to {MAX_CONCURRENT}, not {concurrent}.", code="bad_max_concurrent", status=422
        )
    limit = state.bandwidth_limit_bps if command.bandwidth_limit_bps is None else command.bandwidth_limit_bps or None
    if limit is not None and limit < 0:
        raise CommandNotAllowedError(
            f"bandwidth_limit must be bytes per second, or 0 for none, not {limit}.",
            code="bad_bandwidth_limit",
            status=422,
        )
    paused = state.paused if command.paused is None else command.paused
    return PoolSettings(concurrent, limit, paused, state.declared)


def evolve(_state: PoolSettings, event: PoolConfigured) -> PoolSettings:
    """Return the settings after the fact: each one states them all."""
    return PoolSettings(event.max_concurrent, event.bandwidth_limit_bps, event.paused, event.declared)
