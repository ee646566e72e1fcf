"""What is told of a model in a list of repositories (R-162 to R-164). Nobody rates anything here; unknown is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from modeldeck_events.modelfiles import ModelMetadata, Quantization
from modeldeck_events.repositories import Repository

from gateway.boards.board import Json, known

_OF_MODEL = ("architecture", "parameters", "quantization", "context_length", "license", "base_model")
_OF_FILE = ("family", *_OF_MODEL, "dtype")


def of_variant(said: Mapping[str, Any]) -> Json:
    """Return the metadata of one file (R-163) from what its header, or its hub, says."""
    return {name: said[name] for name in _OF_FILE if said.get(name) is not None}


def of_group(files: Sequence[Json], page: str | None) -> Json:
    """Return the metadata of a repository that no hub described: what all of its files say alike."""
    first, *others = files or [{}]
    alike = {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
    return _named(alike) | {"tags": [], "links": {"huggingface": page} if page else {}}


def of_described(repository: Repository) -> Json:
    """Return the metadata of a repository as its hub describes it."""
    model = builtins(repository.metadata)
    return known(
        **(_named(model) | known(license=repository.license)),
        tags=list(repository.tags) or model.get("tags", []),
        likes=repository.likes,
        downloads=repository.downloads,
        description=repository.description,
        model_type=repository.model_type,
        links=dict(repository.links),
    )


def builtins(said: ModelMetadata | Quantization | None) -> Json:
    """Return what is said as JSON."""
    shown: Json = msgspec.to_builtins(said) if said is not None else {}
    return shown


def _named(said: Mapping[str, Any]) -> Json:
    return known(model_family=said.get("family"), **{name: said.get(name) for name in _OF_MODEL})
