"""What lies in a models folder: a cheap walk that never leaves the root and never takes a failure for gone."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from modeldeck_events import modelfiles
from modeldeck_events.modelfiles import ModelFileFound
from modeldeck_events.paths import ModelPathError, check_model_path

from catalog import metadata
from catalog.stamps import Stamp, moment, stamp_of

EXTENSIONS = frozenset(("safetensors", "sft", "ckpt", "pt", "pt2", "pth", "bin", "pkl", "gguf", "onnx"))
MAX_FILES = 500_000
MAX_DEPTH = 64


class FolderUnavailableError(Exception):
    """The models folder cannot be read now: nothing is known about its files, which is not the same as gone."""


@dataclass(slots=True)
class Walk:
    """What one walk saw. Below `unreadable` folders ("" is the root) nothing is known."""

    root_inode: int
    empty: bool
    files: dict[str, Stamp] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    """Every folder that was read ("" is the root) with its mtime in ns from just before."""
    unreadable: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    """Path, as text that can be printed, to the reason why it is not part of the inventory."""

    def knows(self, path: str) -> bool:
        """Return whether the walk could have seen `path`."""
        return not any(path.startswith(folder + "/") for folder in self.unreadable)


@dataclass(frozen=True, slots=True)
class _Rules:
    real_root: str
    named: AbstractSet[str]
    checked: Container[str]


def walk(root: Path, named: AbstractSet[str], checked: Container[str] = ()) -> Walk:
    """Return the model files below `root`: those with a model's extension, and those that a preset names.

    Raises FolderUnavailableError when the root cannot be read. Names that begin with a dot (staging, hidden) are
    passed over, links are followed only to files inside the root. `checked`: paths known to be fit for an inventory,
    which makes walking again three times as fast.
    """
    try:
        found = Walk(root_inode=root.stat().st_ino, empty=True)
        _walk_folders(found, str(root), _Rules(os.path.realpath(root), named, checked))
    except OSError as error:
        raise FolderUnavailableError(f"{root}: {error.strerror or error}") from error
    return found


def folders_changed(root: Path, folders: Mapping[str, int]) -> bool:
    """Return whether a file or folder came, went or was renamed since `folders` were read: much cheaper than a walk."""
    for folder, mtime_ns in folders.items():
        try:
            if (root / folder).stat().st_mtime_ns != mtime_ns:
                return True
        except OSError:
            return True
    return False


def _walk_folders(found: Walk, root: str, rules: _Rules) -> None:
    todo = [""]
    while todo:
        folder = todo.pop()
        full = f"{root}/{folder}" if folder else root
        try:
            found.folders[folder] = os.stat(full).st_mtime_ns  # noqa: PTH116 - thousands of times per walk
            with os.scandir(full) as entries:
                for entry in entries:
                    found.empty = False
                    if not entry.name.startswith("."):
                        path = f"{folder}/{entry.name}" if folder else entry.name
                        if _take(found, entry, path, rules):
                            todo.append(path)
        except FileNotFoundError:
            if not folder:
                raise
        except OSError as error:
            if not folder:
                raise
            found.unreadable.add(folder)
            found.skipped[ascii(folder)] = error.strerror or str(error)


def _take(found: Walk, entry: os.DirEntry[str], path: str, rules: _Rules) -> bool:
    """Note one entry; return true when it is a folder to walk into."""
    if entry.is_dir(follow_symlinks=False):
        if path.count("/") < MAX_DEPTH:
            return True
        found.unreadable.add(path)
        found.skipped[ascii(path)] = f"more than {MAX_DEPTH} folders deep"
        return False
    if path not in rules.checked and format_of(path) not in EXTENSIONS and path not in rules.named:
        if entry.is_symlink() and entry.is_dir():
            found.skipped[ascii(path)] = "a link to a folder, which is not followed"
        return False
    if len(found.files) >= MAX_FILES:
        raise FolderUnavailableError(f"more than {MAX_FILES} model files; the inventory stops here")
    try:
        if path not in rules.checked:
            check_model_path(path)
            modelfiles.subject("p", path)  # refuses what is too long for a subject
        status = _inside(entry, path, rules.real_root)
    except (ModelPathError, ValueError) as error:
        found.skipped[ascii(path)] = str(error)
        return False
    except FileNotFoundError:
        return False
    if stat.S_ISREG(status.st_mode):
        found.files[path] = stamp_of(status)
    return False


def _inside(entry: os.DirEntry[str], path: str, real_root: str) -> os.stat_result:
    """Return the file's status; a link out of the root is refused (quality.md, Paths)."""
    if entry.is_symlink():
        _check_target(entry.path, path, real_root)
    return entry.stat()


def _check_target(full: str, path: str, real_root: str) -> None:
    if os.path.commonpath((os.path.realpath(full), real_root)) != real_root:
        raise ModelPathError(f"the link {path!a} leads out of the models folder")


def format_of(path: str) -> str:
    """Return the extension without its dot, in small letters."""
    return path.rpartition("/")[2].rpartition(".")[2].lower()


def examine(root: Path, pool: str, path: str) -> tuple[ModelFileFound, Stamp]:
    """Return the fact about one file as it is now, its header read; raises OSError, ModelPathError."""
    file_format = format_of(check_model_path(path))
    _check_target(str(root / path), path, os.path.realpath(root))
    descriptor = os.open(root / path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is no regular file")
        header = metadata.read(file, file_format, status.st_size)
    stamp = stamp_of(status)
    return (
        ModelFileFound(
            pool=pool,
            path=path,
            size_bytes=stamp.size_bytes,
            modified_at=moment(stamp.mtime_ns),
            format=file_format,
            whole=header.whole,
            metadata=header.metadata,
        ),
        stamp,
    )


def gone(root: Path, path: str) -> bool:
    """Return whether the file is really not there (and not just out of reach)."""
    try:
        os.lstat(root / path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
