"""Subgraphs and group nodes: what the node that stands for a container gives the nodes inside.

Rules, as ComfyUI's editor (1.58) applies them when it loads a file:

- A widget whose input is linked takes its value from there. Links are followed to primitive nodes, through reroutes,
  and out of a subgraph to the node that stands for it.
- A subgraph's input is a widget when one of the inner inputs linked to it is one. The node that stands for the
  subgraph keeps their values in the order of these inputs, and its value wins over the one of the inner node. Where it
  has none, the inner one counts.
- Files of an earlier editor list promoted widgets in `proxyWidgets`; then the values, if any, are in that order. What
  could not be moved to the newer form is kept in `proxyWidgetErrorQuarantine`.
- A group node keeps the values of all its nodes' widgets that are not linked inside, node by node; those that were
  turned into inputs come last.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from catalog.templates.graph import INPUT_ID, NOTHING_GIVEN, Given, Graph, InnerKey
from catalog.templates.parts import parts_of_group
from catalog.templates.shapes import Definitions, Node, Slot, Subgraph, Warn, slots_of

_LEGACY_PREFIX = re.compile(r"(?:\s{0,9}\d{1,20}\s{0,9}:\s{0,9}){1,64}")
_SEEDS = ("seed", "noise_seed")
_GROUP_TYPES = ("workflow>", "workflow/")


class Container(Graph, ABC):
    """A graph that nodes of one type stand for."""

    def __init__(self, nodes: list[Node], links: msgspec.Raw, name: str) -> None:
        super().__init__(nodes, links)
        self.name = name

    @abstractmethod
    def given(self, node: Node, outer: Graph, outer_given: Given, containers: Mapping[str, Container]) -> Given:
        """Return what `node`, which stands for this container in the graph `outer`, gives the nodes inside."""


class SubgraphContainer(Container):
    """A subgraph."""

    def __init__(self, subgraph: Subgraph, name: str) -> None:
        super().__init__(subgraph.nodes or [], subgraph.links, name)
        self._slots: dict[Any, int] = {}
        self._entries: dict[Any, int] = {}
        self._widgets: dict[int, None] | None = None
        for position, slot in enumerate(subgraph.inputs or ()):
            if isinstance(slot.name, str):
                self._slots.setdefault(slot.name, position)
            for link in slot.link_ids if isinstance(slot.link_ids, list) else ():
                if isinstance(link, str | int):
                    self._entries[link] = position

    def entry(self, link: Any) -> int | None:
        """Return the slot at which a link comes in from outside; the slots list their links, as a rule."""
        if not isinstance(link, str | int):
            return None
        if self._entries:
            return self._entries.get(link)
        node_id, position = self.origins.get(link, (None, None))
        return position if node_id == INPUT_ID and isinstance(position, int) else None

    def widget_slots(self, containers: Mapping[str, Container]) -> dict[int, None]:
        """Return the positions of the inputs that are widgets, in order."""
        if self._widgets is None:
            self._widgets = {}  # of a subgraph that holds itself
            self._widgets = dict.fromkeys(sorted(self._find_widget_slots(containers)))
        return self._widgets

    def _find_widget_slots(self, containers: Mapping[str, Container]) -> set[int]:
        found = set()
        for node in self.nodes:
            for slot in self.slots(node):
                if slot.link is None or (slot.widget is None and _named(containers, node.type) is None):
                    continue
                entry = self.entry(slot.link)
                if entry is not None and (slot.widget is not None or _promotes(containers, node.type, slot.name)):
                    found.add(entry)
        return found

    def promotes(self, name: object, containers: Mapping[str, Container]) -> bool:
        """Tell whether the input of this name is a widget; inner subgraphs do not always say so in the file."""
        slots = self.widget_slots(containers)
        slot = self._slots.get(name) if isinstance(name, str) else None
        return slot is not None and slot in slots

    def given(self, node: Node, outer: Graph, outer_given: Given, containers: Mapping[str, Container]) -> Given:
        """Return what the node stands for: stored values, then what an outer container or a link gives over them."""
        texts = _Texts(self._slots)
        properties = node.properties
        over = outer_given.inner.get(str(node.id), {}) if outer_given.inner else {}
        proxies = _proxies(properties.proxy_widgets) if properties is not None and (node.widgets_values or over) else []
        self._put_stored(texts, node.widgets_values, proxies, containers)
        if properties is not None and properties.quarantine is not None:
            texts.put_quarantined(properties.quarantine)
        for name, value in over.items():
            texts.put("-1", name, value)
        for inner_id, name in proxies if over else ():
            texts.put(inner_id, name, over.get(name))
        for slot in outer.slots(node):
            if slot.link is not None and isinstance(slot.name, str) and outer.may_bring_text(slot):
                texts.put("-1", slot.name, outer.linked(slot, outer_given))
        return texts.given()

    def _put_stored(
        self, texts: _Texts, stored: object, proxies: list[InnerKey], containers: Mapping[str, Container]
    ) -> None:
        if isinstance(stored, dict):
            for name, value in stored.items():
                texts.put("-1", name, value)
        elif isinstance(stored, list) and proxies:
            for (inner_id, name), value in zip(proxies, stored, strict=False):
                texts.put(inner_id, name, value)
        elif isinstance(stored, list) and any(isinstance(value, str) for value in stored):
            for slot, value in zip(self.widget_slots(containers), stored, strict=False):
                texts.put_slot(slot, value)


class _Texts:
    """Collects what a subgraph's node gives; later texts replace earlier ones."""

    def __init__(self, slots_by_name: Mapping[str, int]) -> None:
        self._slots_by_name = slots_by_name
        self._slots: dict[int, str] = {}
        self._inner: dict[InnerKey, str] = {}

    def put_slot(self, slot: int, value: object) -> None:
        if isinstance(value, str):
            self._slots[slot] = value

    def put(self, inner_id: str, name: str, value: object) -> None:
        """Note the text of a widget of an inner node, or, with the id -1, of an input of the subgraph."""
        if not isinstance(value, str):
            return
        if inner_id != "-1":
            self._inner[inner_id, name] = value
        elif name in self._slots_by_name:
            self._slots[self._slots_by_name[name]] = value

    def put_quarantined(self, kept: object) -> None:
        for entry in reversed(kept) if isinstance(kept, list) else ():  # the first one of a name counts
            if isinstance(entry, dict):
                ((inner_id, name),) = _proxies([entry.get("originalEntry")])
                if inner_id == "-1":
                    self.put(inner_id, name, entry.get("hostValue"))

    def given(self) -> Given:
        return Given.of(self._slots, self._inner.items()) if self._slots or self._inner else NOTHING_GIVEN


class GroupContainer(Container):
    """A group node of earlier editors. Its links go from place to place, the ids in its nodes' inputs mean nothing."""

    def __init__(self, nodes: list[Node], raw_links: Any, name: str) -> None:
        super().__init__(nodes, msgspec.Raw(), name)
        self._slots: dict[int, list[Slot]] = {}
        for position, node in enumerate(nodes):
            node.id = position
            self._slots[position] = slots_of(node)
            for number, slot in enumerate(self._slots[position]):
                slot.link = f"{position}:{number}"
        self.origins = {}
        for link in raw_links if isinstance(raw_links, list) else ():
            if isinstance(link, list) and len(link) >= 4 and all(isinstance(part, int) for part in link[:4]):
                origin, slot, target, target_slot = link[:4]
                self.origins[f"{target}:{target_slot}"] = (origin, slot)

    def slots(self, node: Node) -> list[Slot]:
        """Return the inputs of a node of this group."""
        return self._slots.get(node.id, [])

    def given(self, node: Node, outer: Graph, outer_given: Given, containers: Mapping[str, Container]) -> Given:
        """Return the stored values of the inner nodes' widgets, nothing where their order cannot be told."""
        del outer, outer_given, containers
        stored = node.widgets_values
        if not isinstance(stored, list):
            return NOTHING_GIVEN
        order = self._order
        if order is None or len(order) != len(stored):
            return NOTHING_GIVEN
        texts = zip(order, stored, strict=True)
        return Given.of({}, ((key, value) for key, value in texts if key is not None and isinstance(value, str)))

    @cached_property
    def _order(self) -> list[InnerKey | None] | None:
        """Which inner widget each stored value belongs to, by its position (`#3`) or the name of its input."""
        first: list[InnerKey | None] = []
        last: list[InnerKey | None] = []
        for node in self.nodes:
            values = node.widgets_values
            if not isinstance(values, list):
                continue
            turned = [slot for slot in self.slots(node) if slot.widget is not None]
            seeds = sum(slot.name in _SEEDS for slot in turned)
            plain = len(values) - len(turned)
            if turned and plain not in (0, seeds):
                return None  # some are turned into inputs: which ones remain depends on the node's definition
            if not turned:
                first += [(str(node.id), f"#{position}") for position in range(len(values))]
            for slot in turned:
                if slot.link not in self.origins:
                    last.append((str(node.id), slot.name) if isinstance(slot.name, str) else None)
                    if slot.name in _SEEDS and plain:
                        last.append(None)
        return first + last


def containers_of(definitions: Definitions | None, group_nodes: Any, warn: Warn) -> dict[str, Container]:
    """Return all containers by the type of the nodes that stand for them."""
    found: dict[str, Container] = {}
    pending = list((definitions.subgraphs if definitions is not None else None) or ())
    for subgraph in pending:
        if isinstance(subgraph.id, str) and subgraph.id not in found:
            found[subgraph.id] = SubgraphContainer(subgraph, subgraph.id)
        else:
            warn("duplicate_definition", "a subgraph has no id, or the id of another one; it is left out")
        if subgraph.definitions is not None:
            pending += subgraph.definitions.subgraphs or ()
    if isinstance(group_nodes, dict):
        for name, raw in group_nodes.items():
            if not isinstance(raw, dict):
                warn("wrong_type", "a definition of a group node is not an object; it is left out")
                continue
            group = GroupContainer(parts_of_group(raw.get("nodes"), "groupNodes", warn), raw.get("links"), name)
            found.update((prefix + name, group) for prefix in _GROUP_TYPES)
    return found


def _named(containers: Mapping[str, Container], node_type: object) -> Container | None:
    return containers.get(node_type) if isinstance(node_type, str) else None


def _promotes(containers: Mapping[str, Container], node_type: object, name: object) -> bool:
    container = _named(containers, node_type)
    return isinstance(container, SubgraphContainer) and container.promotes(name, containers)


def _proxies(raw: object) -> list[InnerKey]:
    """Return (inner node id, widget name) for each promoted widget; entries that are none keep their place."""
    found = []
    for item in raw if isinstance(raw, list) else ():
        is_pair = isinstance(item, list) and len(item) >= 2 and all(isinstance(part, str | int) for part in item[:2])
        found.append((str(item[0]), _plain_name(str(item[1]))) if is_pair else ("", ""))
    return found


def _plain_name(name: str) -> str:
    """Return a widget's name without the node ids that an earlier editor put before it (`12: ckpt_name`)."""
    prefix = _LEGACY_PREFIX.match(name)
    return name[prefix.end() :] if prefix is not None else name
