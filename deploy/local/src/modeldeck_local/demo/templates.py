"""The demo's workflow templates; what they miss is served by its origin, so that installing it can be watched."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from modeldeck_local.demo.catalog import DemoError


def put_templates(folder: Path) -> None:
    """Write the demo's templates into the folder, none over one that is there; raises DemoError."""
    for name, source in _shipped():
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(source.read_bytes())
        except FileExistsError:
            continue  # somebody may have edited it
        except OSError as error:
            raise DemoError(f"The demo's template {target} cannot be written: {error.strerror or error}") from error


def stated_files() -> dict[str, str]:
    """Return the model files for which the templates themselves name a source: URL to path below the models folder."""
    found = {}
    for _, source in _shipped():
        workflow = json.loads(source.read_text(encoding="utf-8"))
        for node in workflow.get("nodes", []):
            for model in node["properties"].get("models", []):
                found[model["url"]] = f"{model['directory']}/{model['name']}"
    return found


def _shipped() -> Iterator[tuple[PurePosixPath, Traversable]]:
    return _below(importlib.resources.files(__package__) / "workflows", PurePosixPath())


def _below(folder: Traversable, place: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _below(entry, place / entry.name)
        elif entry.name.endswith(".json"):
            yield place / entry.name, entry
