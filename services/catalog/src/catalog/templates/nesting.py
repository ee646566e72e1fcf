"""How the containers of a workflow lie in one another: circles, and how large it all is once written out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from catalog.templates.containers import Container
from catalog.templates.shapes import Node

MAX_COUNTED = 2**40
"""Numbers that double level by level end here."""


class Nesting:
    """Which containers hold which: told from the definitions alone, in linear time, however often they stand."""

    def __init__(self, containers: Mapping[str, Container]) -> None:
        self._containers = containers
        self._inside = {
            name: [node.type for node in container.nodes if isinstance(node.type, str) and node.type in containers]
            for name, container in containers.items()
        }
        self._sizes: dict[str, int] = {}
        """Of those that do not hold themselves."""
        self._count()

    def holding_themselves(self) -> list[Container]:
        """Return the containers that hold themselves, directly, through others, or by holding such a one."""
        return [self._containers[name] for name, held in self._inside.items() if held and name not in self._sizes]

    def size(self, nodes: Iterable[Node]) -> int:
        """Return how many nodes there are once every container is written out, at most MAX_COUNTED."""
        total = 0
        for node in nodes:
            total += self._sizes.get(node.type, 1) if isinstance(node.type, str) else 1
        return min(total, MAX_COUNTED)

    def _count(self) -> None:
        """Count the innermost first; those that hold themselves never come up."""
        left = {name: set(held) for name, held in self._inside.items()}
        holders: dict[str, list[str]] = {}
        for name, held_types in left.items():
            for held in held_types:
                holders.setdefault(held, []).append(name)
        ended = [name for name, held_types in left.items() if not held_types]
        for name in ended:
            self._sizes[name] = self.size(self._containers[name].nodes)
            for holder in holders.get(name, ()):
                left[holder].discard(name)
                if not left[holder]:
                    ended.append(holder)
