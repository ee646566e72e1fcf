"""A studio for fault tests: a real nats-server, real downloader processes, a real origin, and an eye on the log.

async with studio(tmp_path) as s:
    spec = s.file("vae/a.bin", size=5_000_000, rate=1_000_000)
    s.downloader()
    reply = await s.install("wan", [spec])
    s.processes[0].kill()
    await s.until(lambda seen: seen.phase("wan") == "completed")
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from modeldeck_events import downloads as d
from modeldeck_events import pools, subjects, topology
from modeldeck_events.bus import Bus, connect
from modeldeck_events.errors import UnavailableError
from modeldeck_events.message import Command, Reply
from modeldeck_events.projector import Projector
from modeldeck_events.readings import DownloadProgress
from modeldeck_events.store import Record
from modeldeck_events.system import Health

from tests.support.nats import LocalServer
from tests.support.origin import File, Origin

POOL = "default"
PHASES: dict[type[d.DownloadEvent], str] = {
    d.DownloadQueued: "queued",
    d.DownloadStarted: "downloading",
    d.DownloadInterrupted: "queued",
    d.DownloadRetryScheduled: "retrying",
    d.DownloadRetryBegan: "downloading",
    d.DownloadPaused: "paused",
    d.DownloadResumed: "queued",
    d.DownloadRetried: "queued",
    d.DownloadCompleted: "completed",
    d.DownloadFailed: "failed",
    d.DownloadCancelled: "cancelled",
}


class Seen:
    """What the log and the readings told so far; says it in its own words, not with the product's folds."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.readings: list[DownloadProgress] = []
        self.changed = asyncio.Event()

    def apply(self, record: Record) -> None:
        self.records.append(record)
        self.changed.set()

    def reset(self) -> None:
        self.records.clear()

    def facts(self, preset: str) -> list[d.DownloadEvent]:
        """Return a preset's facts, in order."""
        subject = d.subject(POOL, f"preset:{preset}")
        return [r.event for r in self.records if r.subject == subject and isinstance(r.event, d.DownloadEvent)]

    def names(self, preset: str) -> list[str]:
        """Return the types of a preset's facts without the prefix Download."""
        return [type(fact).__name__.removeprefix("Download") for fact in self.facts(preset)]

    def phase(self, preset: str) -> str:
        """Return the phase that the last telling fact left."""
        phases = [PHASES[type(fact)] for fact in self.facts(preset) if type(fact) in PHASES]
        return phases[-1] if phases else "available"

    def started(self, preset: str) -> list[d.DownloadStarted]:
        """Return the claims of a preset."""
        return [fact for fact in self.facts(preset) if isinstance(fact, d.DownloadStarted)]

    def files(self, preset: str) -> list[d.DownloadFileCompleted]:
        """Return the completed files of a preset."""
        return [fact for fact in self.facts(preset) if isinstance(fact, d.DownloadFileCompleted)]

    def running(self) -> int:
        """Return how many presets are downloading or retrying."""
        presets = {r.event.target.preset_id for r in self.records if isinstance(r.event, d.DownloadQueued)}
        return sum(self.phase(preset or "") in ("downloading", "retrying") for preset in presets)

    def downloaded(self, preset: str) -> int:
        """Return the newest progress of a preset in bytes."""
        own = [r for r in self.readings if r.target_id == f"preset:{preset}"]
        return own[-1].downloaded_bytes if own else 0


class Process:
    """One `python -m downloader`."""

    def __init__(self, name: str, environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen([sys.executable, "-m", name], env=environment, stdout=out, stderr=out)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def terminate(self, within_s: float = 10.0) -> int:
        """SIGTERM; return the exit status."""
        self._process.terminate()
        return await asyncio.wait_for(asyncio.to_thread(self._process.wait), within_s)


class Studio:
    """Everything of one test; paths of files are those of the models folder."""

    def __init__(self, folder: Path, nats: LocalServer, origin: Origin, bus: Bus) -> None:
        self.folder = folder
        self.models = folder / "data" / "models"
        self.nats = nats
        self.origin = origin
        self.bus = bus
        self.seen = Seen()
        self.processes: list[Process] = []
        self._served: dict[str, File] = {}
        self._projector = Projector(bus.store, [self.seen])

    def file(self, path: str, *, exact: bool = True, **manners: Any) -> d.FileSpec:
        """Serve a file and return how a catalog would name it; `exact` states its size."""
        served = self.origin.add(f"/{path}", **manners)
        self._served[path] = served
        return d.FileSpec(path=path, url=f"{self.origin.url}/{path}", size_bytes=served.length if exact else None)

    def downloader(self, **settings: object) -> Process:
        """Start a downloader process; settings by their name without MODELDECK_."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MODELDECK_", "HF_"))}
        given = {
            "DATA_DIR": self.folder / "data",
            "NATS_URL": self.nats.url,
            "ALLOWED_HOSTS": self.origin.host,
            "DISK_RESERVE": "1MB",
            "RETRY_BASE_S": "0.2",
            **{key.upper(): value for key, value in settings.items()},
        }
        environment |= {f"MODELDECK_{key}": str(value) for key, value in given.items()}
        process = Process("downloader", environment, self.folder / f"downloader-{len(self.processes)}.log")
        self.processes.append(process)
        return process

    async def ask(self, command: Command, within_s: float = 20.0) -> Reply:
        """Send a command, the same again until it is answered, as a careful client does."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            try:
                reply = await self.bus.request(command, timeout_s=5)
            except UnavailableError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.1)
                continue
            if reply.status == 503 and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.1)
                continue
            return reply

    async def install(self, preset: str, files: Sequence[d.FileSpec], **more: Any) -> Reply:
        target = d.Target(id=f"preset:{preset}", kind="preset", name=preset, preset_id=preset)
        command = d.QueueDownload(
            pool=POOL, target_id=target.id, target=target, files=tuple(files), command_id=str(uuid.uuid4()), **more
        )
        return await self.ask(command)

    async def act(self, kind: type[d.DownloadCommand], preset: str, **more: Any) -> Reply:
        """Pause, resume, cancel, retry or move a preset."""
        return await self.ask(kind(pool=POOL, target_id=f"preset:{preset}", command_id=str(uuid.uuid4()), **more))

    async def configure(self, **settings: Any) -> Reply:
        return await self.ask(pools.ConfigurePool(pool=POOL, command_id=str(uuid.uuid4()), **settings))

    async def ready(self) -> None:
        """Return when a downloader says that it is ready."""
        while not (await self._health()):  # noqa: ASYNC110  # another process makes it so
            await asyncio.sleep(0.05)

    async def until(self, true: Callable[[Seen], object], within_s: float = 20.0) -> None:
        """Wait until the log and the readings say so."""
        try:
            async with asyncio.timeout(within_s):
                while not true(self.seen):
                    self.seen.changed.clear()
                    await self.seen.changed.wait()
        except TimeoutError:
            told = "\n".join(f"{r.seq} {r.event}" for r in self.seen.records[-30:])
            logs = "\n".join(process.log.read_text()[-3000:] for process in self.processes)
            raise AssertionError(f"not within {within_s} s; the log ends with\n{told}\n{logs}") from None

    def is_whole(self, path: str) -> bool:
        """Tell whether the file on the disk is byte for byte the origin's."""
        found = self.models / path
        return found.is_file() and hashlib.sha256(found.read_bytes()).hexdigest() == self._served[path].sha256

    def leftovers(self) -> list[str]:
        """Return the names of staging files that are still there."""
        return sorted(str(path.relative_to(self.models)) for path in self.models.rglob(".modeldeck-*"))

    async def no_permits(self, within_s: float = 5.0) -> None:
        """Return once every permit is used up: a worker does that right after its last fact."""
        async with asyncio.timeout(within_s):
            while await self._permits():  # noqa: ASYNC110  # other processes do it
                await asyncio.sleep(0.05)

    async def _permits(self) -> int:
        info = await self.bus.js.stream_info(topology.JOBS, subjects_filter=subjects.permit(POOL))
        return (info.state.subjects or {}).get(subjects.permit(POOL), 0)

    async def watch(self) -> None:
        """Follow log and readings, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._projector.run())
            group.create_task(self._watch_readings())

    async def _watch_readings(self) -> None:
        async for reading in self.bus.follow_readings(("rdg.progress.>",)):
            if isinstance(reading, DownloadProgress):
                self.seen.readings.append(reading)
                self.seen.changed.set()

    async def _health(self) -> bool:
        try:
            return (await self.bus.request(Health(), timeout_s=2, service="downloader")).ok
        except UnavailableError:
            return False


@contextlib.asynccontextmanager
async def studio(folder: Path) -> AsyncIterator[Studio]:
    """Open a studio; at the end nothing of it runs any more."""
    nats = LocalServer(folder / "nats")
    await nats.start()
    async with Origin() as origin:
        bus = await connect(nats.url, "studio")
        await topology.ensure(bus.js)
        made = Studio(folder, nats, origin, bus)
        watching = asyncio.create_task(made.watch())
        try:
            yield made
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            for process in made.processes:
                process.kill()
            await bus.close()
            with contextlib.suppress(AssertionError):
                await nats.stop()
