"""The transfer engine: `Transfer.fetch` decides whether bytes are needed at all, gets them, verifies, publishes."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from downloader.errors import DiskError, LinkError, NoSpaceError, SourceError, TransferError, VerificationError
from downloader.limits import BandwidthLimiter
from downloader.sources import Sources
from downloader.transfer.blocks import BlockPool
from downloader.transfer.client import HttpClient
from downloader.transfer.fetch import FileFetch, Means
from downloader.transfer.locator import Locator, Stated
from downloader.transfer.model import FileRequest, FileResult, KnownFiles, NothingKnown, OnProgress, Verified
from downloader.transfer.paths import check_path, locate
from downloader.transfer.presence import Presence
from downloader.transfer.staging import OUT_OF_SPACE, Staging
from downloader.transfer.threads import in_thread
from downloader.transfer.verify import check_header

IO_THREADS = 8
PROGRESS_S = 0.25
NOT_WORTH_A_RETRY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENAMETOOLONG, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Room:
    """Space on the models volume."""

    free_bytes: int
    reserve_bytes: int


class _SettledError(Exception):
    """The file turned out to be there already: no byte is needed."""

    def __init__(self, result: FileResult) -> None:
        self.result = result


class Transfer:
    """Fetches files into one models folder. One per process; an async context manager.

    `connections` is the most that one large file gets; `stall_timeout_s` the longest silence of a server;
    `disk_reserve_bytes` the free space that is never eaten. `ssl_context` is for private certificate authorities.
    """

    def __init__(  # noqa: PLR0913  (keywords: the engine's settings)
        self,
        *,
        models_dir: Path,
        sources: Sources,
        limiter: BandwidthLimiter | None = None,
        connections: int = 8,
        stall_timeout_s: float = 60.0,
        disk_reserve_bytes: int = 1_000_000_000,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.limiter = limiter or BandwidthLimiter()
        self._models_dir = models_dir
        self._sources = sources
        self._io = ThreadPoolExecutor(IO_THREADS, thread_name_prefix="transfer")
        self._client = HttpClient(self.limiter, stall_timeout_s, ssl_context)
        self._pool = BlockPool()
        self._means = Means(self._client, self._pool, self._io, self.limiter, connections, disk_reserve_bytes)
        self._running = 0

    async def __aenter__(self) -> Self:
        """Nothing starts before the first fetch."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close connections and threads. Running fetches have to be cancelled and awaited before."""
        await self._client.close()
        self._pool.trim()
        await asyncio.to_thread(self._io.shutdown)

    @staticmethod
    def check_path(path: str) -> None:
        """Raise RefusedError("path_refused") for a path that could never be written."""
        check_path(path)

    async def room(self) -> Room:
        """Return the space on the models volume."""
        volume = await in_thread(self._io, os.statvfs, self._models_dir)
        return Room(volume.f_bavail * volume.f_frsize, self._means.disk_reserve_bytes)

    async def ask(self, url: str) -> Stated:
        """Return what the source states about a file, by HEAD. Raises TransferError."""
        return await Locator(self._client, self._sources, url).ask()

    async def discard(self, path: str) -> None:
        """Delete what is staged for a path; LockedError when somebody is fetching it."""
        async with self._staging(path) as staging:
            await in_thread(self._io, staging.discard)

    async def fetch(
        self, request: FileRequest, *, on_progress: OnProgress | None = None, known: KnownFiles | None = None
    ) -> FileResult:
        """Return when the file is whole, verified and has its final name; see the package's docstring."""
        self._running += 1
        try:
            async with self._staging(request.path) as staging:
                return await self._fetch(request, staging, on_progress, known or NothingKnown())
        except OSError as error:
            raise _disk_error(request.path, error) from error
        finally:
            self._running -= 1
            if not self._running:
                self._pool.trim()

    @asynccontextmanager
    async def _staging(self, path: str) -> AsyncIterator[Staging]:
        # Locking in a thread: a cancelled caller must not leave a lock behind, which in_thread sees to.
        opening = _Opening(self._models_dir, path)
        try:
            yield await in_thread(self._io, opening.open)
        finally:
            if opening.staging is not None and not opening.staging.closed:
                await in_thread(self._io, opening.staging.close)

    async def _fetch(
        self,
        request: FileRequest,
        staging: Staging,
        on_progress: OnProgress | None,
        known: KnownFiles,
    ) -> FileResult:
        presence = Presence(
            request=request,
            target=staging.target,
            staging=staging,
            known=known,
            models_dir=self._models_dir,
            io=self._io,
        )
        if (result := await presence.before_asking()) is not None:
            return result

        async def before_begin(stated: Stated) -> None:
            if (settled := await presence.after_asking(stated)) is not None:
                raise _SettledError(settled)

        locator = Locator(self._client, self._sources, request.url)
        if staging.target.final.exists() and (result := await self._settle_by_head(locator, presence)) is not None:
            return result
        fetch = FileFetch(request, staging, locator, self._means, before_begin)
        progress = asyncio.create_task(self._report(fetch, staging, on_progress))
        try:
            await fetch.run()
            return await self._publish(request, staging, fetch, presence)
        except _SettledError as settled:
            return settled.result
        except TransferError as error:
            error.fetched_bytes = fetch.fetched_bytes
            if isinstance(error, VerificationError) or error.code == "html_page":
                await fetch.stop()
                await in_thread(self._io, staging.discard)
            raise
        finally:
            progress.cancel()
            await asyncio.wait([progress])
            await fetch.stop()

    @staticmethod
    async def _settle_by_head(locator: Locator, presence: Presence) -> FileResult | None:
        try:
            stated = await locator.ask()
        except (SourceError, LinkError):
            return None  # not every server answers HEAD: the first bytes will tell
        if stated.size is None and stated.sha256 is None:
            return None
        return await presence.after_asking(stated)

    async def _publish(
        self, request: FileRequest, staging: Staging, fetch: FileFetch, presence: Presence
    ) -> FileResult:
        pipeline, size, identity = fetch.pipeline, fetch.size, staging.identity
        if pipeline is None or size is None or identity is None:
            raise AssertionError("a whole file has a size and went through a pipeline")
        sha256, expected = await pipeline.digest(), fetch.expected_sha256
        if expected is not None and sha256 != expected.lower():
            message = (
                f"{request.path} has the SHA-256 {sha256}, but {expected} was promised. The bytes were discarded: "
                f"the file was changed at its source, or damaged on its way."
            )
            raise VerificationError("hash_mismatch", message, host=identity.host)
        verified: Verified = "sha256"
        if expected is None:
            has_header = await in_thread(self._io, check_header, request.path, staging.fd, size)
            verified = "header" if has_header else "size"
        await presence.before_publishing(sha256)
        await fetch.stop()
        stat = await in_thread(self._io, staging.publish, sha256, verified, size)
        return FileResult(
            path=request.path,
            size_bytes=size,
            sha256=sha256,
            etag=identity.etag,
            final_host=identity.host,
            verified=verified,
            action="downloaded",
            resumed_from_bytes=fetch.resumed_from_bytes,
            fetched_bytes=fetch.fetched_bytes,
            mtime_ns=stat.st_mtime_ns,
        )

    async def _report(self, fetch: FileFetch, staging: Staging, on_progress: OnProgress | None) -> None:
        """Tell how far it is, 4 times a second; look after the space of files whose length nobody knows."""
        while True:
            await asyncio.sleep(PROGRESS_S)
            whole = fetch.size is not None and fetch.done_bytes >= fetch.size
            if on_progress is not None:
                on_progress(fetch.done_bytes, fetch.size, "verifying" if whole else "downloading")
            if fetch.size is None and fetch.pipeline is not None:
                try:
                    await in_thread(self._io, staging.check_room, 0, self._means.disk_reserve_bytes)
                except NoSpaceError as error:
                    fetch.pipeline.fail(error)


def _disk_error(path: str, error: OSError) -> TransferError:
    reason = error.strerror or str(error)
    if error.errno in OUT_OF_SPACE:
        return NoSpaceError(f"There is no room for {path}: {reason}.", needed_bytes=0, free_bytes=0)
    message = f"{path} cannot be written: {reason}. Check the models folder and its permissions."
    return DiskError("disk_error", message, retryable=error.errno not in NOT_WORTH_A_RETRY)


class _Opening:
    """Opens a staging in a thread and remembers it, for a caller that is cancelled meanwhile."""

    def __init__(self, models_dir: Path, path: str) -> None:
        self._models_dir = models_dir
        self._path = path
        self.staging: Staging | None = None

    def open(self) -> Staging:
        self.staging = Staging(locate(self._models_dir, self._path))
        return self.staging
