"""A transfer engine on a temporary folder, in front of a misbehaving origin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from downloader.limits import BandwidthLimiter
from downloader.sources import Sources
from downloader.transfer import FileRequest, FileResult, KnownFile, Transfer

from tests.support.origin import File, Origin


@dataclass
class Known:
    """Verified files in a list."""

    files: list[KnownFile] = field(default_factory=list)

    def at_path(self, path: str) -> KnownFile | None:
        return next((each for each in self.files if each.path == path), None)

    def with_sha256(self, sha256: str) -> Sequence[KnownFile]:
        return [each for each in self.files if each.sha256 == sha256]

    def from_url(self, url: str) -> Sequence[KnownFile]:
        return [each for each in self.files if each.url == url]

    def add(self, url: str, result: FileResult) -> None:
        self.files.append(KnownFile(result.path, url, result.size_bytes, result.sha256, result.mtime_ns))


class Bench:
    """An engine, its folder and its origin."""

    def __init__(self, transfer: Transfer, models_dir: Path, origin: Origin) -> None:
        self.transfer = transfer
        self.models_dir = models_dir
        self.origin = origin
        self.known = Known()
        self.progress: list[tuple[int, int | None, str]] = []

    def serve(self, path: str = "/file.bin", **manners: Any) -> File:
        return self.origin.add(path, **manners)

    def request(self, served: str = "/file.bin", path: str = "models/file.bin", **options: Any) -> FileRequest:
        return FileRequest(path, self.origin.url + served, **options)

    async def fetch(self, served: str = "/file.bin", path: str = "models/file.bin", **options: Any) -> FileResult:
        return await self.fetch_request(self.request(served, path, **options))

    async def fetch_request(self, request: FileRequest) -> FileResult:
        return await self.transfer.fetch(
            request, on_progress=lambda *told: self.progress.append(told), known=self.known
        )

    def final(self, path: str = "models/file.bin") -> Path:
        return self.models_dir / path

    def staged(self) -> list[Path]:
        return sorted(self.models_dir.rglob(".modeldeck-*"))


@asynccontextmanager
async def bench(models_dir: Path, origin: Origin | None = None, **options: Any) -> AsyncIterator[Bench]:
    """Start an origin, unless one is given, and an engine that may reach it."""
    if origin is None:
        async with Origin() as started, bench(models_dir, started, **options) as made:
            yield made
        return
    sources = options.pop("sources", None) or Sources(allowed_hosts=[origin.host])
    settings = {"disk_reserve_bytes": 0, "stall_timeout_s": 5.0, "limiter": BandwidthLimiter(), **options}
    async with Transfer(models_dir=models_dir, sources=sources, **settings) as transfer:
        yield Bench(transfer, models_dir, origin)
