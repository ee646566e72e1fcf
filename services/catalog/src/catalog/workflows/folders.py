"""Which workflow files lie in the folders of MODELDECK_TEMPLATE_DIRS: a walk, and glances that cost far less.

A walk never leaves a root: links are followed only to files inside it. Whatever is passed over for a reason is told;
only hidden names and other kinds of files are not.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from modeldeck_events import subjects

from catalog.stamps import Stamp, stamp_of

SUFFIX = ".json"
MAX_FILES = 20_000
"""In all roots together; more are left out, in the order of their names."""
MAX_FOLDERS = 20_000
MAX_DEPTH = 32
MAX_NOTES = 100
MAX_SHOWN_CHARS = 80
RACY_NS = 10**9
"""A folder that changed this lately may change again without another time: it counts as changed at the next glance."""
_NOT_THERE, _UNSURE = -1, -2
_PLAIN = re.compile(r"[A-Za-z0-9_./ ()-]{1,340}")
"""Names of which nothing else need be asked: within MAX_TOKEN_CHARS even when every character is escaped."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


class Root(NamedTuple):
    """A folder with templates, and the name that begins their ids."""

    name: str
    folder: Path


class Refused(NamedTuple):
    """Something with the name of a workflow that is not read; `code` is that of a warning."""

    code: str
    message: str
    stamp: Stamp


@dataclass(slots=True)
class Seen:
    """What lies in the roots. Of ids that begin with one of `unknown` nothing is known."""

    paths: dict[str, str] = field(default_factory=dict)
    """Template id to the file's path."""
    stamps: dict[str, Stamp] = field(default_factory=dict)
    refused: dict[str, Refused] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    """Path of each folder with its time of change in ns from just before it was read."""
    unknown: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Names of roots that are not there."""
    notes: dict[str, str] = field(default_factory=dict)
    """Place to reason: what is wrong about folders, and caps that were reached; at most MAX_NOTES."""
    is_capped: bool = False

    def knows(self, template_id: str) -> bool:
        """Tell whether the walk could have seen this template."""
        return not any(template_id.startswith(prefix) for prefix in self.unknown)

    def note(self, place: str, reason: str) -> None:
        """Keep a reason."""
        if len(self.notes) < MAX_NOTES:
            self.notes.setdefault(printable(place), reason)


def walk(roots: Sequence[Root]) -> Seen:
    """Return what lies in the roots now; never raises for what is there."""
    seen = Seen()
    for root in roots:
        folder = str(root.folder)
        seen.folders[folder] = changed_ns = _changed_ns(folder)
        if changed_ns == _NOT_THERE:
            seen.missing.append(root.name)
        else:
            _Walk(seen, root.name, folder).run()
    for template_id in seen.refused.keys() & seen.paths.keys():
        del seen.refused[template_id]  # an escaped name is another file's plain one
    return seen


def folders_changed(seen: Seen) -> bool:
    """Tell whether an entry of a folder came, went or was replaced, or a root came or went."""
    return any(changed_ns == _UNSURE or _changed_ns(path) != changed_ns for path, changed_ns in seen.folders.items())


def look_at_files(seen: Seen, template_ids: Iterable[str]) -> list[str]:
    """Take over these files' present stamps and return which changed; raises OSError when only a walk can tell."""
    paths, stamps, look, changed = seen.paths, seen.stamps, os.stat, []
    for template_id in template_ids:
        status = look(paths[template_id])
        known = stamps[template_id]
        if (status.st_mtime_ns, status.st_size, status.st_ino) != (known.mtime_ns, known.size_bytes, known.inode):
            stamps[template_id] = stamp_of(status)
            changed.append(template_id)
    return changed


def read(path: str, root: str, limit: int) -> tuple[bytes, Stamp, bool]:
    """Return at most `limit` + 1 bytes of a file, its stamp, and whether it stood still meanwhile; raises OSError.

    What leads out of `root`, or is no regular file, is refused with PermissionError.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        real = os.path.realpath(path)
        if not _is_inside(real, os.path.realpath(root)):
            raise PermissionError("the link leads out of the folder") from error
        descriptor = os.open(real, flags)
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise PermissionError("it is no regular file")
        data = file.read(limit + 1)
        after = os.fstat(file.fileno())
    is_steady = stamp_of(before) == stamp_of(after) and len(data) == min(after.st_size, limit + 1)
    return data, stamp_of(after), is_steady


def printable(text: str) -> str:
    """Return a name so that it can be shown, sent and be a key: escaped where it has to be, shortened when too long."""
    shown = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    shown = shown.encode("utf-8", "backslashreplace").decode()
    if _key_problem(shown):
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return f"{shown[:MAX_SHOWN_CHARS]}~{digest}"
    return shown


def _key_problem(template_id: str) -> str:
    if _PLAIN.fullmatch(template_id):
        return ""
    try:
        subjects.token(template_id)
    except UnicodeEncodeError:
        return "the name is not UTF-8"
    except ValueError:
        return f"the name is too long, folders included; {subjects.MAX_TOKEN_CHARS // 3} bytes always fit"
    return "the name contains control characters" if _CONTROL.search(template_id) else ""


def _changed_ns(folder: str) -> int:
    """Return when the folder, or who may read it, changed; `_UNSURE` when that may come again without another time."""
    try:
        changed_ns = os.stat(folder).st_ctime_ns  # noqa: PTH116 - once a second per folder
    except (FileNotFoundError, NotADirectoryError):
        return _NOT_THERE
    except OSError:
        return _UNSURE
    return changed_ns if abs(time.time_ns() - changed_ns) > RACY_NS else _UNSURE


def _is_inside(real: str, real_root: str) -> bool:
    return os.path.commonpath((real, real_root)) == real_root


class _Walk:
    """One walk through one root."""

    def __init__(self, seen: Seen, name: str, root: str) -> None:
        self._seen = seen
        self._name = name
        self._root = root
        self._real_root = os.path.realpath(root)

    def run(self) -> None:
        """Take every folder, each one's names in order."""
        todo = [""]
        while todo and not self._seen.is_capped:
            below = todo.pop()
            full = f"{self._root}/{below}" if below else self._root
            self._seen.folders[full] = _changed_ns(full)
            inner = list(self._folders_of(below, full))
            if len(self._seen.folders) + len(todo) + len(inner) > MAX_FOLDERS:
                self._cap(f"more than {MAX_FOLDERS} folders; the rest is left out")
            todo += reversed(inner)

    def _folders_of(self, below: str, full: str) -> Iterator[str]:
        """Note one folder's files; yield the folders in it."""
        for entry in self._entries(below, full):
            place = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir(follow_symlinks=False):
                if place.count("/") < MAX_DEPTH:
                    yield place
                else:
                    self._seen.note(f"{self._name}/{place}", f"more than {MAX_DEPTH} folders deep; not looked into")
            elif len(self._seen.paths) + len(self._seen.refused) >= MAX_FILES:
                self._cap(f"more than {MAX_FILES} workflows; the rest is left out")
                return
            else:
                self._take(entry, place)

    def _entries(self, below: str, full: str) -> Iterable[os.DirEntry[str]]:
        """Return what may be a workflow or a folder, by name."""
        try:
            with os.scandir(full) as entries:
                found = [entry for entry in entries if _is_of_interest(entry)]
        except FileNotFoundError:
            return ()  # between the look at its parent and now
        except OSError as error:
            self._seen.unknown.append(f"{self._name}/{below}/" if below else f"{self._name}/")
            self._seen.note(f"{self._name}/{below}", f"cannot be read: {error.strerror or error}")
            return ()
        return sorted(found, key=lambda entry: entry.name)

    def _take(self, entry: os.DirEntry[str], place: str) -> None:
        template_id = f"{self._name}/{place}"
        try:
            target = entry.stat()
        except FileNotFoundError:
            if not entry.is_symlink():
                return
            self._refuse(entry, template_id, "unreadable_file", "the link leads to nothing")
            return
        except OSError as error:
            self._refuse(entry, template_id, "unreadable_file", error.strerror or str(error))
            return
        problem = _key_problem(template_id)
        if entry.is_symlink() and not _is_inside(os.path.realpath(entry.path), self._real_root):
            text = "the link leads out of the folder; add its target to MODELDECK_TEMPLATE_DIRS if it is to be scanned"
            self._refuse(entry, template_id, "link_outside", text)
        elif stat.S_ISDIR(target.st_mode):
            self._seen.note(template_id, "a link to a folder, which is not followed")
        elif problem:
            self._refuse(entry, template_id, "invalid_name", f"{problem}; rename the file")
        elif stat.S_ISREG(target.st_mode):
            self._seen.paths[template_id] = entry.path
            self._seen.stamps[template_id] = stamp_of(target)
        else:
            self._refuse(entry, template_id, "unreadable_file", "it is no regular file")

    def _refuse(self, entry: os.DirEntry[str], template_id: str, code: str, message: str) -> None:
        try:
            stamp = stamp_of(entry.stat(follow_symlinks=False))
        except OSError:
            return
        self._seen.refused[printable(template_id)] = Refused(code, message, stamp)

    def _cap(self, reason: str) -> None:
        self._seen.is_capped = True
        self._seen.note(self._name, reason)


def _is_of_interest(entry: os.DirEntry[str]) -> bool:
    """Tell apart what is to be looked at; of links to folders those that a person may take for templates."""
    if entry.name.startswith("."):
        return False
    try:
        return (
            entry.name.lower().endswith(SUFFIX)
            or entry.is_dir(follow_symlinks=False)
            or (entry.is_symlink() and entry.is_dir())
        )
    except OSError:
        return False
