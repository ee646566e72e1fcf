"""The commands that the downloader answers. Each ends with the outcome and the sequence of what it appended.

An answer is ok only when something was done or is as asked already (an install of what is queued or installed); a
command that finds nothing to act on is refused (R-063 to R-065).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.message import Command, Reply
from modeldeck_events.pools import ConfigurePool
from modeldeck_events.store import Meta

from downloader import ranking
from downloader.asking import Asked
from downloader.domain import OPEN, WAITING, Accept, Download, DownloadDecision, Place, PublicCommand
from downloader.outbox import SOURCE
from downloader.planning import Planner, check_space
from downloader.pool_log import PoolLog
from downloader.queue import QueueFold
from downloader.sources import check_public
from downloader.transfer import TransferError

MAX_FILES = 1000
MAX_FILES_BYTES = 800_000
"""A fact has to fit into one message of the log, which is at most 1 MiB."""
MAX_PRIORITY = 1_000_000
_SHA256 = re.compile("[0-9a-fA-F]{64}")
_STATUS = {
    d.PauseDownload: "paused",
    d.ResumeDownload: "resumed",
    d.CancelDownload: "cancelled",
    d.RetryDownload: "retrying",
}
"""What R-063 to R-066 answer; the state itself is in the read models."""


class Handlers:
    """`check_path` and `check_source` raise TransferError for a path that could never be written, a URL never asked."""

    def __init__(  # noqa: PLR0913  (keywords: what it decides with)
        self,
        *,
        queue: QueueFold,
        log: PoolLog,
        planner: Planner,
        asked: Asked,
        check_path: Callable[[str], None],
        check_source: Callable[[str], object],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._queue = queue
        self._log = log
        self._planner = planner
        self._asked = asked
        self._check_path = check_path
        self._check_source = check_source
        self._clock = clock

    async def queue_download(self, command: d.QueueDownload) -> Reply:
        """Queue a target, or say what it is already: its state, or `installed`."""
        self._check_pool(command.pool)
        command = msgspec.structs.replace(command, files=_distinct(command.files))
        self._check_request(command)
        state, seq = await self._present(command)
        if seq is not None or state.phase in OPEN:
            return _reply(seq or 0, state.phase, state.download_id)
        anew = command.force or command.again
        if not anew and await asyncio.to_thread(self._planner.installed, command.files):
            return Reply(ok=True, data={"status": "installed"})
        check_space(await asyncio.to_thread(self._planner.plan, command.files, besides=command.target_id))
        seq, _ = await self._log.execute(command.target_id, Accept(command, self._clock()), _meta(command))
        state = self._queue.get(command.target_id)
        return _reply(seq, "queued" if seq else state.phase, state.download_id)

    async def act(self, command: PublicCommand) -> Reply:
        """Pause, resume, cancel or retry."""
        return await self._decide(command, command, _STATUS[type(command)])

    async def move(self, command: d.MoveDownload) -> Reply:
        """Put a waiting download at a position of the waiting list."""
        if command.position < 1:
            raise CommandNotAllowedError("The position must be 1 (the top) or more.", code="bad_position", status=422)
        self._check_pool(command.pool)
        state, seq = await self._present(command)
        if seq is None:
            seq, _ = await self._log.execute(command.target_id, self._place(command, state), _meta(command))
        state = self._queue.get(command.target_id)
        reply = _reply(seq, state.phase, state.download_id)
        waiting = [each.download_id for each in self._queue.in_phase(*WAITING)]
        if state.download_id in waiting:
            reply.data["position"] = waiting.index(state.download_id) + 1
        return reply

    async def configure(self, command: ConfigurePool) -> Reply:
        """Change the pool's settings; what runs goes on, more or fewer start from now on."""
        self._check_pool(command.pool)
        seq = await self._log.configure(command, _meta(command))
        settings = self._queue.settings
        data: dict[str, object] = {
            "max_concurrent": settings.max_concurrent,
            "bandwidth_limit_bps": settings.bandwidth_limit_bps,
            "paused": settings.paused,
        }
        return Reply(ok=True, seq=seq, data=data)

    async def plan(self, command: d.PlanFiles) -> Reply:
        """Tell what queueing these files would need; sources are asked for sizes that nobody stated."""
        self._check_pool(command.pool)
        self._check_files(command.files)
        plan = await asyncio.to_thread(self._planner.plan, await self._asked.fill(command.files))
        return Reply(ok=True, data=plan.as_data())

    async def _decide(self, command: PublicCommand, decision: DownloadDecision, status: str) -> Reply:
        self._check_pool(command.pool)
        state, seq = await self._present(command)
        if seq is None:
            seq, _ = await self._log.execute(command.target_id, decision, _meta(command))
        return _reply(seq, status, state.download_id)

    async def _present(self, command: d.DownloadCommand) -> tuple[Download, int | None]:
        """Return the state, and the sequence that this very command led to if it was answered before."""
        try:
            subject = d.subject(self._queue.pool, command.target_id)
        except ValueError as error:
            raise CommandNotAllowedError(
                f"The target's id cannot be used: {error}.", code="bad_target", status=422
            ) from error
        state = await self._log.state(command.target_id)
        return state, self._queue.answered(subject, command.command_id)

    def _place(self, command: d.MoveDownload, state: Download) -> Place:
        others = [each for each in self._queue.in_phase(*WAITING) if each.download_id != state.download_id]
        place = ranking.Place(state.priority, state.rank)
        if others and state.phase in WAITING and not self._stands_there(command.position, state, others):
            place = ranking.place_at(command.position, others, self._queue.ranks())
        return Place(command.download_id, place.priority, place.rank)

    @staticmethod
    def _stands_there(position: int, state: Download, others: list[Download]) -> bool:
        ahead = sum(1 for each in others if each.order < state.order)
        return ahead == min(position, len(others) + 1) - 1

    def _check_pool(self, pool: str) -> None:
        if pool != self._queue.pool:
            raise CommandNotAllowedError(
                f"There is no pool {pool!r} here; this downloader serves {self._queue.pool!r}.",
                code="unknown_pool",
                status=404,
            )

    def _check_request(self, command: d.QueueDownload) -> None:
        if command.target.id != command.target_id:
            raise CommandNotAllowedError("The target's id is not the command's.", code="bad_target", status=422)
        if abs(command.priority) > MAX_PRIORITY:
            raise CommandNotAllowedError(
                f"The priority must be within {MAX_PRIORITY} of 0.", code="bad_priority", status=422
            )
        self._check_files(command.files)
        if len(msgspec.json.encode(command.files)) > MAX_FILES_BYTES:
            raise CommandNotAllowedError(
                f"The list of files is longer than {MAX_FILES_BYTES} bytes; install it in parts.",
                code="too_many_files",
                status=422,
            )
        paths = [spec.path for spec in command.files]
        twice = next((path for path in paths if paths.count(path) > 1), None)
        if twice is not None:
            raise CommandNotAllowedError(
                f"{twice} shall come from two different URLs; only one file can have the path.", code="path_conflict"
            )
        for spec in command.files:
            if not spec.optional:
                _checked(self._check_source, spec.url)

    def _check_files(self, files: tuple[d.FileSpec, ...]) -> None:
        if not 1 <= len(files) <= MAX_FILES:
            raise CommandNotAllowedError(
                f"There must be 1 to {MAX_FILES} files, not {len(files)}.", code="file_count", status=422
            )
        for spec in files:
            _checked(self._check_path, spec.path)
            _checked(check_public, spec.url)
            if spec.sha256 and not _SHA256.fullmatch(spec.sha256):
                raise CommandNotAllowedError(
                    f"{spec.path}: a SHA-256 has 64 hexadecimal digits.", code="bad_hash", status=422
                )


def _checked(check: Callable[[str], object], value: str) -> None:
    try:
        check(value)
    except TransferError as error:
        raise CommandNotAllowedError(error.message, code=error.code, status=422) from error


def _distinct(files: tuple[d.FileSpec, ...]) -> tuple[d.FileSpec, ...]:
    """Leave out what has no URL (R-042), and what is listed twice; a hash is written in one way."""
    kept = {(spec.path, spec.url): spec for spec in files if spec.url}
    return tuple(
        msgspec.structs.replace(spec, sha256=spec.sha256.lower()) if spec.sha256 else spec for spec in kept.values()
    )


def _reply(seq: int, status: str, download_id: str) -> Reply:
    return Reply(ok=True, seq=seq, data={"status": status, "download_id": download_id})


def _meta(command: Command) -> Meta:
    return Meta(source=SOURCE, actor=command.actor, command_id=command.command_id)
