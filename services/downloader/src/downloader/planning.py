"""Plan before pull (product.md): per file what would be done about it, per volume whether all of it fits.

A file is `present` when what lies under its path agrees with its own source: verified from the same URL, or with the
stated hash, or of the stated exact size (api.md, warnings). Otherwise it is a `conflict`, or `unclear` when too little
is stated to tell; the transfer then asks the source. An update (`replaces_url`) of what lies there is a `download`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from modeldeck_events.downloads import FileSpec
from modeldeck_events.errors import CommandNotAllowedError

from downloader.disk import ModelsDisk, Volume
from downloader.domain import stated_size
from downloader.queue import QueueFold
from downloader.transfer import KnownFile

Action = Literal["download", "present", "link", "queued", "conflict", "unclear"]


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file and what would be done about it; `conflict` says in words what is in its way."""

    spec: FileSpec
    action: Action
    conflict: str = ""


@dataclass(slots=True)
class VolumePlan:
    """Bytes on one volume. `exact_bytes` is the part of `needed_bytes` that does not rest on a catalog's words."""

    volume: Volume
    needed_bytes: int = 0
    exact_bytes: int = 0
    present_bytes: int = 0
    shared_bytes: int = 0
    reserved_bytes: int = 0
    reserved_exact_bytes: int = 0
    free_bytes: int = 0
    fits: bool = True


@dataclass(slots=True)
class Plan:
    """The dry run; `unknown_paths` are files of which nobody states a size."""

    files: list[PlannedFile] = field(default_factory=list)
    volumes: list[VolumePlan] = field(default_factory=list)
    unknown_paths: list[str] = field(default_factory=list)

    def as_data(self) -> dict[str, object]:
        """Return the reply data of `PlanFiles`."""
        return {
            "volumes": [
                {
                    "path": str(part.volume.mount),
                    "needed_bytes": part.needed_bytes,
                    "present_bytes": part.present_bytes,
                    "shared_bytes": part.shared_bytes,
                    "reserved_bytes": part.reserved_bytes,
                    "free_bytes": part.free_bytes,
                    "fits": part.fits,
                }
                for part in self.volumes
            ],
            "files": [
                {
                    "path": file.spec.path,
                    "url": file.spec.url,
                    "size_bytes": stated_size(file.spec),
                    "action": file.action,
                }
                | ({"conflict": file.conflict} if file.conflict else {})
                for file in self.files
            ],
        }


def judge(spec: FileSpec, size_bytes: int | None, known: KnownFile | None) -> tuple[Action, str]:
    """Tell whether what lies under the path (`size_bytes`, None: nothing) is this file, and if not, why."""
    if size_bytes is None:
        return "download", ""
    if known is not None and known.size_bytes == size_bytes:
        update = known.url is not None and known.url == spec.replaces_url
        if spec.sha256 and known.sha256:
            if spec.sha256 == known.sha256:
                return "present", ""
            return ("download", "") if update else ("conflict", "its SHA-256 is another one")
        if known.url == spec.url:
            return "present", ""
        if update:
            return "download", ""
    if spec.size_bytes is not None:
        if spec.size_bytes == size_bytes:
            return "present", ""
        return "conflict", f"a file of {size_bytes} bytes has this path, {spec.size_bytes} are expected"
    return "unclear", ""


class Planner:
    """Plans against the disk and the queue as they are."""

    def __init__(self, disk: ModelsDisk, queue: QueueFold) -> None:
        self._disk = disk
        self._queue = queue

    def installed(self, files: Sequence[FileSpec]) -> bool:
        """Tell whether every file that is not optional is present and agrees with its source."""
        required = [spec for spec in files if not spec.optional]
        return bool(required) and all(self._judge(spec)[0] == "present" for spec in required)

    def plan(self, files: Sequence[FileSpec], *, besides: str = "") -> Plan:
        """Plan these files; what the target `besides` has in the queue does not count as reserved."""
        plan = Plan()
        pending = self._queue.pending_files(besides=besides)
        volumes: dict[int, VolumePlan] = {}
        seen: dict[str, str] = {}
        for spec in files:
            part = self._part(volumes, spec.path)
            size = stated_size(spec) or 0
            if spec.path in seen:
                part.shared_bytes += size
                if seen[spec.path] != spec.url:
                    plan.files.append(PlannedFile(spec, "conflict", "another file of this plan has the same path"))
                continue
            seen[spec.path] = spec.url
            planned = self._planned(spec, pending)
            plan.files.append(planned)
            self._count(plan, part, planned)
        for spec in pending.values():
            left = self._left(spec)
            concerned = volumes.get(self._disk.volume_of(spec.path).device)
            if concerned is None:
                continue  # no file of this plan lies on that volume: how full it gets is not the question
            concerned.reserved_bytes += left
            concerned.reserved_exact_bytes += left if spec.size_bytes is not None else 0
        for part in volumes.values():
            part.fits = part.needed_bytes <= part.free_bytes - part.reserved_bytes
        plan.volumes = list(volumes.values())
        return plan

    def has_room(self, files: Sequence[FileSpec], *, at_least_bytes: int) -> bool:
        """Tell whether every volume has room for what these files still need, and for `at_least_bytes`."""
        needed: dict[int, int] = {}
        volumes: dict[int, Volume] = {}
        for spec in files:
            volume = self._disk.volume_of(spec.path)
            volumes[volume.device] = volume
            needed[volume.device] = needed.get(volume.device, 0) + self._left(spec)
        return all(
            volume.free_bytes - self._disk.reserve_bytes >= max(needed[device], at_least_bytes)
            for device, volume in volumes.items()
        )

    def _judge(self, spec: FileSpec) -> tuple[Action, str]:
        return judge(spec, self._disk.size_of(spec.path), self._queue.at_path(spec.path))

    def _planned(self, spec: FileSpec, pending: dict[str, FileSpec]) -> PlannedFile:
        queued = pending.get(spec.path)
        action, conflict = self._judge(spec)
        if action == "download" and queued is not None:
            if queued.url == spec.url:
                return PlannedFile(spec, "queued")
            return PlannedFile(spec, "conflict", f"the queue will put another file there, from {queued.url}")
        if action == "download" and self._disk.size_of(spec.path) is None and self._linkable(spec):
            return PlannedFile(spec, "link")
        return PlannedFile(spec, action, conflict)

    def _linkable(self, spec: FileSpec) -> bool:
        elsewhere = self._queue.with_sha256(spec.sha256) if spec.sha256 else self._queue.from_url(spec.url)
        return any(self._disk.size_of(known.path) == known.size_bytes for known in elsewhere)

    def _count(self, plan: Plan, part: VolumePlan, planned: PlannedFile) -> None:
        spec = planned.spec
        size = stated_size(spec)
        if size is None:
            plan.unknown_paths.append(spec.path)
            size = 0
        if planned.action in ("present", "unclear"):
            part.present_bytes += self._disk.size_of(spec.path) or 0
        elif planned.action in ("queued", "link"):
            part.shared_bytes += size
        elif planned.action == "download":
            left = self._left(spec)
            part.needed_bytes += left
            part.exact_bytes += left if spec.size_bytes is not None else 0

    def _left(self, spec: FileSpec) -> int:
        size = stated_size(spec)
        return max(0, size - self._disk.staged_bytes(spec.path)) if size else 0

    def _part(self, volumes: dict[int, VolumePlan], path: str) -> VolumePlan:
        volume = self._disk.volume_of(path)
        free = max(0, volume.free_bytes - self._disk.reserve_bytes)
        return volumes.setdefault(volume.device, VolumePlan(volume, free_bytes=free))


def check_space(plan: Plan) -> None:
    """Raise CommandNotAllowedError when the files cannot fit.

    Exact sizes are held against the free space. A catalog's words ("~15GB") are too rough for that, so they refuse only
    what exceeds the whole volume; the transfer learns the exact size and pauses when there is no room.
    """
    for part in plan.volumes:
        room = part.free_bytes - part.reserved_exact_bytes
        if part.exact_bytes > room or part.needed_bytes > part.volume.total_bytes:
            needed = max(part.exact_bytes, part.needed_bytes)
            raise CommandNotAllowedError(
                f"Not enough space on {part.volume.mount}: {needed:,} bytes are needed, {max(room, 0):,} are free "
                f"({part.volume.free_bytes:,} on the volume, less the reserve and {part.reserved_bytes:,} for the "
                "queue). Free some space, then try again.",
                code="insufficient_space",
            )
