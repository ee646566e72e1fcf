"""How much room the model files take: per volume, folder and family, in bytes; what is stored twice, what nobody needs.

The sums are kept as files come and go. A volume's bytes count what several names share (hard links) once, as far as
that is known; folders and families count every name in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from modeldeck_events.modelfiles import ModelRoot
from modeldeck_events.readings import DiskSample

from gateway.boards.board import Json, known


class Copy(NamedTuple):
    """Bytes on a disk. `inode` 0 means that it is not known: then `path` tells copies apart."""

    volume: str
    inode: int
    size_bytes: int
    path: str = ""


class Share(NamedTuple):
    """What one file adds to the sums. `volume` is "" when it is not known, `family` too."""

    volume: str
    folder: str
    family: str
    size_bytes: int
    copy: Copy
    is_unused: bool


class Disk(NamedTuple):
    """A volume as a host read it last; `is_stale` when the host fell silent since."""

    sample: DiskSample
    is_stale: bool


_Sums = dict[str, list[int]]
"""By name: bytes, and how many files."""
_NONE = (0, 0)


class Storage:
    """The sums over all files."""

    def __init__(self) -> None:
        self._shares: dict[str, Share] = {}
        self._names: Counter[Copy] = Counter()
        self._volume_bytes: Counter[str] = Counter()
        self._volumes: _Sums = {}
        self._folders: _Sums = {}
        self._families: _Sums = {}
        self._unused = [0, 0]

    def put(self, path: str, share: Share | None) -> None:
        """Note what a file adds, None when it is not there."""
        old = self._shares.get(path)
        if old == share:
            return
        if old is not None:
            del self._shares[path]
            self._add(old, -1)
        if share is not None:
            self._shares[path] = share
            self._add(share, 1)

    def state(self, disks: Iterable[Disk], roots: Iterable[ModelRoot], mounts: Mapping[str, str]) -> Json:
        """Return the sums with the newest reading of each volume. R-160's totals are over the volumes that could be
        read; they are absent while none could.
        """
        read = _by_mount(disks, roots, mounts)
        named: Mapping[str, str] = {mount: mount for mount in sorted(set(mounts.values()))}
        if not named:  # nobody surveyed the folders yet: all files lie on the volume of the models folder
            named = dict.fromkeys(list(read)[:1], "")
        volumes = [self._volume(mount, read.get(mount), name) for mount, name in named.items()]
        sums = {
            total: sum(volume[part] for volume in volumes if part in volume)
            for total, part in _TOTALS.items()
            if any(part in volume for volume in volumes)
        }
        return sums | {
            "model_count": len(self._shares),
            "models_bytes": self._volume_bytes.total(),
            "volumes": volumes,
            "folders": _parts("folder", self._folders),
            "families": [part for part in _parts("family", self._families) if part["family"]],
            "unused": {"count": self._unused[0], "bytes": self._unused[1]},
        }

    def _add(self, share: Share, sign: int) -> None:
        names = self._names.pop(share.copy, 0) + sign
        if names:
            self._names[share.copy] = names
        if names == (1 if sign > 0 else 0):  # the first name of these bytes came, or the last one went
            self._volume_bytes[share.copy.volume] += sign * share.size_bytes
        _count(self._volumes, share.volume, share.size_bytes, sign)
        _count(self._folders, share.folder, share.size_bytes, sign)
        _count(self._families, share.family, share.size_bytes, sign)
        if share.is_unused:
            self._unused[0] += sign
            self._unused[1] += sign * share.size_bytes

    def _volume(self, mount: str, disk: Disk | None, name: str) -> Json:
        sample = disk.sample if disk else None
        return known(
            mount=mount,
            total_bytes=sample.total_bytes if sample else None,
            used_bytes=sample.used_bytes if sample else None,
            free_bytes=sample.free_bytes if sample else None,
            models_bytes=self._volume_bytes[name],
            model_count=self._volumes.get(name, _NONE)[1],
            error=sample.error if sample else None,
            stale=True if disk and disk.is_stale else None,
        )


_TOTALS = {"total_bytes": "total_bytes", "used_bytes": "used_bytes", "available_bytes": "free_bytes"}


def _count(sums: _Sums, name: str, size_bytes: int, sign: int) -> None:
    entry = sums.setdefault(name, [0, 0])
    entry[0] += sign * size_bytes
    entry[1] += sign
    if not entry[1]:
        del sums[name]


def _parts(part: str, sums: _Sums) -> list[Json]:
    """Return the sums by folder or family, the largest first."""
    found: list[Json] = [{part: name, "bytes": bytes_, "count": count} for name, (bytes_, count) in sums.items()]
    return sorted(found, key=lambda one: (-one["bytes"], one[part]))


def _by_mount(disks: Iterable[Disk], roots: Iterable[ModelRoot], mounts: Mapping[str, str]) -> dict[str, Disk]:
    """Return the reading of each mount point. A host names the folders that it looked at, the models folder first: the
    folder of a root stands for that root's volume, another one for the volume that it lies on by its path.
    """
    by_folder = {root.folder: longest(mounts, root.prefix) for root in roots}
    exact: dict[str, Disk] = {}
    near: dict[str, Disk] = {}
    for disk in disks:
        path = disk.sample.path
        mount = by_folder.get(path)
        if mount is not None:
            exact.setdefault(mount, disk)
        elif not mounts:
            near.setdefault(path, disk)
        else:
            inside = [name for name in mounts.values() if PurePosixPath(path).is_relative_to(name)]
            if inside:
                near.setdefault(max(inside, key=len), disk)
    return near | exact


def longest(by_prefix: Mapping[str, str], path: str) -> str | None:
    """Return what stands under the longest prefix of a path, in whole folders; "" is the prefix of every path."""
    while path:
        found = by_prefix.get(path)
        if found is not None:
            return found
        path = path.rpartition("/")[0]
    return by_prefix.get("")
