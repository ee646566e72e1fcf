"""Model files with the same content, by hash: which they are, and what linking them would free.

Names that share their bytes already (hard links, symbolic links) are one copy. A hash can have thousands of names
(sparse files): each file tells of the next few in the order of their paths, so that a change touches only a few.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable
from typing import NamedTuple

from gateway.boards.board import Json

NEIGHBOURS = 10
"""Other names that are told with a file."""
MAX_GROUPS = 100
"""Contents that are listed, those first which would free most; the sum is of all."""
MAX_PATHS = 20
"""Names that are listed with a content; `count` is how many there are."""


class Content(NamedTuple):
    """What a file holds: equal ones are one content."""

    sha256: str
    size_bytes: int


class _Group:
    """A content with several names."""

    __slots__ = ("content", "copies", "paths")

    def __init__(self, content: Content) -> None:
        self.content = content
        self.paths: list[str] = []
        self.copies: dict[Hashable, int] = {}

    def add(self, path: str, copy: Hashable) -> None:
        insort(self.paths, path)
        self.copies[copy] = self.copies.get(copy, 0) + 1

    def remove(self, path: str, copy: Hashable) -> None:
        del self.paths[bisect_left(self.paths, path)]
        self.copies[copy] -= 1
        if not self.copies[copy]:
            del self.copies[copy]

    @property
    def reclaimable_bytes(self) -> int:
        return (len(self.copies) - 1) * self.content.size_bytes

    @property
    def rank(self) -> tuple[int, Content]:
        """Sort key: those first which would free most."""
        return -self.reclaimable_bytes, self.content

    def beside(self, path: str) -> list[str]:
        """Return the names that the file at `path` tells of."""
        at, count = bisect_left(self.paths, path), len(self.paths)
        return [self.paths[(at + step) % count] for step in range(1, min(NEIGHBOURS, count - 1) + 1)]

    def telling_of(self, path: str) -> list[str]:
        """Return `path` and the names before it, which tell of it."""
        at = bisect_left(self.paths, path)
        return [self.paths[at - step] for step in range(min(NEIGHBOURS + 1, len(self.paths)))]

    def state(self) -> Json:
        return {
            "sha256": self.content.sha256,
            "size_bytes": self.content.size_bytes,
            "count": len(self.paths),
            "paths": self.paths[:MAX_PATHS],
            "reclaimable_bytes": self.reclaimable_bytes,
        }


class Duplicates:
    """The contents of all files whose hash is known. `copy` says of which bytes on the disk a name is."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Content, Hashable]] = {}
        self._only: dict[Content, str] = {}
        self._groups: dict[Content, _Group] = {}
        self._ranks: list[tuple[int, Content]] = []
        self._reclaimable_bytes = 0
        self._touched: set[str] = set()
        self._shown: Json | None = None

    def put(self, path: str, content: Content | None, copy: Hashable) -> None:
        """Note what lies at a path; None when that is not known, or nothing. An empty file is nobody's duplicate."""
        new = (content, copy) if content is not None and content.size_bytes else None
        old = self._of.get(path)
        if new == old:
            return
        if old is not None:
            del self._of[path]
            self._leave(path, *old)
        if new is not None:
            self._of[path] = new
            self._join(path, *new)

    def beside(self, path: str) -> list[str]:
        """Return the next other names of the same content, up to ten; [] when there is none."""
        entry = self._of.get(path)
        group = self._groups.get(entry[0]) if entry is not None else None
        return group.beside(path) if group is not None else []

    def take_touched(self) -> set[str]:
        """Return the paths for which `beside` answers something else since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def state(self) -> Json:
        """Return what linking would free, and the contents with several names; the same object until it changes."""
        if self._shown is None:
            self._shown = {
                "reclaimable_bytes": self._reclaimable_bytes,
                "count": len(self._groups),
                "groups": [self._groups[content].state() for _, content in self._ranks[:MAX_GROUPS]],
            }
        return self._shown

    def _join(self, path: str, content: Content, copy: Hashable) -> None:
        group = self._groups.get(content)
        if group is not None:
            self._unrank(group)
        else:
            other = self._only.pop(content, None)
            if other is None:
                self._only[content] = path
                return
            group = self._groups[content] = _Group(content)
            group.add(other, self._of[other][1])
        group.add(path, copy)
        self._touched.update(group.telling_of(path))
        self._rank(group)

    def _leave(self, path: str, content: Content, copy: Hashable) -> None:
        group = self._groups.get(content)
        if group is None:
            del self._only[content]
            return
        self._touched.update(group.telling_of(path))
        self._unrank(group)
        group.remove(path, copy)
        if len(group.paths) > 1:
            self._rank(group)
        else:
            del self._groups[content]
            self._only[content] = group.paths[0]

    def _rank(self, group: _Group) -> None:
        insort(self._ranks, group.rank)
        self._reclaimable_bytes += group.reclaimable_bytes
        self._shown = None

    def _unrank(self, group: _Group) -> None:
        del self._ranks[bisect_left(self._ranks, group.rank)]
        self._reclaimable_bytes -= group.reclaimable_bytes
        self._shown = None
