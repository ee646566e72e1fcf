"""What ComfyUI says about its jobs, as facts: entries of its queue and of its history. Pure; nothing here trusts them.

An entry's prompt is `[number, prompt id, prompt, extra data, outputs to make, ...]`; a history entry adds `outputs` and
`status: {status_str, messages: [[name, data], ...]}`, whose messages carry times in milliseconds. Of the extra data
only the workflow's name is taken: it may hold keys of paid services.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modeldeck_events.generations import (
    GenerationCompleted,
    GenerationEnded,
    GenerationFailed,
    GenerationInterrupted,
    GenerationStarted,
    ModelUse,
    Output,
)

from telemetry.loaders import models_of

MAX_ID_CHARS = 200
MAX_NAME_CHARS = 200
MAX_ERROR_CHARS = 2000
MAX_OUTPUTS = 32
_ENDS = frozenset({"execution_success", "execution_error", "execution_interrupted"})
_NAMES = ("workflow_name", "name", "title")


@dataclass(frozen=True, slots=True)
class Job:
    """A job that ComfyUI has taken: `node_types` by node id, for whoever says how far it is."""

    id: str
    workflow: str
    models: tuple[ModelUse, ...]
    node_types: dict[str, str]

    def started(self, source: str) -> GenerationStarted:
        """Return the fact that it runs."""
        return GenerationStarted(source=source, generation_id=self.id, workflow=self.workflow, models=self.models)


@dataclass(frozen=True, slots=True)
class Queue:
    """What runs and how much waits; `ids` are all of both."""

    running: tuple[Job, ...]
    ids: frozenset[str]

    @property
    def pending(self) -> int:
        """How many jobs wait."""
        return len(self.ids) - len(self.running)


def valid_id(value: object) -> bool:
    """Tell whether this can be a job's id: it becomes part of a subject and of an address."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and value.isprintable()


def read_queue(body: object) -> Queue | None:
    """Return what `GET /queue` answered, None when it is something else; entries that are broken are left out."""
    if not isinstance(body, dict):
        return None
    running, pending = body.get("queue_running"), body.get("queue_pending")
    if not isinstance(running, list) or not isinstance(pending, list):
        return None
    jobs = tuple(job for job in map(read_job, running) if job)
    waiting = {item[1] for item in pending if isinstance(item, list) and len(item) > 1 and valid_id(item[1])}
    return Queue(jobs, frozenset(waiting | {job.id for job in jobs}))


def read_job(item: object) -> Job | None:
    """Return the job of a queue's or history's prompt, None when it has no usable id."""
    if not isinstance(item, list) or len(item) < 2 or not valid_id(item[1]):
        return None
    prompt = item[2] if len(item) > 2 else None
    extra = item[3] if len(item) > 3 else None
    return Job(item[1], _workflow_name(extra), models_of(prompt), _node_types(prompt))


def read_outcome(source: str, job_id: str, entry: object) -> GenerationEnded | None:
    """Return how a job of the history ended, None when the entry is no such thing.

    An entry without a status (ComfyUI before 2024) counts as completed: there only what ran through is in the history.
    """
    if not isinstance(entry, dict) or not valid_id(job_id):
        return None
    job = read_job(entry.get("prompt"))
    status = entry.get("status")
    status = status if isinstance(status, dict) else {}
    messages = dict(_messages(status.get("messages")))
    ending = next((name for name in messages if name in _ENDS), "")
    end = messages.get(ending, {})
    started_at, finished_at = _time(messages.get("execution_start")), _time(end)
    fields: dict[str, Any] = {
        "source": source,
        "generation_id": job_id,
        "workflow": job.workflow if job else "",
        "models": job.models if job else (),
        "started_at": started_at,
        "finished_at": finished_at,
        "duration_s": _duration_s(started_at, finished_at),
    }
    if ending == "execution_interrupted":
        return GenerationInterrupted(**fields, node_type=_text(end.get("node_type"), MAX_NAME_CHARS))
    if ending == "execution_error" or status.get("status_str") == "error":
        error = _text(end.get("exception_message"), MAX_ERROR_CHARS) or "ComfyUI does not say what went wrong."
        return GenerationFailed(**fields, error=error, node_type=_text(end.get("node_type"), MAX_NAME_CHARS))
    outputs = sorted(_outputs(entry.get("outputs")), key=lambda output: output.folder != "output")
    return GenerationCompleted(**fields, outputs=tuple(outputs[:MAX_OUTPUTS]), output_count=len(outputs))


def lost(source: str, job_id: str, started: GenerationStarted) -> GenerationFailed:
    """Return how a job ended that is neither in the queue nor in the history any more."""
    return GenerationFailed(
        source=source,
        generation_id=job_id,
        workflow=started.workflow,
        models=started.models,
        code="lost",
        error="ComfyUI ended, or forgot this job, before its outcome could be read.",
    )


def _messages(messages: object) -> Iterator[tuple[str, dict[str, Any]]]:
    for message in messages if isinstance(messages, list) else ():
        match message:
            case [str(name), dict(data)]:
                yield name, data


def _time(message: dict[str, Any] | None) -> datetime | None:
    stamp = message.get("timestamp") if message else None
    if not isinstance(stamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(stamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _duration_s(started_at: datetime | None, finished_at: datetime | None) -> float | None:
    if started_at is None or finished_at is None or finished_at < started_at:
        return None
    return (finished_at - started_at).total_seconds()


def _outputs(by_node: object) -> Iterator[Output]:
    """Yield the files of `{node id: {kind: [{filename, subfolder, type}, ...]}}`; other lists there are no files."""
    for of_node in by_node.values() if isinstance(by_node, dict) else ():
        for kind, items in of_node.items() if isinstance(of_node, dict) else ():
            for item in items if isinstance(items, list) else ():
                match item:
                    case {"filename": str(filename)} if filename:
                        yield Output(
                            filename=_text(filename, MAX_ERROR_CHARS),
                            subfolder=_text(item.get("subfolder"), MAX_ERROR_CHARS),
                            kind=_text(kind, MAX_NAME_CHARS),
                            folder=_text(item.get("type"), MAX_NAME_CHARS) or "output",
                        )


def _workflow_name(extra: object) -> str:
    """Return the name that the submitter gave: ComfyUI itself knows none, so there may be none."""
    if not isinstance(extra, dict):
        return ""
    embedded = extra.get("extra_pnginfo")
    workflow = embedded.get("workflow") if isinstance(embedded, dict) else None
    more = workflow.get("extra") if isinstance(workflow, dict) else None
    places = (place for place in (extra, workflow, more) if isinstance(place, dict))
    for place in places:
        for name in _NAMES:
            text = _text(place.get(name), MAX_NAME_CHARS)
            if text:
                return text
    return ""


def _node_types(prompt: object) -> dict[str, str]:
    nodes = prompt.items() if isinstance(prompt, dict) else ()
    return {node_id: _text(node.get("class_type"), MAX_NAME_CHARS) for node_id, node in nodes if isinstance(node, dict)}


def number(value: object) -> float | None:
    """Return a number of ComfyUI's, None for what is none that can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def _text(value: object, limit: int) -> str:
    """Return a text that can be stored: lone surrogates, which JSON can carry and UTF-8 cannot, are replaced."""
    return value.strip()[:limit].encode("utf-8", "replace").decode() if isinstance(value, str) else ""
