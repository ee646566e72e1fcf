"""The contract of the bus as files: a JSON Schema per message, and an AsyncAPI document of all channels.

`python -m modeldeck_events.schemas OUTDIR` writes `<type>.json` per event (every version), command and reading, and
`asyncapi.json`. A test holds what is committed against what would be written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from modeldeck_events import (
    downloads,
    generations,
    hosts,
    modelfiles,
    pools,
    presets,
    readings,
    registry,
    repositories,
    studio,
    subjects,
    system,
    templates,
    topology,
    users,
)
from modeldeck_events.message import Command, Event, Message, Reading, Reply

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_CHANNELS: Mapping[str, tuple[str, tuple[type[Event], ...]]] = {
    "download": ("evt.download.{pool}.{target}", downloads.EVENTS),
    "pool": ("evt.pool.{pool}", pools.EVENTS),
    "preset": ("evt.preset.{preset}", (presets.PresetPublished, presets.PresetWithdrawn, presets.PresetUninstalled)),
    "catalog": (presets.CATALOG_SUBJECT, (presets.CatalogRefreshed, presets.CatalogRefreshFailed)),
    "modelfile": ("evt.modelfile.{pool}.{path}", modelfiles.EVENTS[:-1]),
    "inventory": ("evt.inventory.{pool}", (modelfiles.InventorySurveyed,)),
    "template": ("evt.template.{pool}.{template}", templates.EVENTS),
    "repository": ("evt.repository.{hub}.{repo}", (repositories.RepositoryDescribed,)),
    "featured": (repositories.FEATURED_SUBJECT, (repositories.FeaturedPublished, repositories.FeaturedRefreshFailed)),
    "generation": ("evt.generation.{source}.{generation}", generations.EVENTS),
    "training": ("evt.training.{source}.{job}", studio.training.EVENTS),
    "conversation": ("evt.conversation.{source}.{conversation}", studio.conversations.EVENTS),
    "dataset": ("evt.dataset.{source}.{dataset}", studio.datasets.EVENTS),
    "server": ("evt.server.{source}.{server}", studio.servers.EVENTS),
    "model": ("evt.model.{source}.{model}", studio.registered.EVENTS),
    "project": ("evt.project.{source}.{project}", studio.projects.EVENTS),
    "host": ("evt.host.{host}", hosts.EVENTS),
    "system": ("evt.system.{topic}", system.EVENTS),
    "user": ("evt.user.{user}", users.EVENTS),
}
_ENVELOPE = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype")


def type_name(message: type[Message]) -> str:
    """Return the name under which a message's schema stands."""
    if issubclass(message, Event):
        return message.TYPE
    if issubclass(message, Command):
        return f"{subjects.command(message.SERVICE or '{service}', message.VERB)}"
    if issubclass(message, Reading):
        return f"modeldeck.reading.{message.KIND}.v1"
    return message.__name__.lower()


def schema(message: type[Message]) -> dict[str, Any]:
    """Return the JSON Schema of a message's body."""
    body = _body(message)
    return {"$schema": JSON_SCHEMA, "$id": type_name(message), "title": message.__name__, **body}


def messages() -> tuple[type[Message], ...]:
    """Return every message type that travels on the bus."""
    return (*registry.EVENTS, *registry.COMMANDS, *registry.READINGS, Reply)


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0.0 document."""
    channels: dict[str, Any] = {
        name: _channel(address, events, f"Facts, kept for ever in the stream {topology.EVENTS}.")
        for name, (address, events) in _CHANNELS.items()
    }
    for reading, address in (
        (readings.DownloadProgress, "rdg.progress.{pool}.{target}"),
        (readings.HostSample, "rdg.host.{host}"),
        (generations.GenerationProgress, "rdg.generation.{source}.{generation}"),
        (generations.ComfyuiStatus, "rdg.comfyui.{source}"),
    ):
        channels[f"reading-{reading.KIND}"] = _channel(
            address, (reading,), f"The newest value counts; memory only, stream {topology.READINGS}."
        )
    operations: dict[str, Any] = {
        name: {"action": "send", "channel": {"$ref": f"#/channels/{name}"}} for name in channels
    }
    for command in registry.COMMANDS:
        address = f"{type_name(command)}.{{{command.KEY}}}" if command.KEY else type_name(command)
        name = f"command-{command.SERVICE or 'any'}-{command.VERB}"
        channels[name] = _channel(address, (command,), "Request; the answer is a reply.")
        channels[f"{name}-reply"] = {"address": None, "messages": _references((Reply,))}
        operations[name] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{name}"},
            "reply": {"channel": {"$ref": f"#/channels/{name}-reply"}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Modeldeck bus",
            "version": "1",
            "description": "CloudEvents 1.0 in binary mode on NATS: attributes in `ce-*` headers, JSON in the body. A "
            "placeholder in an address is a key whose bytes outside [A-Za-z0-9_-] are written as =XX.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": {type_name(message): _message(message) for message in messages()}},
    }


def documents() -> dict[str, str]:
    """Return every file: name to text."""
    files = {f"{type_name(message).replace('{service}', 'any')}.json": schema(message) for message in messages()}
    files["asyncapi.json"] = asyncapi()
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def _channel(address: str, types: tuple[type[Message], ...], description: str) -> dict[str, Any]:
    channel: dict[str, Any] = {"address": address, "description": description, "messages": _references(types)}
    keys = [part[1:-1] for part in address.split(".") if part.startswith("{")]
    if keys:
        channel["parameters"] = {key: {"description": "an escaped key"} for key in keys}
    return channel


def _references(types: tuple[type[Message], ...]) -> dict[str, Any]:
    return {one.__name__: {"$ref": f"#/components/messages/{type_name(one)}"} for one in types}


def _message(message: type[Message]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": type_name(message),
        "title": message.__name__,
        "contentType": "application/json",
        "payload": _inlined(message),
    }
    if issubclass(message, Event):
        described["headers"] = {
            "type": "object",
            "properties": {f"ce-{name}": {"type": "string"} for name in _ENVELOPE},
            "required": [f"ce-{name}" for name in _ENVELOPE if name not in {"subject", "datacontenttype"}],
        }
    return described


def _body(message: type[Message]) -> dict[str, Any]:
    return msgspec.json.schema(message, schema_hook=lambda _any: {"description": "any JSON value"})


def _inlined(message: type[Message]) -> dict[str, Any]:
    """Return the schema with its definitions written out, as references would point into the whole document."""
    body = _body(message)
    definitions = body.get("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolve(definitions[node["$ref"].rpartition("/")[2]])
            return {key: resolve(value) for key, value in node.items() if key != "$defs"}
        return [resolve(item) for item in node] if isinstance(node, list) else node

    resolved: dict[str, Any] = resolve({"$ref": body["$ref"]} if "$ref" in body else body)
    return resolved


def write(folder: Path) -> None:
    """Write every file into `folder`, and remove schemas there that are none any more."""
    folder.mkdir(parents=True, exist_ok=True)
    files = documents()
    for old in folder.glob("*.json"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m modeldeck_events.schemas", description="Write the bus's schemas.")
    parser.add_argument("folder", type=Path, help="where to, for example docs/api/schemas")
    write(parser.parse_args(arguments).folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
