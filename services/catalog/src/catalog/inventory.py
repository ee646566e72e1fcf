"""What lies in the model folders: a cheap walk that never leaves them and never takes a failure for gone."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Container, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from modeldeck_events import modelfiles
from modeldeck_events.paths import ModelPathError, check_model_path

from catalog.roots import Root, Roots, is_inside, prefix_of
from catalog.stamps import Stamp, stamp_of

EXTENSIONS = frozenset(("safetensors", "sft", "ckpt", "pt", "pt2", "pth", "bin", "pkl", "gguf", "onnx"))
CONFIG_EXTENSIONS = frozenset(("yaml", "yml"))
_CONFIG_PATH = re.compile(r"(?:@[^/]*/)?configs/")
"""The model folder in which ComfyUI looks for the configurations of checkpoints."""
MAX_FILES = 500_000
MAX_FOLDERS = 200_000
"""Of one root: more are a mistake, such as the root of a disk, and would be walked for minutes."""
MAX_DEPTH = 64
MAX_TOLD = 1000
ABSENT_NS = -1
"""Stands for the mtime of a root that could not be read."""


class FolderUnavailableError(Exception):
    """A root cannot be read now: nothing is known about its files, which is not the same as gone."""


class Look(NamedTuple):
    """What was seen of a root itself; its inode and whether nothing at all lies in it."""

    inode: int
    empty: bool


@dataclass(slots=True)
class Walk:
    """What one walk saw of all roots. Below `unreadable` folders, and in roots with a problem, nothing is known."""

    looks: dict[str, Look] = field(default_factory=dict)
    """Per prefix of a root that was read."""
    problems: dict[str, str] = field(default_factory=dict)
    """Per prefix of a root that was not: why."""
    files: dict[str, Stamp] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    """Every folder that was read, by its full path, with its mtime in ns from just before."""
    unreadable: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    """Path, as text that can be printed, to the reason why it is not part of the inventory; the first MAX_TOLD."""
    skipped_count: int = 0
    mounts: dict[str, str] = field(default_factory=dict)
    """Prefix of paths to the mount point of the volume on which what lies under it is; those of roots always."""
    extra_known: bool = True

    def knows(self, path: str) -> bool:
        """Return whether the walk could have seen `path`."""
        prefix = prefix_of(path)
        if prefix in self.problems or (prefix and not self.extra_known):
            return False
        return not any(path.startswith(folder + "/") for folder in self.unreadable)

    def forget(self, root: Root, problem: str) -> None:
        """Take a root for one that was not read."""
        self.problems[root.prefix] = problem
        for path in [path for path in self.files if prefix_of(path) == root.prefix]:
            del self.files[path]

    def skip(self, path: str, reason: str) -> None:
        """Note that something is no part of the inventory."""
        self.skipped_count += 1
        if len(self.skipped) < MAX_TOLD:
            self.skipped[ascii(path)] = reason


@dataclass(slots=True)
class _Rules:
    root: Root
    roots: Roots
    named: AbstractSet[str]
    checked: Container[str]
    others: frozenset[str]
    """Where the other roots really are."""
    folders: dict[str, int] = field(default_factory=dict)
    followed: set[str] = field(default_factory=set)
    """The real folders that were walked into by a link: each once, so that links cannot multiply."""


class _Folder(NamedTuple):
    """A folder to be read: `below` the root, its full path, where it really is, the device of the one around it."""

    below: str
    full: str
    real: str
    device: int


def walk(roots: Roots, named: AbstractSet[str], checked: Container[str] = ()) -> Walk:
    """Return the model files of all roots: those with a model's extension, and those that a preset names.

    A root that cannot be read is a problem of its own. Names that begin with a dot (staging, hidden) are passed over,
    links are followed only to what lies in one of the roots. `checked`: paths known to be fit for an inventory, which
    makes walking again three times as fast.
    """
    found = Walk(extra_known=roots.complete)
    for where, reason in roots.refused.items():
        found.skip(where, reason)
    for root in roots.roots:
        others = frozenset(other.real for other in roots.roots if other is not root)
        rules = _Rules(root, roots, named, checked, others)
        try:
            _walk_root(found, rules)
        except (OSError, FolderUnavailableError) as error:
            found.forget(root, f"{root.folder}: {getattr(error, 'strerror', None) or error}")
            found.folders[str(root.folder)] = rules.folders.get(str(root.folder), ABSENT_NS)
        else:
            found.folders |= rules.folders
    return found


def folders_changed(folders: Mapping[str, int]) -> bool:
    """Return whether a file or folder came, went or was renamed since `folders` were read: much cheaper than a walk."""
    for folder, mtime_ns in folders.items():
        try:
            if os.stat(folder).st_mtime_ns != mtime_ns:  # noqa: PTH116 - thousands of times
                return True
        except OSError:
            if mtime_ns != ABSENT_NS:
                return True
    return False


def mount_of(folder: str) -> str:
    """Return the mount point of the volume on which a folder is; for one that is not there, on which it would be."""
    real = os.path.realpath(folder)
    while not os.path.exists(real) and real != "/":  # noqa: PTH110
        real = os.path.dirname(real)  # noqa: PTH120
    while not os.path.ismount(real):
        real = os.path.dirname(real)  # noqa: PTH120
    return real


def _walk_root(found: Walk, rules: _Rules) -> None:
    root = rules.root
    status = os.stat(root.folder)  # noqa: PTH116
    found.mounts[root.prefix] = mount_of(root.real)
    found.looks[root.prefix] = Look(status.st_ino, empty=True)
    todo = [_Folder("", str(root.folder), root.real, status.st_dev)]
    while todo:
        folder = todo.pop()
        if len(rules.folders) >= MAX_FOLDERS:
            raise FolderUnavailableError(f"more than {MAX_FOLDERS} folders; the inventory stops here")
        try:
            _read_folder(found, folder, rules, todo)
        except FileNotFoundError:
            if not folder.below:
                raise
        except OSError as error:
            if not folder.below:
                raise
            path = root.path_of(folder.below)
            found.unreadable.add(path)
            found.skip(path, error.strerror or str(error))


def _read_folder(found: Walk, folder: _Folder, rules: _Rules, todo: list[_Folder]) -> None:
    status = os.stat(folder.full)  # noqa: PTH116
    prefix = rules.root.path_of(folder.below)
    rules.folders[folder.full] = status.st_mtime_ns
    if status.st_dev != folder.device:
        found.mounts[prefix] = mount_of(folder.real)
    with os.scandir(folder.full) as entries:
        for entry in entries:
            if not folder.below and found.looks[rules.root.prefix].empty:
                found.looks[rules.root.prefix] = found.looks[rules.root.prefix]._replace(empty=False)
            if not entry.name.startswith("."):
                real = _take(found, entry, f"{prefix}/{entry.name}" if prefix else entry.name, folder, rules)
                if real:
                    below = f"{folder.below}/{entry.name}" if folder.below else entry.name
                    todo.append(_Folder(below, entry.path, real, status.st_dev))


def _take(found: Walk, entry: os.DirEntry[str], path: str, folder: _Folder, rules: _Rules) -> str:
    """Note one entry; return where it really is when it is a folder to walk into, else ""."""
    if not folder.below and path.startswith("@") and not rules.root.prefix:
        found.skip(path, "names that begin with @ stand for the folders of extra_model_paths.yaml")
        return ""
    if entry.is_dir(follow_symlinks=False):
        real = f"{folder.real}/{entry.name}"
        if real not in rules.others:
            return _enter(found, path, real)
        found.skip(path, "this folder is known under its own name")
        return ""
    if entry.is_symlink() and entry.is_dir():
        return _follow(found, entry, path, folder, rules)
    if path in rules.checked or is_model(path) or path in rules.named:
        _take_file(found, entry, path, rules)
    return ""


def _take_file(found: Walk, entry: os.DirEntry[str], path: str, rules: _Rules) -> None:
    if len(found.files) >= MAX_FILES:
        raise FolderUnavailableError(f"more than {MAX_FILES} model files; the inventory stops here")
    try:
        if path not in rules.checked:
            check_model_path(path)
            modelfiles.subject("p", path)  # refuses what is too long for a subject
        if entry.is_symlink():
            check_inside(os.path.realpath(entry.path), path, rules.roots)
        status = entry.stat()
    except (ModelPathError, ValueError) as error:
        found.skip(path, str(error))
        return
    except FileNotFoundError:
        return
    if stat.S_ISREG(status.st_mode):
        found.files[path] = stamp_of(status)


def _enter(found: Walk, path: str, real: str) -> str:
    if path.count("/") < MAX_DEPTH:
        return real
    found.unreadable.add(path)
    found.skip(path, f"more than {MAX_DEPTH} folders deep")
    return ""


def _follow(found: Walk, entry: os.DirEntry[str], path: str, folder: _Folder, rules: _Rules) -> str:
    """Return where a link to a folder leads when it may be followed: into a root, in no circle, nowhere twice."""
    real = os.path.realpath(entry.path)
    if not rules.roots.hold(real):
        reason = "a link to a folder outside of the model folders, which is not followed"
    elif is_inside(folder.real, real):
        reason = "a link to a folder around it, which would have no end"
    elif real in rules.followed:
        reason = "a link to a folder that another link leads to already"
    else:
        rules.followed.add(real)
        return _enter(found, path, real)
    found.skip(path, reason)
    return ""


def check_inside(real: str, path: str, roots: Roots) -> None:
    """Refuse a link out of the roots (quality.md, Paths)."""
    if not roots.hold(real):
        raise ModelPathError(f"the link {path!a} leads out of the model folders")


def is_model(path: str) -> bool:
    """Return whether a path is that of a model by its extension, or of a configuration where ComfyUI looks for them."""
    file_format = format_of(path)
    return file_format in EXTENSIONS or (file_format in CONFIG_EXTENSIONS and _CONFIG_PATH.match(path) is not None)


def format_of(path: str) -> str:
    """Return the extension without its dot, in small letters."""
    return path.rpartition("/")[2].rpartition(".")[2].lower()
