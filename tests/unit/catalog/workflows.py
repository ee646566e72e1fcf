"""Workflows written as ComfyUI writes them, only shorter."""

from __future__ import annotations

import json
from typing import Any

from catalog.templates import Reference, Scan

Json = dict[str, Any]
SUBGRAPH_INPUT = -10


def node(node_type: str, values: Any = None, *, node_id: int | str = 1, mode: int = 0, **more: Any) -> Json:
    """A node of an editor file; `more` are further fields, `models` those of its properties."""
    properties = {"Node name for S&R": node_type}
    if "models" in more:
        properties["models"] = more.pop("models")
    if "properties" in more:
        properties |= more.pop("properties")
    made = {"id": node_id, "type": node_type, "pos": [0, 0], "mode": mode, "inputs": [], "properties": properties}
    if values is not None:
        made["widgets_values"] = values
    return made | more


def loader(filename: str, *, node_type: str = "CheckpointLoaderSimple", **more: Any) -> Json:
    """A node that loads one file, named by its first widget."""
    return node(node_type, [filename], **more)


def widget(name: str, link: int | None = None) -> Json:
    """An input of a node that is a widget."""
    return {"name": name, "type": "COMBO", "widget": {"name": name}, "link": link}


def model(name: str, directory: str = "checkpoints", **more: Any) -> Json:
    return {"name": name, "url": f"https://huggingface.co/o/r/resolve/main/{name}", "directory": directory} | more


def subgraph(name: str, nodes: list[Json], inputs: list[Json] | None = None, links: list[Json] | None = None) -> Json:
    return {"id": name, "version": 1, "name": name, "nodes": nodes, "inputs": inputs or [], "links": links or []}


def slot(name: str, *link_ids: int) -> Json:
    """An input of a subgraph."""
    return {"id": f"slot-{name}", "name": name, "type": "COMBO", "linkIds": list(link_ids)}


def link(link_id: int, origin: int, origin_slot: int, target: int, target_slot: int = 0) -> Json:
    return {
        "id": link_id,
        "origin_id": origin,
        "origin_slot": origin_slot,
        "target_id": target,
        "target_slot": target_slot,
        "type": "COMBO",
    }


def editor(*nodes: Json, subgraphs: list[Json] | None = None, links: Any = None, **more: Any) -> bytes:
    """An editor file."""
    root: Json = {"id": "w", "version": 0.4, "nodes": list(nodes), "links": links or [], "extra": {}}
    if subgraphs:
        root["definitions"] = {"subgraphs": subgraphs}
    return json.dumps(root | more).encode()


def prompt(**nodes: tuple[str, Json]) -> bytes:
    """A file of the API format."""
    return json.dumps({name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}).encode()


def paths(found: tuple[Reference, ...]) -> set[str]:
    return {reference.path for reference in found}


def codes(scanned: Scan) -> set[str]:
    return {warning.code for warning in scanned.warnings}
