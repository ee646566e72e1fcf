"""Gives every model file its SHA-256, in the background: what is known already without reading, the rest by and by.

Order: what somebody waits for, then the newest. One file at a time, in a thread of low priority. While a download of
the pool runs, reading takes at most DUTY of the time; else it goes at full speed. A hash is known again after a restart
by the facts themselves, for a file of the same size, modification time and inode, whatever its name: hard links and
renamed files are read once.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
from collections import deque
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog
from modeldeck_events import modelfiles
from modeldeck_events.errors import UnavailableError
from modeldeck_events.modelfiles import ModelFileHashed
from modeldeck_events.store import EventStore

from catalog.changes import append
from catalog.digesting import Digest, Known, Wanted, Worker, be_modest
from catalog.downloaded import DownloadsFold
from catalog.publishing import append_all
from catalog.roots import Roots
from catalog.stamps import Stamp
from catalog.states import Append, ModelFilesFold

SLICE_S = 0.25
DUTY = 0.25
"""The share of the time that hashing may take while a download runs."""
PAUSE_S = 0.05
LOOK_S = 1.0
"""So often it is looked whether there is something to hash, and at most so long a hash waits for its fact ..."""
TOGETHER = 100
"""... unless so many wait."""
REORDER_S = 30.0
"""A long list of files is put in order again after this, as newer ones may have come."""
MAX_TOLD = 20
_log = structlog.get_logger(__name__)


class Finder(Protocol):
    """Who finds the files, which goes before hashing them."""

    walked: asyncio.Event
    walking: bool

    async def roots(self) -> Roots:
        """Return where the files lie."""
        ...


class Hasher:
    """Hashes the files of a pool that have no hash yet: after the first walk, and not while folders are walked."""

    def __init__(self, store: EventStore, fold: ModelFilesFold, downloads: DownloadsFold, finder: Finder) -> None:
        self._store = store
        self._fold = fold
        self._downloads = downloads
        self._finder = finder
        self._wanted: dict[str, None] = {}
        self._order: deque[Wanted] = deque()
        self._ordered_for = -1
        self._ordered_at = 0.0
        self._failed: dict[str, tuple[int, str]] = {}
        self._by_stamp: dict[Stamp, Known] = {}
        self._finished: list[Digest] = []
        self._wake = asyncio.Event()
        self._worker: Worker | None = None

    def want(self, path: str) -> None:
        """Have this file hashed before all others, at once."""
        self._wanted[path] = None
        self._failed.pop(path, None)
        self._wake.set()

    def detail(self) -> dict[str, object]:
        """Return how it goes, for the health answer."""
        failed = {path: reason for path, (_, reason) in itertools.islice(self._failed.items(), MAX_TOLD)}
        reading = self._worker.reading if self._worker else None
        return {"reading": reading, "waiting": len(self._order), "failed": len(self._failed), "examples": failed}

    async def run(self) -> None:
        """Hash for ever; ends within one slice when it is cancelled."""
        await self._finder.walked.wait()
        worker = self._worker = Worker(self._known, pause=lambda: self._finder.walking)
        executor = ThreadPoolExecutor(1, thread_name_prefix="hashing", initializer=be_modest)
        loop = asyncio.get_running_loop()
        said_at = time.monotonic()
        try:
            while True:
                while self._finder.walking:  # noqa: ASYNC110 - a walk takes a moment and announces nothing
                    await asyncio.sleep(PAUSE_S)
                self._wake.clear()
                self._put_in_order()
                began = time.monotonic()
                urgent = self._take_wanted()
                slice_ = functools.partial(
                    worker.slice, await self._finder.roots(), urgent, self._order, budget_s=SLICE_S
                )
                finished, more = await loop.run_in_executor(executor, slice_)
                took_s = time.monotonic() - began
                self._note(finished, urgent)
                if self._finished and (not more or urgent or len(self._finished) >= TOGETHER or _due(said_at)):
                    await self._say_finished()
                    said_at = time.monotonic()
                await self._rest(took_s, more=more)
        finally:
            worker.stopping = True
            executor.submit(worker.close)
            executor.shutdown(wait=False)
            self._worker = None

    async def _rest(self, took_s: float, *, more: bool) -> None:
        if self._wanted:
            return
        if more and not self._downloads.running:
            return
        try:
            async with asyncio.timeout(took_s * (1 / DUTY - 1) if more else LOOK_S):
                await self._wake.wait()
        except TimeoutError:
            return

    def _known(self, path: str, stamp: Stamp) -> Known | None:
        """Return a hash that needs no reading (called from the thread; only looks things up)."""
        sha256 = self._downloads.sha256(path, stamp)
        return Known(sha256, from_download=True) if sha256 else self._by_stamp.get(stamp)

    def _put_in_order(self) -> None:
        """List the files without a hash, the newest first, when something changed and the old list is done or old."""
        if self._ordered_for == self._fold.files.version:
            return
        if self._order and time.monotonic() - self._ordered_at < REORDER_S:
            return
        self._ordered_for, self._ordered_at = self._fold.files.version, time.monotonic()
        self._by_stamp = {
            Stamp(fact.size_bytes, fact.mtime_ns, fact.inode): Known(fact.sha256, fact.source == "download")
            for fact in self._fold.hashed.values()
        }
        lacking = [
            self._wanted_of(live.path)
            for live in self._fold.live()
            if live.hashed is None and live.found.whole is not False
        ]
        usable = [wanted for wanted in lacking if self._may_be_read(wanted)]
        self._failed = {path: failed for path, failed in self._failed.items() if self._fold.get(path) is not None}
        self._order = deque(sorted(usable, key=lambda wanted: wanted.modified_at, reverse=True))

    def _wanted_of(self, path: str) -> Wanted:
        stands = self._fold.files.stands(path)
        found = stands.value
        if found is None:
            raise KeyError(path)
        return Wanted(path, stands.seq, found.size_bytes, found.modified_at)

    def _may_be_read(self, wanted: Wanted) -> bool:
        """Return false for a file that failed and of which nothing new was said since."""
        failed = self._failed.get(wanted.path)
        return failed is None or failed[0] != wanted.seq

    def _take_wanted(self) -> list[Wanted]:
        paths, self._wanted = self._wanted, {}
        live = [self._fold.get(path) for path in paths]
        return [self._wanted_of(file.path) for file in live if file is not None and file.hashed is None]

    def _note(self, finished: Collection[Digest], urgent: Collection[Wanted]) -> None:
        for digest in finished:
            if digest.stamp is None:
                self._failed[digest.wanted.path] = (digest.wanted.seq, digest.reason)
                _log.info("not hashed", path=digest.wanted.path, reason=digest.reason)
            else:
                self._by_stamp[digest.stamp] = Known(digest.sha256, digest.from_download)
                self._finished.append(digest)
        done = {digest.wanted.path for digest in finished}
        for wanted in urgent:
            if wanted.path not in done:
                self._wanted[wanted.path] = None

    async def _say_finished(self) -> None:
        """Append the facts; while the log is away they wait, and nothing is read on."""
        facts = {
            digest.wanted.path: self._fact(digest, digest.stamp)
            for digest in self._finished
            if digest.stamp is not None and self._fold.files.stands(digest.wanted.path).seq == digest.wanted.seq
        }
        while True:
            try:
                await append_all(self._store, facts.values(), on_appended=self._on_appended)
            except UnavailableError:
                await asyncio.sleep(LOOK_S)
            else:
                self._finished.clear()
                return

    def _on_appended(self, item: Append, seq: int) -> None:
        self._fold.note(item.key, seq, item.event)

    def _fact(self, digest: Digest, stamp: Stamp) -> Append:
        path, pool = digest.wanted.path, self._fold.pool
        fact = ModelFileHashed(
            pool=pool,
            path=path,
            size_bytes=stamp.size_bytes,
            mtime_ns=stamp.mtime_ns,
            inode=stamp.inode,
            sha256=digest.sha256,
            source="download" if digest.from_download else "computed",
        )
        return append(path, modelfiles.subject(pool, path), fact, digest.wanted.seq)


def _due(since: float) -> bool:
    return time.monotonic() - since >= LOOK_S
