"""How far the running generations are, from what ComfyUI sends while it works.

Which clients get these messages is ComfyUI's affair: versions without a broadcast `progress_state` tell only the one
that submitted the job, unless it gave no client id. Then a run is known to run, and its percentage is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from modeldeck_events.generations import GenerationProgress

from telemetry.comfyui_jobs import MAX_NAME_CHARS, Job, number, valid_id

MAX_UNKNOWN = 8
MAX_DONE = 10_000
_DONE = "finished"


@dataclass
class _Run:
    job: Job
    """Only its id until the queue has told more: messages come sooner."""
    known: bool
    looks: int = 0
    """How often the queue was read without it."""
    done: set[str] = field(default_factory=set)
    node_id: str = ""
    step: float | None = None
    steps: float | None = None
    percent: float | None = None


class Progress:
    """The running jobs and how far each is. `update` tells which one a message changed."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._runs: dict[str, _Run] = {}

    def follow(self, jobs: tuple[Job, ...]) -> list[str]:
        """Follow these from now on; return the ids of the new ones.

        Others are forgotten, but a run that is known by a message alone may be younger than this look at the queue.
        """
        old, self._runs = self._runs, {}
        for run in old.values():
            run.looks += 1
            if not run.known and run.looks < 2:
                self._runs[run.job.id] = run
        new = []
        for job in jobs:
            run = old.get(job.id) or _Run(job, known=True)
            if job.id not in old or not run.known:
                new.append(job.id)
            run.job, run.known = job, True
            run.percent = _percent(run)
            self._runs[job.id] = run
        return new

    def forget(self) -> None:
        """Follow nothing any more."""
        self._runs.clear()

    def update(self, kind: str, data: Mapping[str, Any]) -> str | None:
        """Take over a message; return the id of the job that is elsewhere now, None when none is."""
        run = self._run_of(data)
        if run is None:
            return None
        match kind:
            case "execution_cached":
                _finish(run, data.get("nodes"))
            case "executing":
                self._enter(run, data.get("node"))
            case "progress":
                self._enter(run, data.get("node", run.node_id))
                run.step, run.steps = number(data.get("value")), number(data.get("max"))
            case "progress_state":
                self._take(run, data.get("nodes"))
            case _:
                return None
        run.percent = _percent(run)
        return run.job.id

    def reading(self, job_id: str, at: datetime) -> GenerationProgress | None:
        """Return where a job stands, None when it is not followed."""
        run = self._runs.get(job_id)
        if run is None:
            return None
        return GenerationProgress(
            source=self._source,
            generation_id=job_id,
            workflow=run.job.workflow,
            percent=run.percent,
            node_id=run.node_id,
            node_type=run.job.node_types.get(run.node_id, ""),
            step=run.step,
            steps=run.steps,
            at=at,
        )

    def _run_of(self, data: Mapping[str, Any]) -> _Run | None:
        """Return the run that a message is about; one without an id is about the only one."""
        job_id = data.get("prompt_id")
        if job_id is None:
            return next(iter(self._runs.values())) if len(self._runs) == 1 else None
        if not valid_id(job_id):
            return None
        run = self._runs.get(job_id)
        if run is None and sum(not one.known for one in self._runs.values()) < MAX_UNKNOWN:
            run = self._runs[job_id] = _Run(Job(job_id, "", (), {}), known=False)
        return run

    @staticmethod
    def _enter(run: _Run, node: object) -> None:
        """Begin a node: the one before has ended."""
        node_id = node if isinstance(node, str) and len(node) <= MAX_NAME_CHARS and node.isprintable() else ""
        if node_id == run.node_id:
            return
        if run.node_id:
            _finish(run, [run.node_id])
        run.node_id, run.step, run.steps = node_id, None, None

    @staticmethod
    def _take(run: _Run, nodes: object) -> None:
        for node_id, state in nodes.items() if isinstance(nodes, dict) else ():
            if not isinstance(state, dict):
                continue
            if state.get("state") == _DONE:
                _finish(run, [node_id])
            elif state.get("state") == "running":
                run.node_id = node_id if len(node_id) <= MAX_NAME_CHARS and node_id.isprintable() else ""
                run.step, run.steps = number(state.get("value")), number(state.get("max"))


def _finish(run: _Run, nodes: object) -> None:
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, str) and len(node) <= MAX_NAME_CHARS and len(run.done) < MAX_DONE:
            run.done.add(node)


def _percent(run: _Run) -> float | None:
    """Return the share of the workflow's nodes that are done, the running one in part; it never falls.

    Only the workflow's own nodes count: a node may expand into others, which would go beyond the whole.
    """
    total = len(run.job.node_types)
    if not total:
        return None
    part = 0.0
    if run.node_id in run.job.node_types and run.node_id not in run.done and run.steps and run.step is not None:
        part = min(max(run.step / run.steps, 0.0), 1.0) if run.steps > 0 else 0.0
    return max(run.percent or 0.0, round(100 * (len(run.done & run.job.node_types.keys()) + part) / total, 1))
