"""Watches a running ComfyUI: what it starts and how that ends become facts, how far it is a reading.

ComfyUI tells the events of a job only to the client that submitted it, and the state of its queue to everybody. So a
message is taken as a reason to look, and the queue and the history are what is believed:

1. the jobs that the log holds as open are remembered;
2. what runs in the queue has started;
3. what stands in the history, from the newest entry back to the first one that the log knows as ended, has ended;
   the entries are in the order in which the jobs ended, and they are appended in that order;
4. what was open (1), is no longer in the queue (2, asked later) and not in the history (3, asked last) is lost:
   ComfyUI keeps both in memory only.

So nothing depends on having heard a message, and an outage of any length of ours, of ComfyUI or of NATS is caught up
with by the same four steps. A job that began and ended between the last look and ComfyUI's own end leaves no trace.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime

import structlog
from modeldeck_events import generations as g
from modeldeck_events.errors import ConflictError, UnavailableError
from modeldeck_events.message import Reading

from telemetry.comfyui_client import ComfyuiClient, ComfyuiError, Message, shown
from telemetry.comfyui_jobs import lost, read_outcome
from telemetry.comfyui_progress import Progress
from telemetry.generation_log import GenerationLog

LOOK_EVERY_S = 30.0
"""Without any message; also how often the status is repeated."""
BETWEEN_LOOKS_S = 0.2
SHARE_OF_TIME = 0.2
"""Looking takes at most this share of the time: a queue of many large workflows is costly to ask for."""
MAX_BETWEEN_LOOKS_S = 5.0
PROGRESS_EVERY_S = 0.25
LOG_RETRY_S = 1.0
BACKOFF_S = (0.5, 30.0)
_REASONS_TO_LOOK = frozenset(
    {"status", "execution_start", "execution_success", "execution_error", "execution_interrupted"}
)
_log = structlog.get_logger(__name__)

Publish = Callable[[str, Reading], Awaitable[None]]


class Watcher:
    """Follows one ComfyUI for ever, through any outage; says once that it is away, and once that it is back."""

    def __init__(self, url: str, log: GenerationLog, publish: Publish) -> None:
        self.source = log.generations.source
        self._url = url
        self._log = log
        self._publish = publish
        self._progress = Progress(self.source)
        self._changed: dict[str, None] = {}
        self._moved = asyncio.Event()
        self._look = asyncio.Event()
        self._said: str | None = None
        self._log_away = False
        self._version = ""
        self._counts: tuple[int | None, int | None] = (None, None)
        self._failures = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        telling = asyncio.create_task(self._tell_progress())
        try:
            async with ComfyuiClient(self._url) as client:
                while True:
                    try:
                        await self._watch(client)
                    except ComfyuiError as error:
                        await self._away(str(error))
                        await asyncio.sleep(backoff_s(self._failures, random.random()))  # noqa: S311 - jitter
                        self._failures += 1
        finally:
            telling.cancel()

    async def _watch(self, client: ComfyuiClient) -> None:
        """Look once, then listen and look whenever something happens; raises ComfyuiError when that ends."""
        await self._look_safely(client)
        self._version = await client.version()
        self._look.set()
        async with client.listen() as messages:
            tasks = (asyncio.create_task(self._keep_looking(client)), asyncio.create_task(self._hear(messages)))
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, messages: AsyncIterator[Message]) -> None:
        async for kind, data in messages:
            if kind in _REASONS_TO_LOOK:
                self._look.set()
            changed = self._progress.update(kind, data)
            if changed is not None:
                self._changed[changed] = None
                self._moved.set()

    async def _keep_looking(self, client: ComfyuiClient) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            before_s = client.asked_s
            await self._look_safely(client)
            self._failures = 0
            await self._back()
            asked_s = client.asked_s - before_s
            await asyncio.sleep(min(max(BETWEEN_LOOKS_S, asked_s * (1 / SHARE_OF_TIME - 1)), MAX_BETWEEN_LOOKS_S))

    async def _look_safely(self, client: ComfyuiClient) -> None:
        """Look, again and again while the log is away: what is seen is still there when it is back."""
        while True:
            try:
                await self.look(client)
            except (UnavailableError, ConflictError) as error:
                if not self._log_away:
                    _log.warning("generations cannot be written; trying again", reason=str(error))
                self._log_away = True
                await asyncio.sleep(LOG_RETRY_S)
            else:
                if self._log_away:
                    _log.info("generations are written again")
                self._log_away = False
                return

    async def look(self, client: ComfyuiClient) -> None:
        """Bring the log up to what ComfyUI holds, by the four steps above.

        Raises ComfyuiError, UnavailableError or ConflictError; whatever was appended by then stays, and counts.
        """
        opened = self._log.generations.open
        queue = await client.queue()
        for job in queue.running if queue else ():
            await self._log.add(job.started(self.source))
        if queue:
            for job_id in self._progress.follow(queue.running):
                self._changed[job_id] = None
                self._moved.set()
        for ended in await self._news(client):
            await self._log.add(ended)
        if queue:
            await self._end_the_lost(client, {key: opened[key] for key in opened.keys() - queue.ids})
        await self._log.settle()
        self._counts = (len(queue.running), queue.pending) if queue else (None, await client.pending())

    async def _news(self, client: ComfyuiClient) -> list[g.GenerationEnded]:
        """Return what ended since the newest entry that the log knows, oldest first."""
        found: dict[str, g.GenerationEnded] = {}
        async with aclosing(client.history()) as pages:
            async for page in pages:
                for job_id, entry in page:
                    if self._log.generations.phase(job_id) == "ended":
                        return list(reversed(found.values()))
                    ended = read_outcome(self.source, job_id, entry)
                    if ended is not None:
                        found.setdefault(job_id, ended)
        return list(reversed(found.values()))

    async def _end_the_lost(self, client: ComfyuiClient, opened: Mapping[str, g.GenerationStarted]) -> None:
        for job_id, started in opened.items():
            if self._log.generations.phase(job_id) != "open":
                continue
            entry = await client.entry(job_id)
            ended = read_outcome(self.source, job_id, entry)
            if ended is None:
                _log.warning("a generation was lost", generation=job_id, comfyui=self.source)
            await self._log.add(ended or lost(self.source, job_id, started))

    async def _tell_progress(self) -> None:
        """Publish where the running jobs stand, each at most four times a second, the last state always."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            changed, self._changed = self._changed, {}
            for job_id in changed:
                reading = self._progress.reading(job_id, datetime.now(UTC))
                if reading is not None:
                    await self._publish(g.progress_subject(self.source, job_id), reading)
            await asyncio.sleep(PROGRESS_EVERY_S)

    async def _away(self, error: str) -> None:
        if self._said != "away":
            _log.warning("ComfyUI cannot be watched", comfyui=shown(self._url), reason=error)
        self._said = "away"
        self._progress.forget()
        status = g.ComfyuiStatus(source=self.source, status="away", error=error, at=datetime.now(UTC))
        await self._publish(g.status_subject(self.source), status)

    async def _back(self) -> None:
        if self._said != "ok":
            _log.info("ComfyUI is watched" if self._said is None else "ComfyUI is back", comfyui=shown(self._url))
        self._said = "ok"
        running, pending = self._counts
        status = g.ComfyuiStatus(
            source=self.source,
            status="ok",
            running=running,
            pending=pending,
            version=self._version,
            at=datetime.now(UTC),
        )
        await self._publish(g.status_subject(self.source), status)


def backoff_s(failures: int, chance: float) -> float:
    """Return how long to wait after so many failures in a row: doubling from 0.5 to 30 s, half of it by `chance`."""
    least_s, most_s = BACKOFF_S
    whole_s = min(least_s * 2.0 ** min(failures, 10), most_s)
    return float(max(least_s, whole_s * (0.5 + chance / 2)))
