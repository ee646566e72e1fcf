"""The download of one target into a pool: which facts follow from a command, and what the facts amount to.

Pure: `decide` asks nobody, `evolve` refuses nothing. Every command leads to at most one fact, so every prefix of what
is appended is a legal history. What a worker learns is reported by the commands declared here; they never travel on the
bus, and each carries the attempt of its claim: a report from an attempt that is no longer the present one is refused
with the code `claim_lost`, which is how a worker that lost its claim learns it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias, TypeVar

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events import subjects
from modeldeck_events.errors import CommandNotAllowedError
from msgspec.structs import replace

_V = TypeVar("_V")

RUNNING: tuple[d.Phase, ...] = ("downloading", "retrying")
WAITING: tuple[d.Phase, ...] = ("queued", "paused")
"""What has a position in the queue object."""
OPEN: tuple[d.Phase, ...] = (*WAITING, *RUNNING)
ENDED: tuple[d.Phase, ...] = ("completed", "failed", "cancelled")


class Download(msgspec.Struct, frozen=True):
    """What is known about a target; `completed` and `failed` are by path and belong to the present download id.

    A struct for its quick `replace`: the fold makes a new one for every fact of the log.
    """

    phase: d.Phase = "available"
    download_id: str = ""
    target: d.Target | None = None
    files: tuple[d.FileSpec, ...] = ()
    force: bool = False
    queued_seq: int = 0
    priority: int = 0
    rank: Decimal = Decimal(0)
    attempt: int = 0
    worker: str = ""
    permit_seq: int = 0
    completed: Mapping[str, d.DownloadFileCompleted] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    failed: Mapping[str, d.DownloadFileFailed] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    retry: d.DownloadRetryScheduled | None = None
    pause_reason: d.PauseReason | None = None
    needed_bytes: int = 0
    keep_partial: bool = True

    @property
    def order(self) -> tuple[int, Decimal, int]:
        """Sorts the queue: who stands first is smallest."""
        return (-self.priority, self.rank, self.queued_seq)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.target.name if self.target else "this download"


@dataclass(frozen=True, slots=True)
class Accept:
    """Queue the target of `request`; the handler has looked at the disk and found that something is missing."""

    request: d.QueueDownload
    now: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Put a waiting download at this place of the order; the handler computed it from the whole queue."""

    download_id: str | None
    priority: int
    rank: Decimal


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker with a permit starts the download; `take_over` also one that another worker left running."""

    download_id: str
    worker: str
    permit_seq: int
    take_over: bool = False


WorkerFact: TypeAlias = (
    d.DownloadFileCompleted
    | d.DownloadFileFailed
    | d.DownloadRetryScheduled
    | d.DownloadRetryBegan
    | d.DownloadInterrupted
)


@dataclass(frozen=True, slots=True)
class Report:
    """What happened to the worker's claim; the fact names the download and the attempt."""

    fact: WorkerFact


@dataclass(frozen=True, slots=True)
class ReportNoSpace:
    """The volume is full: wait for room."""

    download_id: str
    attempt: int
    message: str
    needed_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ReportFinished:
    """Every file was completed or given up: the state says how the download ended."""

    download_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class ContinueWithSpace:
    """There is room again for a download that was paused for want of it."""

    download_id: str


PublicCommand: TypeAlias = d.PauseDownload | d.ResumeDownload | d.CancelDownload | d.RetryDownload
WorkerCommand: TypeAlias = Claim | Report | ReportNoSpace | ReportFinished | ContinueWithSpace
DownloadDecision: TypeAlias = PublicCommand | WorkerCommand | Accept | Place


def decide(command: DownloadDecision, state: Download) -> tuple[d.DownloadEvent, ...]:
    """Return the fact that follows; an empty tuple means "already so". Raises CommandNotAllowedError."""
    match command:
        case Accept():
            return _accept(command, state)
        case Claim() | Report() | ReportNoSpace() | ReportFinished() | ContinueWithSpace():
            return _decide_worker(command, state)
        case _:
            return _decide_public(command, state)


def _accept(command: Accept, state: Download) -> tuple[d.DownloadEvent, ...]:
    request = command.request
    if state.phase in OPEN:
        return ()
    return (
        d.DownloadQueued(
            download_id=next_download_id(request.target, command.now, previous=state.download_id),
            pool=request.pool,
            target=request.target,
            files=request.files,
            priority=request.priority,
            force=request.force,
        ),
    )


def _decide_public(command: PublicCommand | Place, state: Download) -> tuple[d.DownloadEvent, ...]:
    if state.phase == "available" or command.download_id not in (None, state.download_id):
        raise CommandNotAllowedError("There is no such download.", code="unknown_download", status=404)
    download_id = state.download_id
    match command, state.phase:
        case d.PauseDownload(), "queued" | "downloading" | "retrying":
            return (d.DownloadPaused(download_id=download_id),)
        case d.ResumeDownload(), "paused":
            return (d.DownloadResumed(download_id=download_id),)
        case d.CancelDownload(keep_partial=keep), "queued" | "downloading" | "retrying" | "paused" | "failed":
            return (d.DownloadCancelled(download_id=download_id, keep_partial=keep),)
        case d.RetryDownload(force=force), "failed" | "cancelled":
            return (d.DownloadRetried(download_id=download_id, force=force),)
        case Place(priority=priority, rank=rank), "queued" | "paused":
            unchanged = (priority, rank) == (state.priority, state.rank)
            return () if unchanged else (d.DownloadMoved(download_id=download_id, priority=priority, rank=rank),)
        case _:
            raise _refusal(command, state)


def _refusal(command: PublicCommand | Place, state: Download) -> CommandNotAllowedError:
    """Say why not: asked about a preset, there is nothing to act on (404, R-063 to R-065); asked about this very
    download, its state forbids it (409).
    """
    code, status, what = {
        d.PauseDownload: ("nothing_to_pause", 404, "Nothing to pause"),
        d.ResumeDownload: ("nothing_to_resume", 404, "Nothing to resume"),
        d.CancelDownload: ("nothing_to_cancel", 404, "Nothing to cancel"),
        d.RetryDownload: ("not_retryable", 409, "Only a failed or cancelled download can be retried"),
        Place: ("not_waiting", 409, "Only a waiting download can be moved"),
    }[type(command)]
    status = 409 if command.download_id is not None else status
    return CommandNotAllowedError(f"{what}: {state.name} is {state.phase}.", code=code, status=status)


def _decide_worker(command: WorkerCommand, state: Download) -> tuple[d.DownloadEvent, ...]:
    match command:
        case Claim():
            return _claim(command, state)
        case ContinueWithSpace(download_id=download_id):
            if (state.phase, state.pause_reason, state.download_id) != ("paused", "no_space", download_id):
                return ()  # a person was faster
            return (d.DownloadResumed(download_id=download_id, reason="space_available"),)
        case Report(fact=fact):
            _check_claim(fact.download_id, fact.attempt, state)
            return _report(fact, state)
        case ReportNoSpace(download_id=download_id, attempt=attempt, message=message, needed_bytes=needed):
            _check_claim(download_id, attempt, state)
            paused = d.DownloadPaused(download_id=download_id, reason="no_space", message=message, needed_bytes=needed)
            return (paused,)
        case ReportFinished(download_id=download_id, attempt=attempt):
            if state.phase in ("completed", "failed") and (download_id, attempt) == (state.download_id, state.attempt):
                return ()  # reported before, and the answer was lost
            _check_claim(download_id, attempt, state)
            return _finish(state)


def _claim(command: Claim, state: Download) -> tuple[d.DownloadEvent, ...]:
    mine = (command.worker, command.permit_seq) == (state.worker, state.permit_seq)
    if state.download_id == command.download_id and state.phase in RUNNING and mine:
        return ()
    startable = state.phase == "queued" or (state.phase in RUNNING and command.take_over)
    if state.download_id != command.download_id or not startable:
        raise CommandNotAllowedError(f"{state.name} is {state.phase}.", code="not_runnable")
    return (
        d.DownloadStarted(
            download_id=state.download_id,
            attempt=state.attempt + 1,
            worker=command.worker,
            permit_seq=command.permit_seq,
        ),
    )


def _check_claim(download_id: str, attempt: int, state: Download) -> None:
    if (download_id, attempt) != (state.download_id, state.attempt) or state.phase not in RUNNING:
        raise CommandNotAllowedError(
            f"Attempt {attempt} of {download_id} is over: the log says {state.phase}, attempt {state.attempt}.",
            code="claim_lost",
        )


def _report(fact: WorkerFact, state: Download) -> tuple[d.DownloadEvent, ...]:
    match fact:
        case d.DownloadFileCompleted(path=path, action=action):
            known = state.completed.get(path)
            again = known is not None and (action == "present" or known == fact)
            return () if again else (fact,)
        case d.DownloadFileFailed(path=path, attempt=attempt):
            had = path in state.completed and state.completed[path].attempt == attempt
            return () if had or path in state.failed else (fact,)
        case d.DownloadRetryScheduled(tries=tries, max_tries=max_tries):
            if tries >= max_tries:
                raise CommandNotAllowedError(f"try {tries} of {max_tries} was the last", code="retries_exhausted")
            return () if state.retry == fact else (fact,)
        case d.DownloadRetryBegan():
            return (fact,) if state.phase == "retrying" else ()
        case d.DownloadInterrupted():
            return (fact,)


def _finish(state: Download) -> tuple[d.DownloadEvent, ...]:
    required = [spec.path for spec in state.files if not spec.optional]
    missing = [path for path in required if path not in state.completed]
    if not missing:
        total = sum(fact.size_bytes for fact in state.completed.values())
        return (d.DownloadCompleted(download_id=state.download_id, attempt=state.attempt, total_bytes=total),)
    failures = [state.failed[path].failure for path in missing if path in state.failed]
    if len(failures) < len(missing):
        raise CommandNotAllowedError(f"{state.name} has files that were neither had nor given up", code="files_open")
    return (
        d.DownloadFailed(
            download_id=state.download_id, attempt=state.attempt, failure=failures[0], failed_paths=tuple(missing)
        ),
    )


def evolve(state: Download, event: d.DownloadEvent, seq: int = 0) -> Download:
    """Return the state after a fact; `seq` is its place in the log. Facts of another download id change nothing."""
    if isinstance(event, d.DownloadQueued):
        return Download(
            phase="queued",
            download_id=event.download_id,
            target=event.target,
            files=event.files,
            force=event.force,
            queued_seq=seq,
            priority=event.priority,
            rank=Decimal(seq),
        )
    if event.download_id != state.download_id:
        return state
    if isinstance(event, d.DownloadFileCompleted | d.DownloadFileFailed | d.DownloadRetryScheduled):
        return _evolve_file(state, event)
    match event:
        case d.DownloadStarted(attempt=attempt, worker=worker, permit_seq=permit_seq):
            claimed = _calm(state, "downloading")
            return replace(claimed, attempt=attempt, worker=worker, permit_seq=permit_seq, failed=_mapping({}))
        case d.DownloadMoved(priority=priority, rank=rank):
            return replace(state, priority=priority, rank=rank)
        case d.DownloadPaused(reason=reason, needed_bytes=needed):
            return replace(_calm(state, "paused"), pause_reason=reason, needed_bytes=needed)
        case d.DownloadRetried(force=force):
            kept = _mapping({}) if force else state.completed
            again = _calm(state, "queued")
            return replace(again, force=state.force or force, completed=kept, failed=_mapping({}), keep_partial=True)
        case d.DownloadCancelled(keep_partial=keep):
            return replace(_calm(state, "cancelled"), keep_partial=keep)
        case _:
            return _calm(state, _PHASE_AFTER.get(type(event), state.phase))


def _evolve_file(
    state: Download, event: d.DownloadFileCompleted | d.DownloadFileFailed | d.DownloadRetryScheduled
) -> Download:
    match event:
        case d.DownloadFileCompleted(path=path):
            failed = state.failed
            if path in failed:
                failed = _mapping({key: fact for key, fact in failed.items() if key != path})
            return replace(state, completed=_mapping({**state.completed, path: event}), failed=failed)
        case d.DownloadFileFailed(path=path):
            after = _calm(state, "downloading" if state.phase == "retrying" else state.phase)
            # Had in an earlier attempt, vanished from the disk since, and not to be had again.
            completed = {key: fact for key, fact in state.completed.items() if key != path}
            failed = _mapping({**state.failed, path: event})
            return replace(after, completed=_mapping(completed), failed=failed)
        case d.DownloadRetryScheduled():
            return replace(state, phase="retrying", retry=event)


_PHASE_AFTER: dict[type[d.DownloadEvent], d.Phase] = {
    d.DownloadRetryBegan: "downloading",
    d.DownloadInterrupted: "queued",
    d.DownloadResumed: "queued",
    d.DownloadCompleted: "completed",
    d.DownloadFailed: "failed",
}


def _calm(state: Download, phase: d.Phase) -> Download:
    """Enter a phase in which nothing is waited for: no retry is scheduled and no pause has a reason."""
    return replace(state, phase=phase, retry=None, pause_reason=None, needed_bytes=0)


def _mapping(values: dict[str, _V]) -> Mapping[str, _V]:
    return MappingProxyType(values)


def stated_size(spec: d.FileSpec) -> int | None:
    """Return the exact size of a file, else what the catalog claims in words, else None."""
    return spec.approx_size_bytes if spec.size_bytes is None else spec.size_bytes


def next_download_id(target: d.Target, now: datetime, *, previous: str) -> str:
    """Return `<preset id or file token>-<epoch seconds>` (R-044), with a counter when `previous` has it already."""
    base = f"{target.preset_id or subjects.token(target.id)}-{int(now.timestamp())}"
    if previous == base:
        return f"{base}-2"
    counter = previous.removeprefix(f"{base}-")
    return f"{base}-{int(counter) + 1}" if counter != previous and counter.isdigit() else base
