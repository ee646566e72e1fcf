"""Facts about generations: one run of a workflow that makes pictures, video, sound or text.

Subject `evt.generation.<source>.<generation_id>`: `source` names what ran it (a ComfyUI as `host:port`, or any name
that another publisher chose), `generation_id` its own id of the run (ComfyUI: the prompt id). At most one fact ends a
generation; an end without a start is legal, because its watcher may have been away.

How far a run is changes several times a second, so the product's own watcher sends it as a reading
(`GenerationProgress`, newest value only). `GenerationProgressed` is for publishers that only have facts, and for steps
worth keeping.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from modeldeck_events import subjects
from modeldeck_events.message import Event, Message, Reading

AGGREGATE = "generation"


class ModelUse(Message, frozen=True, kw_only=True):
    """A model file that a generation loads, below the models folder: `directory` (checkpoints ...), then `filename`.

    `filename` may hold subfolders, with forward slashes. `directory` is "" when the workflow does not tell it.
    """

    directory: str
    filename: str


class Output(Message, frozen=True, kw_only=True):
    """A file that was made: `kind` as the source calls it (images, gifs, audio ...), `folder` output or temp."""

    filename: str
    subfolder: str = ""
    kind: str = ""
    folder: str = "output"


class GenerationEvent(Event, frozen=True, kw_only=True):
    """Base of the facts of one generation. `workflow` is its name, "" when nobody gave it one."""

    source: str
    generation_id: str
    workflow: str = ""
    project_id: str = ""


class GenerationStarted(GenerationEvent, frozen=True, kw_only=True):
    """The run began."""

    TYPE: ClassVar[str] = "modeldeck.generation.started.v1"
    models: tuple[ModelUse, ...] = ()


class GenerationProgressed(GenerationEvent, frozen=True, kw_only=True):
    """The run reached a step; `percent` is 0..100 of the whole run."""

    TYPE: ClassVar[str] = "modeldeck.generation.progressed.v1"
    percent: float
    message: str = ""


class GenerationEnded(GenerationEvent, frozen=True, kw_only=True):
    """Base of the facts that end a run; times and `duration_s` are absent when the source does not tell them."""

    models: tuple[ModelUse, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_s: float | None = None


class GenerationCompleted(GenerationEnded, frozen=True, kw_only=True):
    """The run succeeded. `outputs` are the first ones of `output_count`, what was saved before what is temporary."""

    TYPE: ClassVar[str] = "modeldeck.generation.completed.v1"
    outputs: tuple[Output, ...] = ()
    output_count: int = 0


class GenerationFailed(GenerationEnded, frozen=True, kw_only=True):
    """The run failed. `code` is stable: `error` (a node raised), `lost` (its source ended before the outcome was read);
    publishers may have further ones.
    """

    TYPE: ClassVar[str] = "modeldeck.generation.failed.v1"
    code: str = "error"
    error: str
    node_type: str = ""


class GenerationInterrupted(GenerationEnded, frozen=True, kw_only=True):
    """Somebody stopped the run."""

    TYPE: ClassVar[str] = "modeldeck.generation.interrupted.v1"
    node_type: str = ""


EVENTS: tuple[type[GenerationEvent], ...] = (
    GenerationStarted,
    GenerationProgressed,
    GenerationCompleted,
    GenerationFailed,
    GenerationInterrupted,
)


class GenerationProgress(Reading, frozen=True, kw_only=True):
    """Where a running generation stands; newest only, at most 4 a second, worth nothing once the run has ended.

    `percent` is 0..100 of the whole workflow and never falls, None when it cannot be told; `step` of `steps` belongs to
    the node that runs now.
    """

    KIND: ClassVar[str] = "generation"
    source: str
    generation_id: str
    workflow: str = ""
    percent: float | None = None
    node_id: str = ""
    node_type: str = ""
    step: float | None = None
    steps: float | None = None
    at: datetime


class ComfyuiStatus(Reading, frozen=True, kw_only=True):
    """A watched ComfyUI, newest only: `away` says in `error` why it cannot be watched; None means not known."""

    KIND: ClassVar[str] = "comfyui"
    source: str
    status: Literal["ok", "away"]
    running: int | None = None
    pending: int | None = None
    version: str = ""
    error: str = ""
    at: datetime


READINGS: tuple[type[Reading], ...] = (GenerationProgress, ComfyuiStatus)


def subject(source: str, generation_id: str) -> str:
    """Subject of one generation's facts; raises ValueError for an empty or too long key."""
    return subjects.event(AGGREGATE, source, generation_id)


def source_subjects(source: str) -> str:
    """Pattern of all facts from one source."""
    return f"{subjects.event(AGGREGATE, source)}.>"


def progress_subject(source: str, generation_id: str) -> str:
    """Subject of one generation's progress."""
    return subjects.reading(GenerationProgress.KIND, source, generation_id)


def status_subject(source: str) -> str:
    """Subject of one ComfyUI's status."""
    return subjects.reading(ComfyuiStatus.KIND, source)
