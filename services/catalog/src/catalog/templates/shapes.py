"""The few fields of an editor file that a scan looks at; whatever else a file holds is skipped without being built.

Inputs and links are kept as they stand in the file and read where they are asked for, which is seldom.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

Warn: TypeAlias = Callable[[str, str], None]
"""Takes a warning's code and message."""


class Slot(msgspec.Struct, gc=False):
    """An input of a node: `link` is the id of what is connected, `widget` is there when the input is a widget."""

    name: Any = None
    link: Any = None
    widget: Any = None


class Properties(msgspec.Struct, gc=False):
    """The properties of a node that a scan reads."""

    models: Any = None
    proxy_widgets: Any = msgspec.field(default=None, name="proxyWidgets")
    quarantine: Any = msgspec.field(default=None, name="proxyWidgetErrorQuarantine")


class Node(msgspec.Struct, gc=False):
    """A node of an editor's graph. What comes from JSON never holds itself, so the collector need not look."""

    id: Any = None
    type: Any = None
    mode: Any = None
    inputs: msgspec.Raw = msgspec.Raw()
    widgets_values: Any = None
    properties: Properties | None = None


class SubgraphInput(msgspec.Struct, gc=False):
    """A slot through which values enter a subgraph."""

    name: Any = None
    link_ids: Any = msgspec.field(default=None, name="linkIds")


class Subgraph(msgspec.Struct):
    """A graph that nodes of the type `id` stand for."""

    id: Any = None
    nodes: list[Node] | None = None
    inputs: list[SubgraphInput] | None = None
    links: msgspec.Raw = msgspec.Raw()
    definitions: Definitions | None = None


class Definitions(msgspec.Struct):
    """Where subgraphs are defined; they may define some of their own."""

    subgraphs: list[Subgraph] | None = None


class Extra(msgspec.Struct):
    """What the editor and its extensions keep beside the graph. `prompt` in it is a forgotten one and never read."""

    group_nodes: Any = msgspec.field(default=None, name="groupNodes")


class Workflow(msgspec.Struct):
    """An editor file."""

    nodes: list[Node] | msgspec.UnsetType | None = msgspec.UNSET
    links: msgspec.Raw = msgspec.Raw()
    definitions: Definitions | None = None
    models: Any = None
    extra: Extra | None = None


class Prompt(msgspec.Struct):
    """A file of the API format: nodes by id."""

    nodes: dict[str, Any]


_plain = msgspec.json.Decoder()
_slots = msgspec.json.Decoder(list[Slot] | None)


def slots_of(node: Node) -> list[Slot]:
    """Return a node's inputs; those of a wrong type are left out."""
    if not node.inputs:
        return []
    try:
        return _slots.decode(node.inputs) or []
    except (msgspec.DecodeError, UnicodeDecodeError):
        plain = plain_of(node.inputs)
    items = plain if isinstance(plain, list) else ()
    return [Slot(item.get("name"), item.get("link"), item.get("widget")) for item in items if isinstance(item, dict)]


def plain_of(part: msgspec.Raw) -> Any:
    """Return a part of the file as plain data; None when a number in it is out of range."""
    try:
        return _plain.decode(part) if part else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def raw_of(part: object) -> msgspec.Raw:
    """Return plain data as it stands in a file."""
    return msgspec.Raw(json.dumps(part))
