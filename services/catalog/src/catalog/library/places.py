"""From a model file's path to the folder that it lies in, and back to a path below the models folder. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from modeldeck_events.modelfiles import InventorySurveyed, ModelRoot
from modeldeck_events.paths import ModelPathError, check_model_path
from modeldeck_events.templates import TemplateReference


class Place(NamedTuple):
    """Where a path lies: in a root, as the `file` of this full name."""

    root: ModelRoot
    file: str


def check_name(path: str) -> str:
    """Return `path` unchanged when it can be a model file of the inventory; raises ModelPathError otherwise.

    Names that begin with a dot are none: they are hidden, or the downloader's staging.
    """
    if any(part.startswith(".") for part in check_model_path(path).split("/")):
        raise ModelPathError(f"the path {path!a} has a hidden name in it, which is no model file's")
    return path


def place_of(survey: InventorySurveyed | None, models_folder: str, path: str) -> Place | None:
    """Return where a checked path lies; None when no root is known that holds it."""
    roots = survey.roots if survey is not None and survey.roots else (ModelRoot(prefix="", folder=models_folder),)
    for root in sorted(roots, key=lambda root: len(root.prefix), reverse=True):
        if root.prefix and path.startswith(f"{root.prefix}/"):
            return Place(root, f"{root.folder}/{path.removeprefix(f'{root.prefix}/')}")
        if not root.prefix and not path.startswith("@"):
            return Place(root, f"{root.folder}/{path}")
    return None


def folders(survey: InventorySurveyed | None, models_folder: str) -> tuple[str, ...]:
    """Return the folders of every root."""
    return tuple(root.folder for root in survey.roots) if survey is not None and survey.roots else (models_folder,)


def below_models_folder(path: str) -> str:
    """Return the path that stands for the same file in the models folder: `@section/vae/x` is `vae/x` there."""
    return path.partition("/")[2] if path.startswith("@") else path


def destination(places: Mapping[str, tuple[str, ...]], reference: TemplateReference) -> str:
    """Return the path in the models folder under which ComfyUI finds the reference's file."""
    own = [prefix for prefix in places.get(reference.directory, ()) if not prefix.startswith("@")]
    folder = own[0] if own and reference.directory not in own else reference.directory
    return f"{folder}/{reference.filename}" if folder else reference.filename


def locked_places(places: Mapping[str, tuple[str, ...]], path: str) -> Iterator[str]:
    """Yield where a file that a lock names is looked for, in the order in which its model folder's places are."""
    folder, _, rest = path.partition("/")
    searched = [f"{prefix}/{rest}" if prefix else rest for prefix in places.get(folder, ()) if rest]
    if path not in searched:
        yield path
    yield from searched
