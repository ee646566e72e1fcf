"""Jobs: trainings and generations, what of them runs, waits, and ended (R-230, R-023, R-026)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec
from modeldeck_events import generations as g
from modeldeck_events.store import Record
from modeldeck_events.studio import training as t

from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.studio.register import Name, Newest, key_of

Status = Literal["queued", "running", "completed", "failed", "cancelled"]
READINGS_KEPT = 1000
KEPT_ENDED = 1000
"""Ended jobs beyond these are only counted."""
_RUNNING = frozenset({"queued", "running"})


class Job(msgspec.Struct):
    """One job; `kind` is training or generation. What was never said is None or empty."""

    key: str
    kind: str
    job_id: str
    name: Name = msgspec.field(default_factory=Name)
    job_type: Name = msgspec.field(default_factory=Name)
    project_id: Name = msgspec.field(default_factory=Name)
    worker: Name = msgspec.field(default_factory=Name)
    submitted_by: Name = msgspec.field(default_factory=Name)
    status: Newest[Status] = msgspec.field(default_factory=Newest)
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    percent: Newest[float] = msgspec.field(default_factory=Newest)
    message: Name = msgspec.field(default_factory=Name)
    loss: Newest[float] = msgspec.field(default_factory=Newest)

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.status.value in _RUNNING


class _Saved(msgspec.Struct):
    jobs: dict[str, Job] = {}
    forgotten: dict[str, int] = {}
    """Ended jobs that are no longer kept, by kind and status."""


class Jobs:
    """All jobs of all sources."""

    VERSION = 1

    def __init__(self, *, kept: int = KEPT_ENDED) -> None:
        self._kept = kept
        self._saved = _Saved()
        self._ended = 0
        self._readings: dict[str, g.GenerationProgress] = {}

    def apply(self, record: Record) -> bool:
        """Fold one fact."""
        event = record.event
        if isinstance(event, t.TrainingEvent):
            self._training(event, self._job(record, "training", event.job_id), record)
        elif isinstance(event, g.GenerationEvent):
            self._generation(event, self._job(record, "generation", event.generation_id), record)
        else:
            return False
        return True

    def read(self, reading: g.GenerationProgress) -> bool:
        """Take where a running generation stands; return whether that is to be seen.

        It may come before the fact that the run began. Readings are worth nothing after the end, and are not saved.
        """
        key = "generation:" + ".".join(g.subject(reading.source, reading.generation_id).rsplit(".", 2)[-2:])
        job = self._saved.jobs.get(key)
        if job is not None and not job.active:
            return False
        self._readings.pop(key, None)
        self._readings[key] = reading
        if len(self._readings) > READINGS_KEPT:
            del self._readings[next(iter(self._readings))]
        return job is not None

    def progress(self, job: Job) -> g.GenerationProgress | None:
        """Return where a running generation stands by its newest reading, None where a fact knows better."""
        reading = self._readings.get(job.key) if job.active else None
        if reading is None or (job.percent.at is not None and job.percent.at > reading.at):
            return None
        return reading

    def name(self, kind: str, key: str) -> str:
        """Return what a job is called, "" when nobody said that or it is not kept."""
        job = self._saved.jobs.get(f"{kind}:{key}")
        return str(job.name) if job else ""

    def _job(self, record: Record, kind: str, job_id: str) -> Job:
        key = f"{kind}:{key_of(record)}"
        job = self._saved.jobs.get(key)
        if job is None:
            job = self._saved.jobs[key] = Job(key=key, kind=kind, job_id=job_id)
        return job

    def _training(self, event: t.TrainingEvent, job: Job, record: Record) -> None:
        job.name.put(event.name, record)
        job.job_type.put(event.job_type, record)
        job.project_id.put(event.project_id, record)
        match event:
            case t.TrainingQueued():
                job.submitted_by.put(event.submitted_by or record.actor, record)
                job.submitted_at = _earlier(job.submitted_at, record.time)
            case t.TrainingStarted():
                job.worker.put(event.worker, record)
                job.started_at = _earlier(job.started_at, record.time)
            case t.TrainingProgressed():
                self._progress(job, record, event.percent, event.message)
                if event.loss is not None:
                    job.loss.put(event.loss, record)
            case t.TrainingCompleted(loss=loss) if loss is not None:
                job.loss.put(loss, record)
        self._note(job, record)

    def _generation(self, event: g.GenerationEvent, job: Job, record: Record) -> None:
        job.name.put(event.workflow, record)
        job.project_id.put(event.project_id, record)
        job.worker.put(event.source, record)
        match event:
            case g.GenerationStarted():
                job.started_at = _earlier(job.started_at, record.time)
            case g.GenerationProgressed():
                self._progress(job, record, event.percent, event.message)
            case g.GenerationEnded(started_at=started_at) if started_at is not None:
                job.started_at = _earlier(job.started_at, started_at)
        self._note(job, record)

    def _progress(self, job: Job, record: Record, percent: float, message: str) -> None:
        job.percent.put(min(100.0, max(0.0, percent)), record)
        job.message.put(message, record)

    def _note(self, job: Job, record: Record) -> None:
        """Take the status that the fact means; keep the number of ended jobs bounded."""
        was_active = job.status.at is None or job.active
        status, rank = _MEANS[type(record.event)]
        job.status.put(status, record, rank)
        if not job.active:
            self._readings.pop(job.key, None)
        self._ended += int(was_active) - int(job.active) if job.status.at else 0
        if self._ended > self._kept:
            self._forget()

    def _forget(self) -> None:
        """Drop the half of the ended jobs that ended first, and remember how many of which they were."""
        ended = sorted((job for job in self._saved.jobs.values() if not job.active), key=_ended_at)
        for job in ended[: max(1, self._kept // 2)]:
            del self._saved.jobs[job.key]
            what = f"{job.kind}:{job.status.value}"
            self._saved.forgotten[what] = self._saved.forgotten.get(what, 0) + 1
            self._ended -= 1

    def count(self, kind: str, *statuses: Status) -> int:
        """Return how many jobs of a kind there are, or were, in these statuses (none named: in any)."""
        kept = sum(
            job.kind == kind and (not statuses or job.status.value in statuses) for job in self._saved.jobs.values()
        )
        gone = (
            number
            for what, number in self._saved.forgotten.items()
            if what.startswith(f"{kind}:") and (not statuses or what.partition(":")[2] in statuses)
        )
        return kept + sum(gone)

    def reported(self, kind: str) -> bool:
        """Return whether a job of this kind was ever told of."""
        return self.count(kind) > 0

    def get(self, kind: str, key: str) -> Job | None:
        """Return a job that is still kept."""
        return self._saved.jobs.get(f"{kind}:{key}")

    def active(self) -> Iterator[Job]:
        """Yield what runs (longest first), then what waits, in the order of submission."""
        jobs = [job for job in self._saved.jobs.values() if job.active]
        yield from sorted(jobs, key=lambda job: (job.status.value != "running", *_submitted(job)))

    def ended(self, limit: int) -> list[Job]:
        """Return the last `limit` ended jobs, the newest first."""
        jobs = sorted((job for job in self._saved.jobs.values() if not job.active), key=_ended_at, reverse=True)
        return jobs[:limit]

    def completed_between(self, kind: str, start: datetime, end: datetime) -> int | None:
        """Return how many jobs were completed from `start` until before `end`, None where some may be forgotten."""
        ended = [(_ended_at(job)[0], job) for job in self._saved.jobs.values() if not job.active]
        if self._saved.forgotten and start < min((at for at, _ in ended), default=end):
            return None
        return sum(job.kind == kind and job.status.value == "completed" and start <= at < end for at, job in ended)

    def reset(self) -> None:
        """Forget everything."""
        self._saved = _Saved()
        self._ended = 0

    def dump(self) -> bytes:
        """Return everything folded."""
        return msgspec.json.encode(self._saved)

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        self._saved = msgspec.json.decode(data, type=_Saved)
        self._ended = sum(not job.active for job in self._saved.jobs.values())


def task(job: Job, *, queue_position: int | None = None, progress: g.GenerationProgress | None = None) -> Json:
    """Return a job as the active-tasks widget shows it (R-230, R-245a); `elapsed_seconds` only where it ended.

    `progress` is a newer reading than what the facts say.
    """
    percent, message = job.percent.value, str(job.message)
    if progress is not None:
        percent, message = percent if progress.percent is None else progress.percent, _step(progress) or message
    begun, ended = job.started_at, None if job.active else job.status.at
    return known(
        id=job.key,
        job_id=job.job_id,
        job_type=str(job.job_type) or job.kind,
        name=str(job.name) or None,
        status=job.status.value,
        progress_pct=100.0 if job.status.value == "completed" else percent,
        progress_message=message or None,
        loss=job.loss.value,
        started_at=words.time(begun) if begun else None,
        finished_at=words.time(ended) if ended else None,
        elapsed_seconds=max(0.0, (ended - begun).total_seconds()) if begun and ended else None,
        worker_id=str(job.worker) or None,
        submitted_by=str(job.submitted_by) or None,
        submitted_at=words.time(job.submitted_at) if job.submitted_at else None,
        queue_position=queue_position,
        project_id=str(job.project_id) or None,
    )


def _step(progress: g.GenerationProgress) -> str:
    """Return in words which node runs, and its step where it has steps."""
    if not progress.node_type or progress.step is None or not progress.steps or progress.steps <= 1:
        return progress.node_type
    return f"{progress.node_type}, step {progress.step:g} of {progress.steps:g}"


def _earlier(known_at: datetime | None, time: datetime) -> datetime:
    return time if known_at is None else min(known_at, time)


def _submitted(job: Job) -> tuple[datetime, str]:
    return (job.started_at if job.status.value == "running" else job.submitted_at) or job.status.at or _NEVER, job.key


def _ended_at(job: Job) -> tuple[datetime, str]:
    return job.status.at or _NEVER, job.key


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MEANS: dict[type, tuple[Status, int]] = {
    t.TrainingQueued: ("queued", 0),
    t.TrainingStarted: ("running", 1),
    t.TrainingProgressed: ("running", 2),
    t.TrainingCompleted: ("completed", 3),
    t.TrainingFailed: ("failed", 3),
    t.TrainingCancelled: ("cancelled", 3),
    g.GenerationStarted: ("running", 1),
    g.GenerationProgressed: ("running", 2),
    g.GenerationCompleted: ("completed", 3),
    g.GenerationFailed: ("failed", 3),
    g.GenerationInterrupted: ("cancelled", 3),
}
"""The status that a fact means, and which of two facts of the same moment comes last."""
