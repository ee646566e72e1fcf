"""The other services, as small as the gateway's contract with them: real messages over a real bus."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events import modelfiles, repositories, templates
from modeldeck_events.bus import Bus, connect
from modeldeck_events.message import Command, Event, Reply
from modeldeck_events.pools import ConfigurePool, PoolConfigured
from modeldeck_events.pools import subject as pool_subject
from modeldeck_events.presets import COMMANDS as PRESET_COMMANDS
from modeldeck_events.store import Meta

TYPES: tuple[type[Command], ...] = (
    *d.COMMANDS,
    *modelfiles.COMMANDS,
    *templates.COMMANDS,
    *repositories.COMMANDS,
    *PRESET_COMMANDS,
    ConfigurePool,
)
COMMANDS = {(command.SERVICE, command.VERB): command for command in TYPES}
META = Meta(source="fake", actor="local")
ANSWERS: dict[type, tuple[str, type[d.DownloadEvent], set[str]]] = {
    d.PauseDownload: ("paused", d.DownloadPaused, {"queued", "downloading"}),
    d.ResumeDownload: ("queued", d.DownloadResumed, {"paused"}),
    d.CancelDownload: ("cancelled", d.DownloadCancelled, {"queued", "downloading", "paused"}),
    d.RetryDownload: ("queued", d.DownloadRetried, {"failed", "cancelled"}),
}


class FakeServices:
    """Answers commands as downloader, catalog and telemetry do, and appends their facts."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.phases: dict[str, tuple[str, str]] = {}
        self.received: list[object] = []
        self.healthy = True
        self.last_seqs: dict[str, int] = {}
        self.answers: dict[type, Callable[[Any], Awaitable[Reply]]] = {}
        """What a test answers to a type of command, before anything else does."""

    async def start(self) -> None:
        for service in ("downloader", "catalog", "telemetry"):
            await self.bus.nc.subscribe(f"cmd.{service}.>", cb=self._answer)
        await self.bus.nc.flush()

    async def append(self, subject: str, *events: Event) -> int:
        """Append facts, with the right guard."""
        seq = await self.bus.store.append(subject, events, expected_seq=self.last_seqs.get(subject, 0), meta=META)
        self.last_seqs[subject] = seq
        return seq

    async def append_download(self, preset_id: str, *events: d.DownloadEvent) -> int:
        return await self.append(d.subject("default", f"preset:{preset_id}"), *events)

    async def _answer(self, message: object) -> None:
        subject: str = message.subject  # type: ignore[attr-defined]
        data: bytes = message.data  # type: ignore[attr-defined]
        _, service, verb, *_key = subject.split(".")
        if verb == "health":
            reply = Reply(ok=self.healthy, code="" if self.healthy else "not_ready", data={"service": service})
        else:
            command = msgspec.json.decode(data, type=COMMANDS[service, verb])
            self.received.append(command)
            reply = await self._decide(command)
        await message.respond(msgspec.json.encode(reply))  # type: ignore[attr-defined]

    async def _decide(self, command: object) -> Reply:
        if type(command) in self.answers:
            return await self.answers[type(command)](command)
        match command:
            case d.QueueDownload():
                return await self._queue(command)
            case d.DownloadCommand() if type(command) in ANSWERS:
                return await self._change(command)
            case d.MoveDownload():
                return Reply(ok=True, data={"position": command.position})
            case d.PlanFiles():
                files = [{"path": f.path, "url": f.url, "action": "download"} for f in command.files]
                return Reply(
                    ok=True, data={"volumes": [{"path": "/", "needed_bytes": 1, "fits": True}], "files": files}
                )
            case ConfigurePool():
                fact = PoolConfigured(
                    pool=command.pool,
                    max_concurrent=command.max_concurrent or 1,
                    bandwidth_limit_bps=command.bandwidth_limit_bps or None,
                    paused=bool(command.paused),
                )
                return Reply(ok=True, seq=await self.append(pool_subject(command.pool), fact))
            case _:
                return Reply(ok=True, data={"message": "read", "total_presets": 2, "version": "7"})

    async def _queue(self, command: d.QueueDownload) -> Reply:
        phase, download_id = self.phases.get(command.target_id, ("", ""))
        if phase in {"installed", "queued", "downloading", "paused"}:
            data: dict[str, object] = {"status": phase}
            return Reply(ok=True, data=data | ({"download_id": download_id} if download_id else {}))
        download_id = f"{command.target.preset_id or 'file'}-{len(self.received)}"
        self.phases[command.target_id] = ("queued", download_id)
        event = d.DownloadQueued(download_id=download_id, pool=command.pool, target=command.target, files=command.files)
        seq = await self.append(d.subject(command.pool, command.target_id), event)
        return Reply(ok=True, seq=seq, data={"status": "queued", "download_id": download_id})

    async def _change(self, command: d.DownloadCommand) -> Reply:
        phase, download_id = self.phases.get(command.target_id, ("", ""))
        new, event, allowed = ANSWERS[type(command)]
        if phase not in allowed:
            status = 404 if type(command) is not d.RetryDownload else 409
            return Reply(ok=False, code=f"nothing_to_{command.VERB}", message=f"It is {phase}.", status=status)
        self.phases[command.target_id] = (new, download_id)
        seq = await self.append(d.subject(command.pool, command.target_id), event(download_id=download_id))
        return Reply(ok=True, seq=seq, data={"status": new, "download_id": download_id})


async def fake_services(url: str) -> FakeServices:
    fakes = FakeServices(await connect(url, "fakes"))
    await fakes.start()
    return fakes


async def eventually(condition: Callable[[], Awaitable[bool]], timeout_s: float = 10.0) -> None:
    """Wait until an async condition holds."""
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110  # what is waited for is in another process or board
            await asyncio.sleep(0.01)
