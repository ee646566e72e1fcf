"""Which inputs of which nodes name a model file: the product's table, and how to add to it.

The table that ships is `catalog/data/loaders.json`; its `source` says which ComfyUI it was read from. A person adds
custom nodes with a file of the same form, of which only `loaders` is needed (and `folders`, `aliases` for folders that
ComfyUI itself does not have):

    {"loaders": {"UnetLoaderGGUF": {"unet_name": {"folder": "diffusion_models", "widget": 0}}},
     "folders": {"diffusion_models": {"search": ["unet", "diffusion_models"], "extensions": [".safetensors", ".gguf"]}}}

A loader maps the names of its inputs to rules. `folder` is the model folder. `widget` is the position among the node's
own widgets in an editor file: link-only inputs are not counted, the `control_after_generate` that follows a seed is; it
may be left out when the node keeps its values by name. An input `rows.*.name` stands for a list that grows. `values`
are words that are no file name, each with the files that it means (`folder/stem.*`: any extension); `stems` are file
names without extension that lie in another folder. A folder is searched in the folders `search` (its own name when left
out) below each models folder, and in `under_output` below the output folder; it takes the table's `extensions` unless
it has its own, an empty list takes any; `holds: folders` means that a value names a folder. An entry of an added file
replaces the whole entry of the same name.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Literal, NamedTuple

import msgspec

Form = Literal["file", "folder", "stem"]

MAX_BYTES = 1024 * 1024
_ROW = re.compile(r"(.+)\.\*\.(.+)")
_OTHER_PROGRAMS = (".gguf", ".onnx")
"""Model files that ComfyUI's editor knows as such, though no loader of its own lists them."""


class LoaderTableError(ValueError):
    """An added table cannot be used; the text says why and where."""


class InputRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one input of a loader means (see the module's docstring)."""

    folder: str
    widget: int | None = None
    values: dict[str, tuple[str, ...]] = {}
    stems: dict[str, str] = {}


class FolderRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the files of a model folder are searched, and which ones it takes."""

    search: tuple[str, ...] = ()
    under_output: tuple[str, ...] = ()
    extensions: tuple[str, ...] | None = None
    holds: Literal["files", "folders"] = "files"


class _TableFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    about: str = ""
    source: dict[str, Any] = {}
    extensions: tuple[str, ...] = ()
    aliases: dict[str, str] = {}
    no_file: tuple[str, ...] = ()
    folders: dict[str, FolderRule] = {}
    loaders: dict[str, dict[str, InputRule]] = {}


class Meant(NamedTuple):
    """What a value means: a file, a folder, or a file named without its extension ("stem")."""

    folder: str
    filename: str
    form: Form = "file"


class Rule:
    """What one input means, with all that the table says about its folder."""

    __slots__ = ("_endings", "_holds_folders", "_no_file", "_stems", "_values", "folder", "widget")

    def __init__(self, rule: InputRule, file: _TableFile) -> None:
        folder = file.folders.get(rule.folder, FolderRule(extensions=()))
        extensions = file.extensions if folder.extensions is None else folder.extensions
        self.folder = rule.folder
        self.widget = rule.widget
        self._endings = frozenset(end[1:] for end in (*extensions, *_OTHER_PROGRAMS)) if extensions else None
        self._holds_folders = folder.holds == "folders"
        self._no_file = frozenset(file.no_file)
        self._values = {value: tuple(_stem(path) for path in paths) for value, paths in rule.values.items()}
        self._stems = rule.stems

    def meant(self, value: str) -> tuple[Meant, ...] | None:
        """Return the files that a value of this input names, () for none, None when it is no name of a model file."""
        stem, dot, ending = value.rpartition(".")
        if dot and self._endings is not None and ending.lower() in self._endings:
            return (Meant(self._stems.get(stem, self.folder), value),)
        if value in self._values:
            return self._values[value]
        if value in self._no_file or not value.strip():
            return ()
        if self._holds_folders:
            return (Meant(self.folder, value, "folder"),)
        return (Meant(self.folder, value),) if self._endings is None else None


class Loader(NamedTuple):
    """The inputs of one node type that name model files."""

    inputs: Mapping[str, Rule]
    rows: tuple[tuple[re.Pattern[str], Rule], ...]

    def rule(self, input_name: str) -> Rule | None:
        """Return the rule of an input by its name, also of one in a row."""
        rule = self.inputs.get(input_name)
        if rule is None and self.rows:
            rule = next((rule for pattern, rule in self.rows if pattern.fullmatch(input_name)), None)
        return rule


class LoaderTable:
    """Node types, folders and aliases; immutable."""

    def __init__(self, file: _TableFile) -> None:
        self._file = file
        self.source = file.source
        self.loaders = {name: _loader(inputs, file) for name, inputs in file.loaders.items()}
        every = set(file.extensions).union(_OTHER_PROGRAMS, *(rule.extensions or () for rule in file.folders.values()))
        self.model_extensions = tuple(sorted(every - {".yaml", ""}))
        """Endings by which a text is taken for a model file's name where the input is not known."""

    @classmethod
    def builtin(cls) -> LoaderTable:
        """Return the table that ships."""
        return _builtin()

    def extended(self, data: bytes) -> LoaderTable:
        """Return this table with the entries of an added file; raises LoaderTableError."""
        if len(data) > MAX_BYTES:
            raise LoaderTableError(f"the file has {len(data)} bytes; at most {MAX_BYTES} are read")
        added = _read(data)
        base = self._file
        return LoaderTable(
            msgspec.structs.replace(
                base,
                extensions=added.extensions or base.extensions,
                no_file=base.no_file + added.no_file,
                aliases={**base.aliases, **added.aliases},
                folders={**base.folders, **added.folders},
                loaders={**base.loaders, **added.loaders},
            )
        )

    def folder(self, name: str) -> FolderRule:
        """Return the rule of a folder; one that is not listed is searched under its own name and takes any file."""
        found = self._file.folders.get(name)
        if found is None:
            return FolderRule(search=(name,), extensions=())
        return found if found.search else msgspec.structs.replace(found, search=(name,))

    def canonical(self, folder: str) -> str:
        """Return today's name of a folder (`unet` is `diffusion_models`)."""
        return self._file.aliases.get(folder, folder)


@functools.cache
def _builtin() -> LoaderTable:
    return LoaderTable(_read(resources.files("catalog").joinpath("data", "loaders.json").read_bytes()))


def _read(data: bytes) -> _TableFile:
    try:
        file = msgspec.json.decode(data, type=_TableFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LoaderTableError(f"the loader table cannot be read: {error}") from error
    for where, reason in _mistakes(file):
        raise LoaderTableError(f"the loader table cannot be used: {where}: {reason}")
    return file


def _mistakes(file: _TableFile) -> Iterator[tuple[str, str]]:
    for node_type, inputs in file.loaders.items():
        for name, rule in inputs.items():
            where = f"loaders, {node_type}, {name}"
            if not rule.folder:
                yield where, "`folder` is empty"
            if rule.widget is not None and not 0 <= rule.widget < 1000:
                yield where, "`widget` must be a position from 0 to 999"
            if "*" in name and not _ROW.fullmatch(name):
                yield where, "a row is written as `list.*.name`"
            for path in (path for paths in rule.values.values() for path in paths):
                if not re.fullmatch(r"[^/]+/.+\.\*", path):
                    yield where, f"{path!a} must be written as `folder/stem.*`"
    for ending in (*file.extensions, *(end for rule in file.folders.values() for end in rule.extensions or ())):
        if not ending.startswith(".") or ending != ending.lower():
            yield "extensions", f"{ending!a} must begin with a dot and be lower case"


def _loader(inputs: dict[str, InputRule], file: _TableFile) -> Loader:
    rules = {name: Rule(rule, file) for name, rule in inputs.items()}
    rows = {name: rule for name, rule in rules.items() if "*" in name}
    return Loader(
        {name: rule for name, rule in rules.items() if name not in rows},
        tuple((_row_pattern(name), rule) for name, rule in rows.items()),
    )


def _row_pattern(name: str) -> re.Pattern[str]:
    before, _, after = name.partition(".*.")
    return re.compile(rf"{re.escape(before)}\.[0-9]{{1,6}}\.{re.escape(after)}")


def _stem(path: str) -> Meant:
    folder, _, name = path.partition("/")
    return Meant(folder, name.removesuffix(".*"), "stem")
