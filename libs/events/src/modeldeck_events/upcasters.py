"""Upcasters: how facts of an old version are read as the present one.

A new version of a type is a new class (`modeldeck.x.y.v2`) and one function from the old class to the new one, added to
`UPCASTERS` beside it. The old class and its golden file stay for ever, because the log does. Steps are chained, so a
third version needs no function from the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from modeldeck_events.message import Event


class Upcaster(NamedTuple):
    """One step from a version to its successor."""

    old: type[Event]
    new: type[Event]
    convert: Callable[[Any], Event]


UPCASTERS: tuple[Upcaster, ...] = ()
"""Every step there is; empty as long as every type is in its first version."""


def chain(upcasters: Iterable[Upcaster]) -> Mapping[type[Event], Callable[[Any], Event]]:
    """Return for each old class its conversion to the newest version.

    Raises ValueError when a class has two successors, is its own successor through others, or changes its name.
    """
    steps: dict[type[Event], Upcaster] = {}
    for step in upcasters:
        if step.old in steps:
            raise ValueError(f"{step.old.TYPE} has two upcasters")
        if step.old.TYPE.rpartition(".v")[0] != step.new.TYPE.rpartition(".v")[0]:
            raise ValueError(f"{step.new.TYPE} is not a version of {step.old.TYPE}")
        steps[step.old] = step
    return {old: _compose(old, steps) for old in steps}


def _compose(old: type[Event], steps: Mapping[type[Event], Upcaster]) -> Callable[[Any], Event]:
    path: list[Callable[[Any], Event]] = []
    seen = {old}
    current = old
    while current in steps:
        step = steps[current]
        path.append(step.convert)
        current = step.new
        if current in seen:
            raise ValueError(f"the upcasters of {old.TYPE} run in a circle")
        seen.add(current)

    def convert(event: Any) -> Event:
        for function in path:
            event = function(event)
        result: Event = event
        return result

    return convert
