"""The edges of a worker, faked: permits without NATS, a transfer without a network. The log is the one in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from downloader.limits import BandwidthLimiter
from downloader.permits import PermitBody
from downloader.pool_log import PoolLog
from downloader.queue import QueueFold
from downloader.retry import RetryRules
from downloader.run import Tools
from downloader.transfer import FileRequest, FileResult, KnownFiles, LockedError, OnProgress, Stated, TransferError
from downloader.worker import Worker
from modeldeck_events import downloads as d
from modeldeck_events import pools
from modeldeck_events.memory import MemoryStore
from modeldeck_events.message import Event
from modeldeck_events.projector import Projector
from modeldeck_events.readings import DownloadProgress
from modeldeck_events.store import Meta

from tests.unit.downloader.builders import FILES, POOL, target


class FakeTransfer:
    """Each fetch waits for `finish(path)`, or raises what was planned for the path; one at a time per path."""

    def __init__(self) -> None:
        self.asked: list[FileRequest] = []
        self.cancelled: list[str] = []
        self.planned: dict[str, list[Exception]] = {}
        self.progress: dict[str, OnProgress] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._done: dict[str, asyncio.Event] = {}
        self.sizes: dict[str, int] = {}
        self.asked_about: list[str] = []
        self.hold = False

    def finish(self, path: str) -> None:
        self._done.setdefault(path, asyncio.Event()).set()

    async def ask(self, url: str) -> Stated:
        self.asked_about.append(url)
        if url not in self.sizes:
            raise TransferError("not_found", "nobody knows")
        return Stated(self.sizes[url], None, "origin.example", None)

    async def fetch(self, request: FileRequest, *, on_progress: OnProgress, known: KnownFiles) -> FileResult:
        lock = self._locks.setdefault(request.path, asyncio.Lock())
        if lock.locked():
            raise LockedError("locked", "somebody writes it")
        async with lock:
            self.asked.append(request)
            self.progress[request.path] = on_progress
            if self.planned.get(request.path):
                raise self.planned[request.path].pop(0)
            if self.hold:
                try:
                    await self._done.setdefault(request.path, asyncio.Event()).wait()
                except asyncio.CancelledError:
                    self.cancelled.append(request.path)
                    raise
            size = request.size_bytes or 50
            on_progress(size, size, "verifying")
            return FileResult(request.path, size, "ab" * 32, None, "h", "sha256", "downloaded", 0, size, 1)


@dataclass(eq=False)
class FakePermit:
    seq: int
    body: PermitBody
    deliveries: int = 1
    ends: list[str] = field(default_factory=list)
    adopted: int = 0

    def keep_alive(self) -> None: ...

    def adopt(self, other: FakePermit) -> None:
        self.adopted += 1

    def drop(self) -> None:
        self.ends.append("dropped")

    async def done(self) -> None:
        self.ends.append("done")

    async def give_back(self, delay_s: float) -> None:
        self.ends.append(f"back {delay_s:g}")


class FakePermits:
    def __init__(self) -> None:
        self.waiting: asyncio.Queue[FakePermit] = asyncio.Queue()
        self.concurrency = 0
        self.gone: set[int] = set()
        self.published: list[tuple[PermitBody, str]] = []
        self.counted = 0

    async def ensure(self, max_concurrent: int) -> None:
        self.concurrency = max_concurrent

    async def check(self) -> None: ...

    async def close(self) -> None: ...

    async def fetch(self, timeout_s: float) -> FakePermit | None:
        try:
            return await asyncio.wait_for(self.waiting.get(), 0.02)
        except TimeoutError:
            return None

    async def exists(self, seq: int) -> bool:
        return seq not in self.gone

    async def publish(self, body: PermitBody, *, dedupe_id: str) -> None:
        self.published.append((body, dedupe_id))

    async def count(self) -> int:
        return self.counted


class Deck:
    """One worker on a log in memory; `permit()` hands it a permit."""

    def __init__(self, limits: pools.PoolLimits) -> None:
        self.store = MemoryStore()
        self.fold = QueueFold(POOL)
        self.projector = Projector(self.store, [self.fold], subjects=self.fold.subjects)
        self.log = PoolLog(self.store, self.projector, self.fold)
        self.transfer = FakeTransfer()
        self.permits = FakePermits()
        self.limiter = BandwidthLimiter()
        self.readings: list[DownloadProgress] = []
        tools = Tools(
            pool=POOL,
            worker="me",
            log=self.log,
            transfer=self.transfer,
            known=self.fold,
            rules=RetryRules(0.01, 0.02, 3),
            publish=self._publish,
        )
        self.worker = Worker(
            tools=tools,
            queue=self.fold,
            projector=self.projector,
            permits=self.permits,  # type: ignore[arg-type]
            limiter=self.limiter,
            declares=limits,
        )
        self.projector.on_batch = self.worker.on_batch
        self._permit_seq = 0

    async def append(self, event: Event, preset: str = "wan") -> None:
        subject = d.subject(POOL, f"preset:{preset}")
        if isinstance(event, pools.PoolConfigured):
            subject = pools.subject(POOL)
        seq = await self.store.last_seq(subject)
        await self.store.append(subject, [event], expected_seq=seq, meta=Meta(source="other"))

    async def queue(self, preset: str = "wan", files: tuple[d.FileSpec, ...] = FILES, **more: object) -> None:
        fact = d.DownloadQueued(
            download_id=f"{preset}-1",
            pool=POOL,
            target=target(preset),
            files=files,
            **more,  # type: ignore[arg-type]
        )
        await self.append(fact, preset)

    def permit(self, seq: int = 0, deliveries: int = 1) -> FakePermit:
        self._permit_seq = seq or self._permit_seq + 1
        body = PermitBody(target_id="", download_id="", event_id="", seq=0)
        made = FakePermit(self._permit_seq, body, deliveries)
        self.permits.waiting.put_nowait(made)
        return made

    async def facts(self, preset: str = "wan") -> list[str]:
        subject = d.subject(POOL, f"preset:{preset}")
        records = await self.store.read(after=0, limit=1000, subjects=(subject,))
        return [type(record.event).__name__.removeprefix("Download") for record in records]

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110  # the worker makes it so
                await asyncio.sleep(0.005)

    async def _publish(self, reading: DownloadProgress) -> None:
        self.readings.append(reading)


@asynccontextmanager
async def deck(limits: pools.PoolLimits | None = None) -> AsyncIterator[Deck]:
    made = Deck(limits or pools.PoolLimits())
    tasks = [asyncio.create_task(made.projector.run()), asyncio.create_task(made.worker.run())]
    await made.projector.caught_up.wait()
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await made.worker.stop(0.2)
        await asyncio.gather(*tasks, return_exceptions=True)
