"""Where a file may go: a path is resolved inside the models folder without following links out, or refused.

Odd names are refused with the reason and never "cleaned": a cleaned name is another file than the one asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from downloader.errors import RefusedError

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1024
STAGING_PREFIX = ".modeldeck-"
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|\u2028\u2029]')


@dataclass(frozen=True, slots=True)
class Target:
    """The places of one file: the final one, and the staging file and journal beside it."""

    path: str
    final: Path
    staged: Path
    journal: Path


def check_path(path: str) -> None:
    """Raise RefusedError("path_refused") with the reason, unless `path` is a plain relative POSIX path."""
    reason = _why_refused(path)
    if reason is not None:
        raise RefusedError("path_refused", f"The path {path!r} is refused: {reason}. Give a plain relative path.")


def _why_refused(path: str) -> str | None:
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if not path or len(encoded) > MAX_PATH_BYTES:
        return "it is empty" if not path else f"it is longer than {MAX_PATH_BYTES} bytes"
    if path.startswith("/"):
        return "it is absolute"
    if (found := _FORBIDDEN.search(path)) is not None:
        return f"it contains {found.group()!r}"
    return next(filter(None, map(_why_name_refused, path.split("/"))), None)


def _why_name_refused(name: str) -> str | None:
    if name in ("", ".", ".."):
        return f"it has the part {name!r}"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"a name in it is longer than {MAX_NAME_BYTES} bytes"
    if name.endswith((".", " ")) or name.startswith(" "):
        return f"the name {name!r} begins or ends with a space or ends with a dot"
    if _RESERVED.fullmatch(name):
        return f"{name!r} is a reserved device name"
    if name.startswith(STAGING_PREFIX):
        return f"names that begin with {STAGING_PREFIX!r} are staging files"
    return None


@lru_cache(maxsize=8)
def _resolved(models_dir: Path) -> Path:
    return models_dir.resolve(strict=True)


def _root(models_dir: Path) -> Path:
    """Return the models folder without links, made if it is missing; looked up anew when another one has its name."""
    with contextlib.suppress(OSError):
        if models_dir.samefile(root := _resolved(models_dir)):
            return root
    _resolved.cache_clear()
    models_dir.mkdir(parents=True, exist_ok=True)
    return _resolved(models_dir)


def locate(models_dir: Path, path: str) -> Target:
    """Return the places for `path`, its folder made; refuse when a link on the way leads out of `models_dir`."""
    check_path(path)
    root = _root(models_dir)
    folder = root
    for part in PurePosixPath(path).parts[:-1]:
        folder = folder / part
        try:
            folder.mkdir(exist_ok=True)
        except FileExistsError:
            raise RefusedError("path_refused", f"{path!r} is refused: {part!r} is a file, not a folder.") from None
        folder = folder.resolve(strict=True)
        if not folder.is_relative_to(root):
            raise RefusedError("path_refused", f"{path!r} is refused: {part!r} is a link out of the models folder.")
    final = folder / PurePosixPath(path).name
    if final.is_dir():
        raise RefusedError("path_refused", f"{path!r} is refused: a folder has that name.")
    if final.is_symlink() and not Path(os.path.realpath(final)).is_relative_to(root):
        raise RefusedError("path_refused", f"{path!r} is refused: it is a link out of the models folder.")
    # By hash: a final name may already be as long as names can be.
    stem = STAGING_PREFIX + hashlib.sha256(final.name.encode()).hexdigest()[:24]
    return Target(path, final, folder / f"{stem}.part", folder / f"{stem}.journal")
