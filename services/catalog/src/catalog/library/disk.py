"""The few changes that are made to model folders: a file removed, a name added. Blocking; never follows a link out.

Each folder on the way is opened without following links and the last step acts inside the opened folder, so a folder
that is replaced by a link in between leads nowhere.
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


def look(folder: str, path: str) -> OnDiskFile:
    """Return what lies under `path` below `folder`; raises NotThereError, OSError."""
    with _parent(folder, path) as (parent, name):
        return _look(parent, name)


def remove(folder: str, path: str) -> OnDiskFile:
    """Remove the name `path` below `folder` and put that on the disk; return what it was.

    Raises NotThereError, ReadOnlyError, OSError.
    """
    with _parent(folder, path) as (parent, name):
        was = _look(parent, name)
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError as error:
            raise NotThereError(path) from error
        except OSError as error:
            _refuse_read_only(error, path)
            raise
        os.fsync(parent)
        return was


def sha256_of(folder: str, path: str, stamp: Stamp) -> str | None:
    """Return the hash of the file while it is as `stamp` says; None when it changed, or is a link."""
    with _parent(folder, path) as (parent, name):
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        except OSError:
            return None
    with os.fdopen(descriptor, "rb") as file:
        if stamp_of(os.fstat(file.fileno())) != stamp:
            return None
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest if stamp_of(os.fstat(file.fileno())) == stamp else None


def link(folder: str, path: str, from_file: str, roots: Sequence[str]) -> tuple[Method, bool]:
    """Give the content of `from_file` (an absolute name) the further name `path` below `folder`.

    Return how, and whether it was made now: false when the name has this content already. On the same volume it is a
    hard link, else a symbolic link to the real file, which must lie below one of `roots`. Either call makes the name
    whole or not at all and never replaces one. Missing folders are made.

    Raises TakenError, NotThereError, ReadOnlyError, OSError.
    """
    real = os.path.realpath(from_file)
    if not Path(real).is_file() or not any(_is_below(real, os.path.realpath(root)) for root in roots):
        raise NotThereError(from_file)
    with _parent(folder, path, make=True) as (parent, name):
        try:
            method = _make_link(parent, name, real)
        except FileExistsError as error:
            known = _same_already(parent, name, real)
            if known is None:
                raise TakenError(path) from error
            return known, False
        except OSError as error:
            _refuse_read_only(error, path)
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
def _parent(folder: str, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Open the folder in which `path` lies, below `folder`; give its descriptor and the last name."""
    *between, name = path.split("/")
    descriptor = os.open(folder, _FOLDER)
    try:
        for part in between:
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


def _is_below(file: str, folder: str) -> bool:
    return os.path.commonpath((file, folder)) == folder
