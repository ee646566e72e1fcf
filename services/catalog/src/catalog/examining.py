"""One model file as it is on the disk now: opened where it may be, its header read."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

from modeldeck_events.modelfiles import ModelFileFound
from modeldeck_events.paths import ModelPathError, check_model_path

from catalog import metadata
from catalog.inventory import check_inside, format_of
from catalog.roots import Roots
from catalog.stamps import Stamp, moment, stamp_of

_DESCRIPTORS = "/proc/self/fd"


def open_file(roots: Roots, path: str) -> tuple[BinaryIO, os.stat_result]:
    """Open a model file for reading and return it with its status; raises OSError, ModelPathError."""
    root = roots.of(check_model_path(path))
    if root is None:
        raise ModelPathError(f"no folder is known for {path!a}")
    full = root.file(path)
    descriptor = os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb", buffering=0)
    try:
        check_inside(_real_path(descriptor, full), path, roots)
        return file, _status(descriptor, path)
    except BaseException:
        file.close()
        raise


def examine(roots: Roots, pool: str, path: str) -> tuple[ModelFileFound, Stamp]:
    """Return the fact about one file as it is now, its header read; raises OSError, ModelPathError."""
    file, status = open_file(roots, path)
    with file:
        file_format = format_of(path)
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


def gone(roots: Roots, path: str) -> bool:
    """Return whether the file is really not there (and not just out of reach), or belongs to no root any more."""
    root = roots.of(path)
    if root is None:
        return True
    try:
        os.lstat(root.file(path))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _status(descriptor: int, path: str) -> os.stat_result:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path} is no regular file")
    return status


def _real_path(descriptor: int, full: str) -> str:
    """Return where an opened file really is: Linux tells in one call, and no folder can be swapped in between."""
    try:
        return os.readlink(f"{_DESCRIPTORS}/{descriptor}")  # noqa: PTH115
    except OSError:
        return os.path.realpath(full)
