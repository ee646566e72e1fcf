"""The log itself, page by page; the states of the stream's topics; the stream's place in the API document."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from gateway.context import PrincipalDep, ReadyDep, json_answer, read_answer
from gateway.frames import cloudevent, is_private
from gateway.ids import EventId
from gateway.live import OWN_TOPIC, STATE_TOPICS
from gateway.past import ViewDep
from gateway.problems import ProblemError
from gateway.routes.dashboard import DiskHealthTopic, OverviewTopic, ProjectsTopic, Stats, TasksTopic
from gateway.routes.modelfiles import FeaturedModel
from gateway.routes.presets import Preset, PresetCategory
from gateway.routes.shapes import (
    ActiveDownload,
    AfterSeq,
    EndedDownload,
    Event,
    Problem,
    Shape,
    WaitingDownload,
    Warned,
)
from gateway.routes.system import Resources
from gateway.routes.user import UserDashboard, UserSettingsShown
from gateway.routes.workflow_shapes import Skipped, Template

_PAGE = 500
_MAX_PAGES = 20

router = APIRouter(tags=["live"])


class EventPage(Shape):
    """Facts in order. `seq` is how far the log was looked through: give it as `after` for the next page; `id` is the
    same place for the stream's Last-Event-ID. `more` tells whether the log goes on.
    """

    events: list[Event]
    seq: int
    id: str
    more: bool


class QueueTopic(Shape):
    """The queue with its collections by download id; `current` is the id of the first running one."""

    current: str | None = None
    active: dict[str, ActiveDownload]
    queue: dict[str, WaitingDownload]
    completed: dict[str, EndedDownload]
    active_downloads: int
    paused: bool
    max_concurrent: int
    bandwidth_limit_bps: int | None = None
    seq: int


class PresetsTopic(Shape):
    """The presets by id and the categories by name."""

    presets: dict[str, Preset]
    categories: dict[str, PresetCategory]
    version: str
    total: int
    warnings: list[Warned]


class TemplatesTopic(Shape):
    """The workflow templates by id; `compatible` is how many of them can run."""

    templates: dict[str, Template]
    total: int
    compatible: int
    skipped: dict[str, Skipped]


class FeaturedTopic(Shape):
    """The featured models by id."""

    models: dict[str, FeaturedModel]
    last_updated: str | None = None
    source: str | None = None
    warnings: list[Warned] | None = None


class UserTopic(Shape):
    """What belongs to the caller, in every browser of his: his board and his settings. Nobody else is shown it."""

    user_id: str
    dashboard: UserDashboard
    settings: UserSettingsShown


class States(Shape):
    """The present states of the topics that were asked for."""

    queue: QueueTopic | None = None
    presets: PresetsTopic | None = None
    templates: TemplatesTopic | None = None
    featured: FeaturedTopic | None = None
    resources: Resources | None = None
    stats: Stats | None = None
    overview: OverviewTopic | None = None
    active_tasks: TasksTopic | None = Field(None, alias="active-tasks")
    project_progress: ProjectsTopic | None = Field(None, alias="project-progress")
    disk_health: DiskHealthTopic | None = Field(None, alias="disk-health")
    user: UserTopic | None = None


@router.get("/state", response_model=States, responses={400: {"model": Problem, "description": "An unknown topic"}})
async def state(
    request: Request, view: ViewDep, principal: PrincipalDep, topics: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """Return what `snapshot` events of the stream would hold now, by topic.

    Without `topics`: all state topics that are the same for everybody.
    """
    there = (*STATE_TOPICS, OWN_TOPIC)
    names = [name.strip() for name in topics.split(",") if name.strip()] or [*filter(view.knows, STATE_TOPICS)]
    unknown = [name for name in names if name not in there]
    if unknown:
        raise ProblemError(
            400,
            "unknown_topic",
            f"There is no state topic {', '.join(ascii(n[:40]) for n in unknown[:5])}; known are {', '.join(there)}.",
            known_topics=list(there),
        )
    return read_answer(
        request,
        {n: view.boards.users.own(principal.name) if n == OWN_TOPIC else view.topic(n) for n in names},
    )


@router.get("/events", response_model=EventPage)
async def events(
    gateway: ReadyDep,
    principal: PrincipalDep,
    after: AfterSeq = 0,
    type: Annotated[str, Query(max_length=200, description="only this CloudEvents type")] = "",  # noqa: A002
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Return the facts after a position of the log, in order; those about users only to who may do everything."""
    everything = principal.may("admin")
    horizon = gateway.live.position.seq
    found: list[dict[str, Any]] = []
    position = after
    for _ in range(_MAX_PAGES):
        size = _PAGE if type else limit + 1
        records = await gateway.store.read(after=position, limit=size)
        seen = (record for record in records if everything or not is_private(record))
        wanted = [record for record in seen if not type or record.type == type]
        taken = wanted[: limit - len(found)]
        found += [cloudevent(record) for record in taken]
        if len(taken) < len(wanted):
            position = taken[-1].seq if taken else position
            break
        position = records[-1].seq if records else max(position, horizon)
        if len(records) < size or len(found) >= limit:
            break
    place = EventId(gateway.live.position.epoch, position)
    return json_answer({"events": found, "seq": position, "id": str(place), "more": position < horizon})


@router.get(
    "/stream",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, 400: {}},
)
async def stream(
    topics: Annotated[str, Query(description="comma separated")] = "",  # noqa: ARG001 - read by the raw endpoint
    last_event_id: Annotated[str, Query(description="resume after this id; the header wins")] = "",  # noqa: ARG001
) -> Response:
    """Follow topics as Server-Sent Events: hello, snapshots, then deltas and entries. Answered by `sse`, not here.

    The topic `user` is the caller's own board and settings; it comes only when it is named.
    """
    raise ProblemError(400, "not_a_stream", "Open this with a client of Server-Sent Events.")
