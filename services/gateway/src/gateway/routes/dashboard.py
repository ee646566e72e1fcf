"""The dashboard's numbers and widgets (R-020 to R-034, R-230 to R-245a): seeds' fields, and the real project's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from gateway.boards import activity, widgets
from gateway.boards.board import Json
from gateway.boards.overview import overview, stats
from gateway.context import PrincipalDep, ReadyDep, read_answer
from gateway.past import ViewDep
from gateway.problems import ProblemError
from gateway.routes.shapes import Shape

FEED_LIMIT = 50

router = APIRouter(prefix="/dashboard", tags=["dashboard"])


class StatsTrends(Shape):
    """How many on each of the last seven days, the oldest first; of UTC in the topic."""

    generations: list[int]


class Stats(Shape):
    """The home page's numbers; `absent` names sources that never reported, whose 0 is no data."""

    totalGenerations: int  # noqa: N815 - the contract's name, here and below
    modelsInstalled: int  # noqa: N815
    storageUsed: str  # noqa: N815
    activeWorkflows: int  # noqa: N815
    model_files: int
    storage_used_bytes: int
    absent: list[str]
    trends: StatsTrends | None = None


class Statistics(Shape):
    """Counts over all features (R-023)."""

    totalConversations: int  # noqa: N815
    totalMessages: int  # noqa: N815
    totalTrainingJobs: int  # noqa: N815
    activeTrainingJobs: int  # noqa: N815
    totalModels: int  # noqa: N815
    runningServers: int  # noqa: N815
    totalDatasets: int  # noqa: N815
    readyDatasets: int  # noqa: N815
    tokensThisWeek: int  # noqa: N815
    messagesToday: int  # noqa: N815


class RecentItem(Shape):
    """Something that happened lately (R-024)."""

    id: str
    type: Literal["training", "conversation", "model", "dataset"]
    title: str
    subtitle: str | None = None
    timestamp: str
    link: str | None = None


class GpuMemory(Shape):
    """Memory of all GPUs, bytes."""

    used: int
    total: int
    percentage: float


class ComfyuiShown(Shape):
    """A ComfyUI that is watched; `silent` when its watcher has not been heard for more than a minute."""

    status: Literal["ok", "away", "silent"]
    running: int | None = None
    pending: int | None = None
    version: str | None = None
    error: str | None = Field(None, description="why it cannot be watched")


class SystemStatus(Shape):
    """What works (R-025)."""

    trainingServer: Literal["online", "offline"]  # noqa: N815
    database: Literal["connected", "disconnected"]
    gpuMemory: GpuMemory | None = None  # noqa: N815
    inferenceServers: int  # noqa: N815


class SystemStatusTopic(SystemStatus):
    """The same, and what else runs now."""

    services: dict[str, bool] | None = Field(None, description="whether each service of the product is ready")
    comfyui: dict[str, ComfyuiShown] | None = Field(None, description="every ComfyUI that is watched, by its name")


class QuickStats(Shape):
    """Derived numbers (R-026); one over nothing is absent. The rate is in percent."""

    trainingSuccessRate: float | None = None  # noqa: N815
    averageConversationLength: float | None = None  # noqa: N815
    mostUsedModel: str | None = None  # noqa: N815


class OverviewTrends(Shape):
    """How many on each of the last seven days, the oldest first."""

    messages: list[int]
    tokens: list[int]


class _Glance(Shape):
    statistics: Statistics
    quickStats: QuickStats  # noqa: N815
    absent: list[str]
    trends: OverviewTrends | None = None


class Overview(_Glance):
    """The workspace at a glance (R-022)."""

    systemStatus: SystemStatus  # noqa: N815
    recentActivity: list[RecentItem]  # noqa: N815


class OverviewTopic(_Glance):
    """The same as a topic of the stream: days in UTC, the recent activity by id, newest first."""

    systemStatus: SystemStatusTopic  # noqa: N815
    recentActivity: dict[str, RecentItem]  # noqa: N815


class TaskItem(Shape):
    """A job that runs, waits, or ended lately (R-230, R-245a)."""

    id: str
    job_id: str
    job_type: str
    name: str | None = None
    status: str
    progress_pct: float | None = None
    progress_message: str | None = None
    elapsed_seconds: float | None = None
    worker_id: str | None = None
    submitted_by: str | None = None
    submitted_at: str | None = None
    queue_position: int | None = None


class Tasks(Shape):
    """What runs, then what waits, then what ended."""

    data: list[TaskItem]


class TasksTopic(Shape):
    """The same as a topic of the stream, by id; a running one's `elapsed_seconds` is the reader's to reckon."""

    tasks: dict[str, TaskItem]


class ProjectItem(Shape):
    """Approved scenes of a project (R-232, R-245a); `progress_pct` is absent while it has no scene."""

    project_id: str
    project_name: str
    status: str
    scenes_approved: int
    scenes_total: int
    progress_pct: float | None = None
    status_color: Literal["green", "yellow", "red"]


class ProjectItems(Shape):
    """Projects that are neither archived nor closed, by name."""

    data: list[ProjectItem]
    absent: bool


class ProjectsTopic(Shape):
    """The same as a topic of the stream, by source and id."""

    projects: dict[str, ProjectItem]


class DiskItem(Shape):
    """One volume: its numbers in bytes, or `error`. `usage_pct` is a fraction, `percentage` in percent."""

    path: str | None = None
    status: Literal["ok", "warning", "critical", "error", "absent"]
    total_bytes: int | None = None
    used_bytes: int | None = None
    free_bytes: int | None = None
    usage_pct: float | None = None
    capacity: int | None = None
    used: int | None = None
    free: int | None = None
    percentage: float | None = None
    text: str | None = None
    error: str | None = None


class DiskHealthTopic(DiskItem):
    """The volume of the models folder (R-234, R-245a), and all of the host in `disks`; thresholds are fractions."""

    warning_threshold: float
    critical_threshold: float
    disks: list[DiskItem]


class DiskHealth(Shape):
    """The same, wrapped."""

    data: DiskHealthTopic


class FeedItem(Shape):
    """An entry of the feed (R-236, R-245a)."""

    id: str
    event_type: str
    category: str
    source_entity_type: str | None = None
    source_entity_id: str | None = None
    actor_user_id: str | None = None
    actor_name: str | None = None
    payload: dict[str, Any]
    created_at: str


class Feed(Shape):
    """Newest first; `total` is how many the filter finds among those that are kept at hand."""

    data: list[FeedItem]
    total: int


def _now(
    tz: Annotated[str, Query(max_length=64, description="IANA name of the time zone whose days count")] = "UTC",
) -> datetime:
    """Return the time in the asked time zone."""
    try:
        return datetime.now(ZoneInfo(tz))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        detail = f"tz: {tz[:64]!a} is no time zone; write for example Europe/Berlin"
        raise ProblemError(422, "invalid_request", detail) from error


NowDep = Annotated[datetime, Depends(_now)]


@router.get("/stats", response_model=Stats)
async def get_stats(request: Request, view: ViewDep) -> Response:
    """Return the home page's numbers."""
    return read_answer(request, stats(view.boards, view.now()))


@router.get("/overview", response_model=Overview)
async def get_overview(
    request: Request, view: ViewDep, gateway: ReadyDep, principal: PrincipalDep, now: NowDep
) -> Response:
    """Return the workspace at a glance; "today" and "this week" are those of `tz`."""
    entries = [item.data for item in view.boards.activity.newest(principal.name, limit=200)]
    moment = view.now(now.tzinfo or UTC) if view.is_past else now
    return read_answer(request, overview(view.boards, entries, moment, connected=gateway.connected()))


@router.get("/widgets/active-tasks", response_model=Tasks)
async def active_tasks(
    request: Request, view: ViewDep, recent_completed: Annotated[int, Query(ge=0, le=50)] = 10
) -> Response:
    """Return what runs, waits, and the last `recent_completed` ended jobs."""
    return read_answer(request, {"data": widgets.tasks(view.boards, recent_completed, view.now())})


@router.get("/widgets/project-progress", response_model=ProjectItems)
async def project_progress(request: Request, view: ViewDep) -> Response:
    """Return the active projects with their approved scenes."""
    projects = view.boards.studio.projects
    return read_answer(request, {"data": list(projects.state()["projects"].values()), "absent": not projects.reported})


@router.get("/widgets/disk-health", response_model=DiskHealth)
async def disk_health(request: Request, view: ViewDep) -> Response:
    """Return how full the volume of the models folder is, and the others."""
    state = view.topic("disk-health") if view.is_past else widgets.disk_health(view.boards)
    return read_answer(request, {"data": state})


@router.get("/widgets/activity-feed", response_model=Feed)
async def activity_feed(  # noqa: PLR0913, PLR0917 - the query parameters of the contract
    request: Request,
    view: ViewDep,
    principal: PrincipalDep,
    limit: Annotated[int, Query(ge=1, le=200)] = FEED_LIMIT,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    category: Annotated[str | None, Query(max_length=50)] = None,
    project_id: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Return a page of the feed, newest first; `/activity` goes on beyond what is kept at hand."""
    wanted = activity.only(category, project_id)
    found = view.boards.activity.newest(principal.name, limit=activity.KEPT, wanted=wanted)
    items: list[Json] = [widgets.feed_item(item.data) for item in found[offset : offset + limit]]
    return read_answer(request, {"data": items, "total": len(found)})
