"""A graph of an editor file: what stands in a node's widgets once its links have had their say."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import msgspec

from catalog.templates.shapes import Node, Slot, plain_of, slots_of

INPUT_ID = -10
"""The id of a subgraph's input side in its links."""
MAX_HOPS = 64

InnerKey: TypeAlias = tuple[str, str]
"""Id of an inner node, and the name of its widget, or its position as `#3`."""


class Given(NamedTuple):
    """Texts that a container gives its nodes: by input slot, and by inner node and widget."""

    slots: Mapping[int, str]
    inner: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, slots: dict[int, str], inner: Iterable[tuple[InnerKey, str]]) -> Given:
        """Return the texts, those of inner widgets grouped by node; the last one of a widget counts."""
        by_node: dict[str, dict[str, str]] = {}
        for (node_id, name), value in inner:
            by_node.setdefault(node_id, {})[name] = value
        return cls(slots, by_node)

    def key(self) -> Hashable:
        """Return what tells these texts from others."""
        inner = frozenset((node_id, frozenset(names.items())) for node_id, names in self.inner.items())
        return frozenset(self.slots.items()), inner


NOTHING_GIVEN = Given({}, {})


class Computed:
    """The value is made by another node when the workflow runs."""


COMPUTED = Computed()


class Graph:
    """A list of nodes and the links between them; the root of a workflow, or what a container holds."""

    def __init__(self, nodes: list[Node], links: msgspec.Raw) -> None:
        self.nodes = nodes
        self._links = links

    @cached_property
    def origins(self) -> dict[Any, tuple[Any, Any]]:
        """From the id of a link to the node and slot at which it begins. Most graphs are never asked."""
        links = plain_of(self._links)
        origins = {}
        for link in links if isinstance(links, list) else ():
            if isinstance(link, dict):
                key, origin = link.get("id"), (link.get("origin_id"), link.get("origin_slot"))
            elif isinstance(link, list) and len(link) > 2:
                key, origin = link[0], (link[1], link[2])
            else:
                continue
            if isinstance(key, str | int):
                origins[key] = origin
        return origins

    def slots(self, node: Node) -> list[Slot]:
        """Return the inputs of a node of this graph."""
        return slots_of(node)

    def entry(self, link: Any) -> int | None:
        """Return the slot at which a link comes in from outside, None when it begins inside."""
        del link
        return None

    def may_bring_text(self, slot: Slot) -> bool:
        """Tell cheaply whether following a slot's link can lead to a text."""
        return self.entry(slot.link) is not None or (slot.widget is not None and self._has_primitives)

    @cached_property
    def _has_primitives(self) -> bool:
        return any(node.type == "PrimitiveNode" for node in self.nodes)

    @cached_property
    def weight(self) -> int:
        """How much there is to look at."""
        return sum(1 + len(node.inputs) // 40 + _length(node.widgets_values) for node in self.nodes)

    @cached_property
    def by_id(self) -> dict[Any, Node]:
        """The nodes by their id."""
        return {node.id: node for node in self.nodes if isinstance(node.id, str | int)}

    def linked(self, slot: Slot, given: Given) -> str | Computed | None:
        """Return the text that a linked input gets; None when the widget's own value counts."""
        link = slot.link
        for _ in range(MAX_HOPS):
            entry = self.entry(link)
            if entry is not None:
                return given.slots.get(entry)
            node_id = self.origins.get(link, (None, None))[0] if isinstance(link, str | int) else None
            node = self.by_id.get(node_id) if isinstance(node_id, str | int) else None
            if node is None:
                return None
            if node.type == "PrimitiveNode":
                values = node.widgets_values
                value = values[0] if isinstance(values, list) and values else None
                return value if isinstance(value, str) else None
            slots = self.slots(node) if node.type == "Reroute" else []
            if not slots:
                return COMPUTED
            link = slots[0].link
        return COMPUTED


def _length(values: object) -> int:
    return len(values) if isinstance(values, list | dict) else 0
