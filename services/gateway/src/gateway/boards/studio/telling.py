"""What of the studio's facts a person wants to know, as entries of the activity feed. Pure: one fact, one entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from modeldeck_events.message import Event
from modeldeck_events.store import Record
from modeldeck_events.studio import conversations as c
from modeldeck_events.studio import datasets as ds
from modeldeck_events.studio import projects as p
from modeldeck_events.studio import registered as m
from modeldeck_events.studio import servers as s
from modeldeck_events.studio import training as t

from gateway.boards import words
from gateway.boards.board import Json, known

MAX_CHARS = 300


class _Told(NamedTuple):
    """What to say of one fact. `entity` is its kind and id."""

    type: str
    category: str
    status: str
    title: str
    subtitle: str
    entity: tuple[str, str]
    link: str = "/activity"


class Names(NamedTuple):
    """What people call the thing that a fact is about, its project and its scene; "" where nobody said that."""

    thing: str = ""
    project: str = ""
    scene: str = ""


def entry(record: Record, names: Names) -> Json | None:
    """Return the feed's entry of a fact, None when a person need not know."""
    event: Any = record.event
    tell = _TELL.get(type(event))
    if tell is None:
        return None
    told = tell(event, names)
    return known(
        id=f"{told.type[:3]}_{record.seq}",
        type=told.type,
        category=told.category,
        status=told.status,
        title=told.title[:MAX_CHARS],
        subtitle=told.subtitle[:MAX_CHARS],
        timestamp=words.time(record.time),
        link=told.link,
        project_id=getattr(event, "project_id", "") or None,
        project_name=names.project or None,
        source_entity_type=told.entity[0],
        source_entity_id=told.entity[1],
        actor_name=getattr(event, "actor_name", "") or None,
    )


def _training(event: Any, names: Names, status: str, subtitle: str) -> _Told:
    title = event.name or names.thing or f"Training {event.job_id}"
    return _Told(
        "training", "job", status, title, subtitle, ("training_job", event.job_id), f"/?job={_q(event.job_id)}"
    )


def _completed(event: t.TrainingCompleted, names: Names) -> _Told:
    parts = [f"in {words.duration(event.duration_s)}" if event.duration_s is not None else ""]
    parts += [
        f"loss {event.loss:.4g}" if event.loss is not None else "",
        f"made {event.model_id}" * bool(event.model_id),
    ]
    return _training(event, names, "completed", ", ".join(part for part in ("Training completed", *parts) if part))


def _dataset(event: Any, names: Names, status: str, subtitle: str) -> _Told:
    title = event.name or names.thing or f"Dataset {event.dataset_id}"
    return _Told("dataset", "system", status, title, subtitle, ("dataset", event.dataset_id))


def _items(event: ds.DatasetCreated | ds.DatasetReady) -> str:
    parts = [f"{event.items:,} items" if event.items is not None else ""]
    parts.append(words.size(event.size_bytes) if event.size_bytes is not None else "")
    return ", ".join(filter(None, parts))


def _server(event: Any, names: Names, status: str, subtitle: str) -> _Told:
    title = event.name or names.thing or f"Server {event.server_id}"
    return _Told("server", "system", status, title, subtitle, ("server", event.server_id))


def _model(event: Any, names: Names, status: str, subtitle: str) -> _Told:
    title = event.name or names.thing or f"Model {event.model_id}"
    return _Told("model", "system", status, title, subtitle, ("model", event.model_id))


def _project(event: Any, names: Names, status: str, subtitle: str) -> _Told:
    title = names.thing if names.thing not in {"", event.project_id} else f"Project {event.project_id}"
    return _Told("project", "collaboration", status, title, subtitle, ("project", event.project_id), _at(event))


def _review(event: p.ReviewApproved | p.ReviewRejected, names: Names, status: str, subtitle: str) -> _Told:
    scene = f"“{names.scene}”" if names.scene else f"scene {event.scene_id}"
    title = f"{event.actor_name or 'Somebody'} {status} {scene}"
    return _Told("review", "review", status, title, subtitle, ("scene", event.scene_id), _at(event))


def _comment(event: p.CommentAdded, names: Names) -> _Told:
    title = f"{event.actor_name or 'Somebody'} commented" + (f" on “{names.scene}”" if names.scene else "")
    return _Told("comment", "collaboration", "added", title, event.text, ("comment", event.comment_id), _at(event))


def _conversation(event: c.ConversationStarted, _names: Names) -> _Told:
    entity = ("conversation", event.conversation_id)
    subtitle = f"with {event.model}" if event.model else "Conversation started"
    return _Told("conversation", "collaboration", "started", event.title or "Conversation", subtitle, entity)


def _at(event: p.ProjectEvent) -> str:
    return f"/activity?project_id={_q(event.project_id)}"


def _q(text: str) -> str:
    return quote(text, safe="")


_TELL: dict[type[Event], Callable[[Any, Names], _Told]] = {
    t.TrainingQueued: lambda event, names: _training(event, names, "queued", "Training queued"),
    t.TrainingStarted: lambda event, names: _training(
        event, names, "started", f"Training started on {event.worker}" if event.worker else "Training started"
    ),
    t.TrainingCompleted: _completed,
    t.TrainingFailed: lambda event, names: _training(event, names, "failed", event.error),
    t.TrainingCancelled: lambda event, names: _training(event, names, "cancelled", "Training cancelled"),
    c.ConversationStarted: _conversation,
    ds.DatasetCreated: lambda event, names: _dataset(event, names, "started", _items(event) or "Dataset created"),
    ds.DatasetReady: lambda event, names: _dataset(event, names, "completed", _items(event) or "Dataset ready"),
    ds.DatasetFailed: lambda event, names: _dataset(event, names, "failed", event.error),
    s.ServerStarted: lambda event, names: _server(
        event, names, "started", f"{event.kind} server up, {event.model}".rstrip(", ")
    ),
    s.ServerStopped: lambda event, names: _server(event, names, "stopped", event.reason or f"{event.kind} server down"),
    m.ModelRegistered: lambda event, names: _model(
        event, names, "completed", f"Registered, from {event.base_model}" if event.base_model else "Model registered"
    ),
    p.ProjectCreated: lambda event, _names: _project(event, Names(event.name), "started", "Project created"),
    p.ProjectStatusChanged: lambda event, names: _project(event, names, event.status, f"The project is {event.status}"),
    p.ReviewApproved: lambda event, names: _review(event, names, "approved", event.comment),
    p.ReviewRejected: lambda event, names: _review(event, names, "rejected", event.reason),
    p.CommentAdded: _comment,
}
TELLING = frozenset(_TELL)
"""The types for which `entry` has something to say."""
SUBJECTS = ("evt.training.>", "evt.conversation.>", "evt.dataset.>", "evt.server.>", "evt.model.>", "evt.project.>")
"""Where they stand."""
