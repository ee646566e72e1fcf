"""Whether a file is there already, its content is there under another name, or another file has its path."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from concurrent.futures import Executor
from pathlib import Path

from downloader.errors import PathConflictError, RefusedError
from downloader.transfer.locator import Stated
from downloader.transfer.model import Action, FileRequest, FileResult, KnownFile, KnownFiles, Verified
from downloader.transfer.paths import Target, locate
from downloader.transfer.staging import Staging, sync_folder
from downloader.transfer.threads import hash_file, in_thread

_FICLONE = 0x40049409


class Presence:
    """Settles one request without fetching where that is possible.

    A file that is there satisfies a request when its hash, else its exact size, is what the request's own source
    states; else PathConflictError names the conflict, unless `force` is set, or the file is, unchanged, what was
    fetched from `replaces_url`. For a file that may be replaced only hashes are believed.
    """

    def __init__(  # noqa: PLR0913  (what a decision about one file needs)
        self,
        *,
        request: FileRequest,
        target: Target,
        staging: Staging,
        known: KnownFiles,
        models_dir: Path,
        io: Executor,
    ) -> None:
        self._request = request
        self._target = target
        self._staging = staging
        self._known = known
        self._models_dir = models_dir
        self._io = io
        self._here_sha256: str | None = None

    async def before_asking(self) -> FileResult | None:
        """Settle by what is known here; None when the source must be asked."""
        request, stat = self._request, self._here()
        promised = request.sha256.lower() if request.sha256 else None
        if stat is None:
            return await self._link(promised)
        identity, mark = self._staging.published or (None, None)
        ours = identity is not None and mark is not None and identity.url == request.url and mark.is_of(stat)
        if ours and mark is not None and promised in (None, mark.sha256):
            return self._present(stat, mark.sha256, mark.verified)
        if promised is not None:
            if await self._sha256_here(stat) == promised:
                return self._present(stat, promised, "sha256")
            self._refuse_conflict(stat, f"the catalog wants SHA-256 {promised}")
            return None
        record = self._record(stat)
        if record is not None and record.url == request.url and not self._may_replace(stat):
            return self._present(stat, record.sha256, "size")
        if request.size_bytes is not None and request.size_bytes != stat.st_size:
            self._refuse_conflict(stat, f"the catalog wants {request.size_bytes:,} bytes")
        return None

    async def after_asking(self, stated: Stated) -> FileResult | None:
        """Settle by what the source states; None when the bytes must be fetched."""
        stat = self._here()
        if stat is None:
            return await self._link(stated.sha256)
        if stated.sha256 is not None:
            if stated.size in (None, stat.st_size) and await self._sha256_here(stat) == stated.sha256:
                return self._present(stat, stated.sha256, "sha256", stated)
            self._refuse_conflict(stat, f"{stated.host} has SHA-256 {stated.sha256}")
            return None
        if self._may_replace(stat):
            return None
        if stated.size is not None and stated.size == stat.st_size:
            record = self._record(stat)
            return self._present(stat, record.sha256 if record else None, "size", stated)
        there = "a file of unknown length" if stated.size is None else f"{stated.size:,} bytes"
        self._refuse_conflict(stat, f"{stated.host} has {there}")
        return None

    async def before_publishing(self, sha256: str) -> None:
        """Raise PathConflictError when a file that may not be replaced took the path while this one was fetched."""
        stat = self._here()
        if stat is not None and not self._may_replace(stat) and await self._sha256_here(stat) != sha256:
            self._refuse_conflict(stat, f"what was fetched has SHA-256 {sha256}")

    # The file that has the path

    def _here(self) -> os.stat_result | None:
        try:
            return self._target.final.stat()
        except FileNotFoundError:
            return None

    def _record(self, stat: os.stat_result) -> KnownFile | None:
        record = self._known.at_path(self._request.path)
        return record if record is not None and _is_unchanged(record, stat) else None

    def _may_replace(self, stat: os.stat_result) -> bool:
        """Tell whether what lies there may go: at all, or because it is what this file is the update of."""
        record = self._record(stat) if self._request.replaces_url else None
        return self._request.force or (record is not None and record.url == self._request.replaces_url)

    async def _sha256_here(self, stat: os.stat_result) -> str:
        """Return the hash of the file that is there: remembered when it is provably the same file, else computed."""
        if self._here_sha256 is None:
            record = self._record(stat)
            if record is not None and record.sha256 and record.mtime_ns is not None and not self._request.force:
                self._here_sha256 = record.sha256
            else:
                self._here_sha256 = await hash_file(self._io, self._target.final)
        return self._here_sha256

    def _refuse_conflict(self, stat: os.stat_result, wanted: str) -> None:
        """Raise PathConflictError, unless the request may replace the file."""
        if self._may_replace(stat):
            return
        record = self._known.at_path(self._request.path)
        origin = f" from {record.url}" if record is not None and record.url else ""
        raise PathConflictError(
            "path_conflict",
            f"{self._request.path} exists already ({stat.st_size:,} bytes{origin}), but {wanted}. Nothing was "
            f"overwritten; install with force to replace it, or move the file away.",
        )

    def _present(
        self, stat: os.stat_result, sha256: str | None, verified: Verified, stated: Stated | None = None
    ) -> FileResult:
        self._staging.discard()
        return self._result("present", stat, sha256, verified, stated)

    def _result(
        self, action: Action, stat: os.stat_result, sha256: str | None, verified: Verified, stated: Stated | None = None
    ) -> FileResult:
        return FileResult(
            path=self._request.path,
            size_bytes=stat.st_size,
            sha256=sha256,
            etag=stated.etag if stated else None,
            final_host=stated.host if stated else None,
            verified=verified,
            action=action,
            resumed_from_bytes=0,
            fetched_bytes=0,
            mtime_ns=stat.st_mtime_ns,
        )

    # The same content under another name

    async def _link(self, promised: str | None) -> FileResult | None:
        """Link a verified file with the same content, or from the same URL, to the target."""
        request = self._request
        candidates = list(self._known.with_sha256(promised)) if promised else []
        candidates += [f for f in self._known.from_url(request.url) if promised in (None, f.sha256)]
        for candidate in candidates:
            if candidate.path == request.path or request.size_bytes not in (None, candidate.size_bytes):
                continue
            if (source := await self._unchanged_source(candidate)) is not None:
                stat = await in_thread(self._io, self._publish_link, source)
                return self._result("linked", stat, candidate.sha256, "sha256" if promised else "size")
        return None

    async def _unchanged_source(self, candidate: KnownFile) -> Path | None:
        """Return where a known file lies, if it is provably what was verified."""
        try:
            place = await in_thread(self._io, locate, self._models_dir, candidate.path)
            stat = place.final.stat()
        except (OSError, RefusedError):
            return None
        if not _is_unchanged(candidate, stat) or candidate.sha256 is None:
            return None
        if candidate.mtime_ns is None and await hash_file(self._io, place.final) != candidate.sha256:
            return None
        return place.final.resolve()

    def _publish_link(self, source: Path) -> os.stat_result:
        """In a thread: give the content its second name, atomically; a copy where volumes cannot share it."""
        staged, final = self._target.staged, self._target.final
        staged.unlink(missing_ok=True)
        try:
            os.link(source, staged)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EACCES):
                raise
            _clone_or_copy(source, staged)
        staged.rename(final)
        sync_folder(final.parent)
        self._staging.discard()
        return final.stat()


def _is_unchanged(record: KnownFile, stat: os.stat_result) -> bool:
    return record.size_bytes == stat.st_size and record.mtime_ns in (None, stat.st_mtime_ns)


def _clone_or_copy(source: Path, copy: Path) -> None:
    with source.open("rb") as reader, copy.open("xb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:
            shutil.copyfileobj(reader, writer, 1 << 20)
            writer.flush()
        os.fsync(writer.fileno())
