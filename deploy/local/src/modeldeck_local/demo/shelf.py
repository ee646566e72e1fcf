"""What stands on the demo's hub, and which of it is featured; the counts are the demo's own."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from modeldeck_local.demo.catalog import NOTICE, DemoError, Shrunk, shrunk_size

HUBS = ("huggingface.co", "civitai.com")
"""The origin answers for both, so that nothing outside this machine is asked; of Civitai it has nothing."""


@dataclass(frozen=True)
class Stated:
    """What the hub says of a repository beside its files; of one that only presets name, next to nothing."""

    description: str = f"{NOTICE} A repository that the demo's presets download from."
    license: str = ""
    gated: str | bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def readme(self) -> bytes:
        """The repository's card, from whose first paragraph the description is taken."""
        head = f"---\nlicense: {self.license}\n---\n\n" if self.license else ""
        return f"{head}# A generated repository\n\n{self.description}\n".encode()


def stated_repositories() -> dict[str, Stated]:
    """Return what the demo's hub says of its repositories, by their names; raises DemoError."""
    return {entry["repo"]: _stated(entry) for entry in _entries()}


def with_repositories(shrunk: Shrunk) -> Shrunk:
    """Let the origin serve the hub's files too; one that a preset names stays as the preset states it."""
    manifest = json.loads(shrunk.manifest_json)
    for entry in _entries():
        for filename, size in entry["files"].items():
            path = f"/{entry['repo']}/resolve/main/{filename}"
            manifest.setdefault(path, {"size_bytes": shrunk_size(size), "name": f"{entry['repo']}/{filename}"})
    hosts = tuple(dict.fromkeys((*shrunk.hosts, *HUBS)))
    return Shrunk(shrunk.catalog_yaml, json.dumps(manifest, indent=1), hosts)


def featured_list(manifest_json: str) -> str:
    """Return the product's list of featured models with the demo's sizes and counts; raises DemoError."""
    manifest, counts = json.loads(manifest_json), {entry["repo"]: entry for entry in _entries()}
    listed = _read_yaml("catalog", "data/featured.yaml")
    for model in listed["models"]:
        path = f"/{model['repo']}/resolve/main/{model['filename']}"
        if path not in manifest:
            raise DemoError(f"The demo's hub lacks the featured file {path}")
        model["recommended_variant"] = {"filename": model["filename"], "size_bytes": manifest[path]["size_bytes"]}
        model["description"] = f"{NOTICE} {model['description']}"
        model["metadata"] |= {name: counts[model["repo"]][name] for name in ("likes", "downloads")}
    return yaml.safe_dump(listed, sort_keys=False)


def _stated(entry: dict[str, Any]) -> Stated:
    card = {name: entry[name] for name in ("license", "base_model") if name in entry}
    tags = [*entry["tags"], f"license:{entry['license']}"]
    facts = {"cardData": card, "tags": tags, "pipeline_tag": entry["pipeline"]}
    facts |= {name: entry[name] for name in ("likes", "downloads", "gguf") if name in entry}
    return Stated(f"{NOTICE} {entry['description']}", entry["license"], entry.get("gated", False), facts)


def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = _read_yaml(__package__, "repositories.yaml")
    return entries


def _read_yaml(package: str, name: str) -> Any:
    try:
        return yaml.safe_load((importlib.resources.files(package) / name).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DemoError(f"{name} of {package} cannot be read: {error}") from error
