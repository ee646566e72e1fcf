"""The models folder as it is now: sizes of files, room on its volumes. Nothing is cached, nothing is created."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from downloader.transfer import TransferError
from downloader.transfer.paths import locate


@dataclass(frozen=True, slots=True)
class Volume:
    """One file system: `mount` is where it hangs; `free_bytes` is what an unprivileged process may take."""

    device: int
    mount: Path
    total_bytes: int
    free_bytes: int


class ModelsDisk:
    """Looks at a pool's models folder; `reserve_bytes` is free space that downloads never eat."""

    def __init__(self, models_dir: Path, reserve_bytes: int) -> None:
        self.models_dir = models_dir
        self.reserve_bytes = reserve_bytes

    def size_of(self, path: str) -> int | None:
        """Return the size of the regular file at this path, None when there is none."""
        try:
            found = (self.models_dir / path).stat()
        except (OSError, ValueError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def staged_bytes(self, path: str) -> int:
        """Return how much of the volume the unfinished file of this path takes already."""
        if not _is_folder((self.models_dir / path).parent):
            return 0  # `locate` would make the folder
        try:
            return locate(self.models_dir, path).staged.stat().st_blocks * 512
        except (OSError, TransferError):
            return 0

    def volume_of(self, path: str) -> Volume:
        """Return the volume on which this path lies or would lie."""
        folder = (self.models_dir / path).parent
        while not _is_folder(folder) and folder != folder.parent:
            folder = folder.parent
        folder = folder.resolve()
        device = folder.stat().st_dev
        while folder != folder.parent and folder.parent.stat().st_dev == device:
            folder = folder.parent
        room = os.statvfs(folder)
        return Volume(device, folder, room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize)


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - false, too, for what may not be looked at
