"""The few changes that are made to model folders: a file removed, a name added. Blocking; never follows a link out.

Files are given by their full name, and `roots` are the folders in which they may lie, links on the way resolved. The
real folder is then opened from its root down without following links, and the last step acts inside it: a folder that
is replaced by a link in between leads nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from catalog.stamps import Stamp, stamp_of

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_NO_HARD_LINK = (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)

Method = Literal["hardlink", "symlink"]


class NotThereError(Exception):
    """There is no such file: nothing, a folder, or a name behind a link to a folder."""


class ReadOnlyError(Exception):
    """The folder may not be changed; the text says which and why."""


class TakenError(Exception):
    """Another file has the name."""


class OnDiskFile(NamedTuple):
    """What lies under a name: `stamp` is of the content, also for a link; `freed_bytes` is what removing it frees."""

    stamp: Stamp
    freed_bytes: int
    is_link: bool


def look(file: str, roots: Sequence[str]) -> OnDiskFile:
    """Return what lies under a name; raises NotThereError, OSError."""
    with _parent(file, roots) as (parent, name):
        return _look(parent, name)


def remove(file: str, roots: Sequence[str]) -> OnDiskFile:
    """Remove a name and put that on the disk; return what it was.

    Raises NotThereError, ReadOnlyError, OSError.
    """
    with _parent(file, roots) as (parent, name):
        was = _look(parent, name)
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError as error:
            raise NotThereError(file) from error
        except OSError as error:
            _refuse_read_only(error, file)
            raise
        os.fsync(parent)
        return was


def leads_to(file: str, other: str) -> bool:
    """Tell whether the name `other` is gone, or leads nowhere, once the name `file` is removed."""
    entry = _entry(file)
    return _entry(other) == entry or os.path.realpath(other) == entry


def sha256_of(file: str, roots: Sequence[str], stamp: Stamp) -> str | None:
    """Return the hash of the file while it is as `stamp` says; None when it changed, or is a link."""
    with _parent(file, roots) as (parent, name):
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        except OSError:
            return None
    with os.fdopen(descriptor, "rb") as opened:
        if stamp_of(os.fstat(descriptor)) != stamp:
            return None
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return digest if stamp_of(os.fstat(descriptor)) == stamp else None


def link(file: str, from_file: str, roots: Sequence[str]) -> tuple[Method, bool]:
    """Give the content of `from_file` the further name `file`.

    Return how, and whether it was made now: false when the name has this content already. On the same volume it is a
    hard link, else a symbolic link to the real file, which must lie below one of `roots`. Either call makes the name
    whole or not at all and never replaces one. Missing folders are made.

    Raises TakenError, NotThereError, ReadOnlyError, OSError.
    """
    real = os.path.realpath(from_file)
    if not Path(real).is_file() or _root_of(real, roots) is None:
        raise NotThereError(from_file)
    with _parent(file, roots, make=True) as (parent, name):
        try:
            method = _make_link(parent, name, real)
        except FileExistsError as error:
            known = _same_already(parent, name, real)
            if known is None:
                raise TakenError(file) from error
            return known, False
        except OSError as error:
            _refuse_read_only(error, file)
            raise
        os.fsync(parent)
        return method, True


def _make_link(parent: int, name: str, real: str) -> Method:
    try:
        os.link(real, name, dst_dir_fd=parent, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINK:
            raise
        os.symlink(real, name, dir_fd=parent)
        return "symlink"
    return "hardlink"


def _same_already(parent: int, name: str, real: str) -> Method | None:
    """Return how the name has the content of `real`, None when it has another."""
    try:
        there, wanted = os.stat(name, dir_fd=parent), os.stat(real)  # noqa: PTH116 - inside an opened folder
        is_link = stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except OSError:
        return None
    if (there.st_dev, there.st_ino) != (wanted.st_dev, wanted.st_ino):
        return None
    return "symlink" if is_link else "hardlink"


def _look(parent: int, name: str) -> OnDiskFile:
    try:
        own = os.stat(name, dir_fd=parent, follow_symlinks=False)
        content = own
        if stat.S_ISLNK(own.st_mode):
            with contextlib.suppress(OSError):  # a link that leads nowhere can be removed all the same
                content = os.stat(name, dir_fd=parent)
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise NotThereError(name) from error
        raise
    is_link = stat.S_ISLNK(own.st_mode)
    if not is_link and not stat.S_ISREG(own.st_mode):
        raise NotThereError(name)
    freed_bytes = 0 if is_link or own.st_nlink > 1 else own.st_size
    return OnDiskFile(stamp_of(content), freed_bytes, is_link)


@contextlib.contextmanager
def _parent(file: str, roots: Sequence[str], *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Open the real folder in which a file lies; give its descriptor and the last name."""
    folder, name = os.path.split(file)
    real = os.path.realpath(folder)
    root = _root_of(real, roots)
    if root is None:
        raise NotThereError(file)
    descriptor = os.open(root, _FOLDER)
    try:
        for part in Path(real).relative_to(root).parts:
            inner = _step(descriptor, part, make=make)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, name
    finally:
        os.close(descriptor)


def _step(parent: int, part: str, *, make: bool) -> int:
    if make:
        try:
            os.mkdir(part, dir_fd=parent)
            os.fsync(parent)
        except FileExistsError:
            pass
        except OSError as error:
            _refuse_read_only(error, part)
            raise
    try:
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise NotThereError(part) from error
        raise


def _refuse_read_only(error: OSError, path: str) -> None:
    if error.errno in _READ_ONLY:
        raise ReadOnlyError(f"{path}: {error.strerror}") from error


def _root_of(real: str, roots: Sequence[str]) -> str | None:
    """Return the real folder of the root in which a real place lies."""
    return next((root for root in map(os.path.realpath, roots) if os.path.commonpath((real, root)) == root), None)


def _entry(file: str) -> str:
    """Return where a name really stands: its folder's links resolved, not its own."""
    folder, name = os.path.split(file)
    return f"{os.path.realpath(folder)}/{name}"
