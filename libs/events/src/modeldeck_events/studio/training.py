"""Facts about a job that trains a model. Subject `evt.training.<source>.<job id>`."""

from __future__ import annotations

from typing import ClassVar

from modeldeck_events.message import Event

AGGREGATE = "training"


class TrainingEvent(Event, frozen=True, kw_only=True):
    """Base of a job's facts. `name`, `job_type` (lora, finetune ...) and `project_id` may stand in any of them."""

    job_id: str
    name: str = ""
    job_type: str = ""
    project_id: str = ""


class TrainingQueued(TrainingEvent, frozen=True, kw_only=True):
    """The job waits. `submitted_by` is a person's name or id."""

    TYPE: ClassVar[str] = "modeldeck.training.queued.v1"
    submitted_by: str = ""
    base_model: str = ""
    dataset_id: str = ""


class TrainingStarted(TrainingEvent, frozen=True, kw_only=True):
    """A worker began."""

    TYPE: ClassVar[str] = "modeldeck.training.started.v1"
    worker: str = ""
    total_steps: int | None = None


class TrainingProgressed(TrainingEvent, frozen=True, kw_only=True):
    """The job reached a step; `percent` is 0..100 of the whole job, `loss` as the trainer reports it."""

    TYPE: ClassVar[str] = "modeldeck.training.progressed.v1"
    percent: float
    step: int | None = None
    total_steps: int | None = None
    loss: float | None = None
    message: str = ""


class TrainingCompleted(TrainingEvent, frozen=True, kw_only=True):
    """The job succeeded; `model_id` is the registered model that came of it."""

    TYPE: ClassVar[str] = "modeldeck.training.completed.v1"
    model_id: str = ""
    loss: float | None = None
    duration_s: float | None = None


class TrainingFailed(TrainingEvent, frozen=True, kw_only=True):
    """The job failed; `code` is stable, `error` says it in plain words."""

    TYPE: ClassVar[str] = "modeldeck.training.failed.v1"
    error: str
    code: str = "error"
    duration_s: float | None = None


class TrainingCancelled(TrainingEvent, frozen=True, kw_only=True):
    """Somebody stopped the job."""

    TYPE: ClassVar[str] = "modeldeck.training.cancelled.v1"


EVENTS: tuple[type[TrainingEvent], ...] = (
    TrainingQueued,
    TrainingStarted,
    TrainingProgressed,
    TrainingCompleted,
    TrainingFailed,
    TrainingCancelled,
)
