"""How far a download is, how fast, and for how long: readings made from what the transfer of its files reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from modeldeck_events.downloads import FileSpec
from modeldeck_events.readings import DownloadProgress

from downloader.domain import stated_size

INTERVAL_S = 0.25
"""At most 4 readings a second."""
SPEED_MEMORY_S = 3.0
"""After this long without a byte the shown speed has fallen to about a third."""


class ProgressMeter:
    """One attempt of one download. Times are seconds of a monotonic clock."""

    def __init__(self, *, pool: str, target_id: str, download_id: str, attempt: int, files: Sequence[FileSpec]) -> None:
        self._ids = (pool, target_id, download_id, attempt)
        self._files = list(files)
        self._sizes = {spec.path: stated_size(spec) for spec in files}
        self._done: dict[str, int] = {}
        self._current = 0
        self._stage: Literal["downloading", "verifying"] = "downloading"
        self._speed_bps = 0.0
        self._moved_at: float | None = None
        self._base_bytes = 0

    @property
    def downloaded_bytes(self) -> int:
        """Bytes of the download that are safe on the disk."""
        return sum(self._done.values())

    @property
    def total_bytes(self) -> int | None:
        """The sum of the sizes as far as they are known, None when none is; never below what is there already."""
        known = [size for size in self._sizes.values() if size is not None]
        return max(sum(known), self.downloaded_bytes) if known else None

    def begin(self, path: str) -> None:
        """Turn to a file; bytes that it already has are not speed."""
        self._current = next(index for index, spec in enumerate(self._files) if spec.path == path)
        self._stage = "downloading"
        self._moved_at = None

    def moved(
        self, done_bytes: int, total_bytes: int | None, stage: Literal["downloading", "verifying"], now: float
    ) -> None:
        """Take over what the transfer of the present file says."""
        path = self._files[self._current].path
        if total_bytes is not None:
            self._sizes[path] = total_bytes
        self._done[path] = done_bytes
        self._stage = stage
        if self._moved_at is None or done_bytes < self._base_bytes:  # the first word, or bytes were discarded
            self._moved_at, self._base_bytes = now, done_bytes
            return
        self._average(done_bytes - self._base_bytes, now)
        self._base_bytes = done_bytes

    def measured(self, path: str, size_bytes: int) -> None:
        """Take over what the source states about a file that has not begun."""
        if path not in self._done:
            self._sizes[path] = size_bytes

    def ended(self, path: str, size_bytes: int | None) -> None:
        """Count a file as whole with its exact size, or leave it out of the total (given up: None)."""
        self._sizes[path] = size_bytes
        self._done[path] = size_bytes or 0
        if size_bytes is not None:
            self._stage = "verifying"

    def idle(self, now: float) -> None:
        """Let the speed fall when nothing has moved."""
        if self._moved_at is not None:
            self._average(0, now)

    def reading(self, at: datetime) -> DownloadProgress:
        """Return the reading of this moment."""
        pool, target_id, download_id, attempt = self._ids
        spec = self._files[self._current]
        total = self.total_bytes
        left = None if total is None else total - self.downloaded_bytes
        return DownloadProgress(
            pool=pool,
            target_id=target_id,
            download_id=download_id,
            attempt=attempt,
            stage=self._stage,
            downloaded_bytes=self.downloaded_bytes,
            total_bytes=total,
            speed_bps=round(self._speed_bps, 1),
            eta_s=None if left is None or self._speed_bps < 1 else round(left / self._speed_bps, 1),
            file_path=spec.path,
            file_kind=spec.kind,
            file_index=self._current + 1,
            file_count=len(self._files),
            at=at,
        )

    def _average(self, new_bytes: int, now: float) -> None:
        """Mix in the speed since the last call, weighted by how long that was."""
        assert self._moved_at is not None, "called after the first report"  # noqa: S101
        passed = now - self._moved_at
        if passed <= 0:
            return
        weight = 1 - math.exp(-passed / SPEED_MEMORY_S)
        first = self._speed_bps == 0
        self._speed_bps = new_bytes / passed if first else (1 - weight) * self._speed_bps + weight * new_bytes / passed
        self._moved_at = now
