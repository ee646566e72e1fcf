"""Model files with the same content, by hash: which they are, and what linking them would free.

Names that share their bytes already (hard links, symbolic links) are one copy. A hash can have thousands of names
(sparse files): each file tells of the next few in the order of their paths, so that a change touches only a few.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import NamedTuple

from gateway.boards.board import Json

NEIGHBOURS = 10
"""Other names that are told with a file."""
MAX_GROUPS = 100
"""Contents that are listed, those first which would free most; the sum is of all."""
MAX_PATHS = 20
"""Names that are listed with a content; `count` is how many there are."""


class Content(NamedTuple):
    """What a file holds: equal ones are one content. An empty file is nobody's duplicate."""

    sha256: str
    size_bytes: int


@dataclass(slots=True)
class _Group:
    paths: list[str] = field(default_factory=list)
    copies: Counter[Hashable] = field(default_factory=Counter)


class Duplicates:
    """The contents of all files whose hash is known. `copy` says of which bytes on the disk a name is."""

    def __init__(self) -> None:
        self._groups: dict[Content, _Group] = {}
        self._of: dict[str, tuple[Content, Hashable]] = {}
        self._several: set[Content] = set()
        self._reclaimable_bytes = 0
        self._touched: set[str] = set()
        self._shown: Json | None = None

    def put(self, path: str, content: Content | None, copy: Hashable) -> None:
        """Note what lies at a path, None when it is not known or nothing."""
        new = (content, copy) if content is not None and content.size_bytes else None
        old = self._of.get(path)
        if new == old:
            return
        if old is not None:
            self._change(path, *old, by=-1)
            del self._of[path]
        if new is not None:
            self._change(path, *new, by=1)
            self._of[path] = new

    def beside(self, path: str) -> list[str]:
        """Return the next other names of the same content, up to ten; [] when there is none."""
        entry = self._of.get(path)
        if entry is None:
            return []
        paths = self._groups[entry[0]].paths
        at = bisect_left(paths, path)
        return [paths[(at + step) % len(paths)] for step in range(1, min(NEIGHBOURS, len(paths) - 1) + 1)]

    def take_touched(self) -> set[str]:
        """Return the paths for which `beside` answers something else since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def state(self) -> Json:
        """Return what linking would free: the sum, and the contents with several names; the same object until it
        changes.
        """
        if self._shown is None:
            groups = nsmallest(MAX_GROUPS, map(self._group, self._several), key=_rank)
            self._shown = {
                "reclaimable_bytes": self._reclaimable_bytes,
                "count": len(self._several),
                "groups": groups,
            }
        return self._shown

    def _change(self, path: str, content: Content, copy: Hashable, *, by: int) -> None:
        group = self._groups.setdefault(content, _Group())
        self._reclaimable_bytes -= _reclaimable(content, group)
        if by < 0:
            self._touch(group.paths, path)
            del group.paths[bisect_left(group.paths, path)]
        else:
            insort(group.paths, path)
            self._touch(group.paths, path)
        group.copies[copy] += by
        if not group.copies[copy]:
            del group.copies[copy]
        self._reclaimable_bytes += _reclaimable(content, group)
        if len(group.paths) > 1:
            self._several.add(content)
        else:
            self._several.discard(content)
        if not group.paths:
            del self._groups[content]
        self._shown = None

    def _touch(self, paths: list[str], path: str) -> None:
        """Note the path and those before it which tell of it."""
        at = bisect_left(paths, path)
        self._touched.update(paths[at - step] for step in range(min(NEIGHBOURS + 1, len(paths))))

    def _group(self, content: Content) -> Json:
        group = self._groups[content]
        return {
            "sha256": content.sha256,
            "size_bytes": content.size_bytes,
            "count": len(group.paths),
            "paths": group.paths[:MAX_PATHS],
            "reclaimable_bytes": _reclaimable(content, group),
        }


def _reclaimable(content: Content, group: _Group) -> int:
    return max(0, len(group.copies) - 1) * content.size_bytes


def _rank(group: Json) -> tuple[int, str, int]:
    return -group["reclaimable_bytes"], group["sha256"], group["size_bytes"]
