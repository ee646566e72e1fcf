"""The usable parts of an editor file in which something has a wrong type; each other part gets a warning.

Where a whole list of nodes or subgraphs is lost, nobody can tell what they name: `cut` is told instead.
"""

from __future__ import annotations

from typing import Any

from catalog.templates.shapes import (
    Definitions,
    Extra,
    Node,
    Properties,
    Subgraph,
    SubgraphInput,
    Warn,
    Workflow,
    raw_of,
)

MAX_DEPTH = 100
"""Definitions of subgraphs inside definitions."""


def parts_of_workflow(root: dict[str, Any], warn: Warn, cut: Warn) -> Workflow:
    """Return the workflow without what is wrong in it."""
    return _Parts(warn, cut).workflow(root)


def parts_of_group(raw: Any, where: str, warn: Warn) -> list[Node]:
    """Return the nodes of a group node's definition."""
    return _Parts(warn, warn).nodes(raw, where)


class _Parts:
    def __init__(self, warn: Warn, cut: Warn) -> None:
        self._warn = warn
        self._cut = cut

    def workflow(self, root: dict[str, Any]) -> Workflow:
        return Workflow(
            nodes=self.nodes(root.get("nodes"), "nodes") if root.get("nodes") is not None else None,
            links=raw_of(root.get("links")),
            definitions=self._definitions(root.get("definitions"), "definitions", 0),
            models=root.get("models"),
            extra=Extra(self._mapping(root.get("extra"), "extra", self._warn).get("groupNodes")),
        )

    def nodes(self, raw: Any, where: str) -> list[Node]:
        """Return the nodes of a list, whatever is wrong about some."""
        return [self._node(node, place) for node, place in self._objects(raw, where)]

    def _node(self, raw: dict[str, Any], where: str) -> Node:
        properties = self._mapping(raw.get("properties"), f"{where}.properties", self._warn)
        return Node(
            id=raw.get("id"),
            type=raw.get("type"),
            mode=raw.get("mode"),
            inputs=raw_of(raw.get("inputs")),
            widgets_values=raw.get("widgets_values"),
            properties=Properties(
                properties.get("models"), properties.get("proxyWidgets"), properties.get("proxyWidgetErrorQuarantine")
            ),
        )

    def _definitions(self, raw: Any, where: str, depth: int) -> Definitions | None:
        if raw is None or depth > MAX_DEPTH:
            return None
        where = f"{where}.subgraphs"
        subgraphs = self._objects(self._mapping(raw, where, self._cut).get("subgraphs"), where)
        return Definitions([self._subgraph(part, place, depth) for part, place in subgraphs])

    def _subgraph(self, raw: dict[str, Any], where: str, depth: int) -> Subgraph:
        return Subgraph(
            id=raw.get("id"),
            nodes=self.nodes(raw.get("nodes"), f"{where}.nodes"),
            inputs=[
                SubgraphInput(slot.get("name"), slot.get("linkIds"))
                for slot, _ in self._objects(raw.get("inputs"), f"{where}.inputs")
            ],
            links=raw_of(raw.get("links")),
            definitions=self._definitions(raw.get("definitions"), f"{where}.definitions", depth + 1),
        )

    def _objects(self, raw: Any, where: str) -> list[tuple[dict[str, Any], str]]:
        found = []
        for position, item in enumerate(self._list(raw, where)):
            place = f"{where}[{position}]"
            if isinstance(item, dict):
                found.append((item, place))
            else:
                self._wrong(place, "an object", self._cut)
        return found

    def _list(self, raw: Any, where: str) -> list[Any]:
        if isinstance(raw, list):
            return raw
        if raw is not None:
            self._wrong(where, "a list", self._cut)
        return []

    def _mapping(self, raw: Any, where: str, say: Warn) -> dict[str, Any]:
        if isinstance(raw, dict):
            return raw
        if raw is not None:
            self._wrong(where, "an object", say)
        return {}

    def _wrong(self, where: str, kind: str, say: Warn) -> None:
        say("wrong_type", f"{where[-80:]} is not {kind}; it is left out")
