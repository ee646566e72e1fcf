"""The folders that hold models: the models folder, and those which a ComfyUI `extra_model_paths.yaml` names.

The file's sections have `base_path`, maybe `is_default`, and per model folder one or more paths, a line each (ComfyUI,
utils/extra_config.py and folder_paths.py, whose search order is repeated here). A file in such a folder is known as
`@<section>/<folder>/<path below it>`; the second folder of one name in a section as `@<section>~2/<folder>/...`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from modeldeck_events.paths import ModelPathError, check_model_path

from catalog import capped_yaml
from catalog.capped_yaml import Node, YamlRefusedError

MAX_EXTRA_ROOTS = 200
SEARCHED: Mapping[str, tuple[str, ...]] = {
    "diffusion_models": ("unet", "diffusion_models"),
    "text_encoders": ("text_encoders", "clip"),
    "controlnet": ("controlnet", "t2i_adapter"),
}
"""The folders of the models folder that ComfyUI searches for a model folder's files, where it is not its own alone."""
ALIASES: Mapping[str, str] = {"unet": "diffusion_models", "clip": "text_encoders"}
_TRUE = frozenset(("true", "yes", "on", "1", "y"))


class Entry(NamedTuple):
    """One line of the file: a folder in which the models of `model_folder` are searched."""

    section: str
    model_folder: str
    folder: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Root:
    """A folder with models; `real` is where it really is, `prefix` begins the paths of its files."""

    prefix: str
    folder: Path
    real: str

    def path_of(self, below: str) -> str:
        """Return the path in the inventory of what lies below this root; "" is the root itself."""
        return f"{self.prefix}/{below}" if self.prefix and below else self.prefix or below

    def file(self, path: str) -> str:
        """Return where the file of a path of this root is."""
        return f"{self.folder}/{path.removeprefix(f'{self.prefix}/') if self.prefix else path}"


@dataclass(frozen=True, slots=True)
class Roots:
    """All roots, the models folder first. `places` is that of InventorySurveyed; `refused` tells what was left out.

    `complete` false: the file could never be read, so nothing is known of files whose path begins with "@".
    """

    roots: tuple[Root, ...]
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True

    def of(self, path: str) -> Root | None:
        """Return the root that a path belongs to; None when no root has its prefix."""
        prefix = prefix_of(path)
        return next((root for root in self.roots if root.prefix == prefix), None)

    def hold(self, real: str) -> bool:
        """Return whether a real place lies in one of the roots, or is one."""
        return any(is_inside(real, root.real) for root in self.roots)


class ExtraPathsError(ValueError):
    """The file cannot be used as a whole; the text says why."""


def prefix_of(path: str) -> str:
    """Return the prefix of the root of a path."""
    return "/".join(path.split("/", 2)[:2]) if path.startswith("@") else ""


def is_inside(real: str, folder: str) -> bool:
    """Return whether `real` is `folder` or lies in it; both are real absolute paths."""
    return real == folder or real.startswith(folder if folder.endswith("/") else folder + "/")


def read_entries(data: bytes, beside: Path) -> tuple[list[Entry], dict[str, str]]:
    """Return the entries of an `extra_model_paths.yaml` that lies in `beside`, in its order, and what was refused.

    Raises ExtraPathsError when it is no such file.
    """
    try:
        document = capped_yaml.read(data)
    except YamlRefusedError as error:
        raise ExtraPathsError(str(error)) from error
    if document.root is None:
        return [], {}
    if not isinstance(document.root, dict):
        raise ExtraPathsError("it must hold sections, each a name and below it `folder: path` lines")
    entries: list[Entry] = []
    refused = {"/".join(path): "it stands twice; the last one counts" for path in document.duplicates}
    for section, content in document.root.items():
        if content is None:
            continue
        if not isinstance(content, dict):
            refused[section] = "a section must hold `folder: path` lines"
            continue
        for entry in _entries(section, content, beside, refused):
            if len(entries) >= MAX_EXTRA_ROOTS:
                raise ExtraPathsError(f"it names more than {MAX_EXTRA_ROOTS} folders")
            entries.append(entry)
    return entries, refused


def _entries(section: str, content: Mapping[str, Node], beside: Path, refused: dict[str, str]) -> Iterator[Entry]:
    base_path = content.get("base_path")
    if base_path is not None and not isinstance(base_path, str):
        refused[section] = "base_path must be one path"
        return
    base = _absolute(base_path, beside) if base_path else beside
    is_default = str(content.get("is_default", "")).strip().lower() in _TRUE
    for model_folder, paths in content.items():
        if model_folder in {"base_path", "is_default"}:
            continue
        where = f"{section}/{model_folder}"
        if not isinstance(paths, str):
            refused[where] = "a model folder must name its paths, a line each"
            continue
        try:
            _check_names(section, model_folder)
        except ModelPathError as error:
            refused[where] = str(error)
            continue
        for line in paths.splitlines():
            if "\0" in line:
                refused[where] = "a path holds a NUL"
            elif line.strip():
                yield Entry(section, model_folder, os.path.normpath(base / line.strip()), is_default)


def _absolute(path: str, beside: Path) -> Path:
    return beside / os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises for unknown users


def _check_names(section: str, model_folder: str) -> None:
    """Refuse names that cannot begin the paths of files, or would be read as others."""
    if "/" in section or "/" in model_folder or model_folder.startswith("."):
        raise ModelPathError("a section or model folder may hold no / and the folder must not begin with a dot")
    check_model_path(f"@{section}/{model_folder}/x")


def arrange(models: Path, entries: list[Entry], refused: Mapping[str, str] | None = None) -> Roots:
    """Return the roots and where each model folder's files are searched, links on the way resolved as they are now.

    A folder that lies in another one, or is the same, is no root of its own: its files have one path, in the outer one.
    Only the models folder stays what it is when it lies in another. Reads the disk.
    """
    main = Root("", models, os.path.realpath(models))
    reals = [os.path.realpath(entry.folder) for entry in entries]
    roots = [main]
    taken: set[str] = set()
    prefixes: dict[int, str] = {}
    for number in sorted(range(len(entries)), key=lambda number: (reals[number].count("/"), number)):
        entry, real = entries[number], reals[number]
        outer = next((root for root in roots if is_inside(real, root.real)), None)
        if outer is not None:
            below = os.path.relpath(real, outer.real)
            prefixes[number] = outer.path_of("" if below == "." else below)
            continue
        prefix = prefixes[number] = _free_prefix(entry, taken)
        taken.add(prefix)
        roots.append(Root(prefix, Path(entry.folder), real))
    return Roots(tuple(roots), _places(entries, prefixes), dict(refused or {}))


def _free_prefix(entry: Entry, taken: set[str]) -> str:
    prefix, number = f"@{entry.section}/{entry.model_folder}", 1
    while prefix in taken:
        number += 1
        prefix = f"@{entry.section}~{number}/{entry.model_folder}"
    return prefix


def _places(entries: list[Entry], prefixes: Mapping[int, str]) -> dict[str, tuple[str, ...]]:
    """Return the prefixes of each model folder in ComfyUI's order: each default goes before all that is there."""
    places = {name: list(searched) for name, searched in SEARCHED.items()}
    for number, entry in enumerate(entries):
        name, prefix = ALIASES.get(entry.model_folder, entry.model_folder), prefixes[number]
        searched = places.setdefault(name, [name])
        if entry.is_default and prefix in searched:
            searched.remove(prefix)
        if entry.is_default:
            searched.insert(0, prefix)
        elif prefix not in searched:
            searched.append(prefix)
    told = {name: tuple(searched) for name, searched in places.items()}
    return told | {alias: told[name] for alias, name in ALIASES.items()}


class RootsFile:
    """Gives the roots as they are now; a file that cannot be used keeps the last good ones."""

    def __init__(self, models: Path, file: Path | None) -> None:
        self.problem = ""
        """Why the file as it stands is not used; empty when all is well."""
        self._models = models
        self._file = file.absolute() if file else None
        self._seen: object = None
        self._entries: list[Entry] | None = [] if file is None else None
        self._refused: dict[str, str] = {}

    def look(self) -> Roots:
        """Return the roots; reads the file when it changed since the last time. Blocks on the disk."""
        if self._file is not None:
            self._read(self._file)
        if self._entries is None:
            known = arrange(self._models, [])
            return Roots(known.roots, known.places, complete=False)
        return arrange(self._models, self._entries, self._refused)

    def _read(self, file: Path) -> None:
        try:
            status = file.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
            if seen == self._seen:
                return
            with file.open("rb") as opened:
                data = opened.read(capped_yaml.MAX_BYTES + 1)
            self._entries, self._refused = read_entries(data, file.parent)
            self._seen, self.problem = seen, ""
        except OSError as error:
            self._seen, self.problem = None, f"{file}: {error.strerror or error}"
        except ExtraPathsError as error:
            self._seen, self.problem = seen, f"{file}: {error}"
