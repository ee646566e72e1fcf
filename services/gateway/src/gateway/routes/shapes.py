"""Shapes that several groups of routes answer, for the OpenAPI document. The bytes come from the boards."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

AfterSeq = Annotated[int, Query(ge=0, le=2**53)]
"""A position of the log."""

Status = Literal[
    "available", "queued", "downloading", "verifying", "retrying", "paused", "completed", "failed", "cancelled"
]


class Shape(BaseModel):
    """Base: more fields may come; an unknown value is absent."""

    model_config = ConfigDict(extra="allow")


class Problem(Shape):
    """RFC 9457 problem document."""

    type: str
    title: str
    status: int
    code: str = Field(description="stable, snake_case")
    detail: str


class Warned(Shape):
    """An oddity that a person should see."""

    code: str
    message: str


class FileProgress(Shape):
    """The file that is being fetched."""

    path: str
    kind: str
    index: int
    count: int


class ActiveDownload(Shape):
    """A running download."""

    download_id: str
    preset_id: str | None = Field(None, description="absent for a single file")
    name: str
    status: Status
    progress: float | None = Field(None, ge=0, le=100)
    downloaded_bytes: int
    total_bytes: int | None = None
    speed: str | None = None
    speed_bps: float | None = None
    eta: str | None = None
    eta_s: float | None = None
    file: FileProgress | None = None
    attempt: int | None = None
    error: str | None = None
    error_code: str | None = Field(None, description="stable, such as path_conflict")
    started_at: str | None = None


class WaitingDownload(Shape):
    """A queued or paused download; position 1 is next."""

    download_id: str
    preset_id: str | None = None
    name: str
    status: Status
    position: int
    total_bytes: int | None = None
    queued_at: str
    error: str | None = None
    error_code: str | None = None


class EndedDownload(Shape):
    """A download that ended."""

    download_id: str
    preset_id: str | None = None
    name: str
    status: Status
    total_bytes: int | None = None
    error: str | None = None
    error_code: str | None = Field(None, description="stable, such as path_conflict")
    finished_at: str


class QueueObject(Shape):
    """The queue."""

    current: ActiveDownload | None
    queue: list[WaitingDownload]
    active: list[ActiveDownload]
    completed: list[EndedDownload]
    active_downloads: int
    paused: bool
    max_concurrent: int
    bandwidth_limit_bps: int | None
    seq: int


class Volume(Shape):
    """What a plan means for one volume, bytes."""

    path: str
    needed_bytes: int
    present_bytes: int
    shared_bytes: int
    reserved_bytes: int
    free_bytes: int
    fits: bool


class PlannedFile(Shape):
    """What would happen to one file."""

    path: str
    url: str | None = Field(None, description="absent for a file that is linked from another path")
    size_bytes: int | None = None
    action: str = Field(description="download, present, link, queued, conflict or unclear")
    conflict: str | None = None
    from_path: str | None = Field(None, description="where the same file lies already")


class UnresolvedFile(Shape):
    """A file that a template misses and for which nothing can be planned."""

    template_id: str
    path: str
    action: str = Field(description="choose: several files have this name; none: no source is known")
    message: str | None = None
    candidates: list[str] | None = None


class Plan(Shape):
    """A dry run."""

    volumes: list[Volume]
    files: list[PlannedFile]
    unresolved: list[UnresolvedFile] | None = Field(None, description="there when templates were planned")


class Outcome(Shape):
    """What became of a command about a download."""

    status: str
    download_id: str | None = None


class ActivityEntry(Shape):
    """One line of the activity feed, the same object as in the stream's topic `activity`."""

    id: str
    type: str
    category: str
    status: str
    title: str
    subtitle: str
    timestamp: str
    link: str
    seq: int | None = Field(None, description="position of the fact in the log, for `?at=`")
    project_id: str | None = None
    project_name: str | None = Field(None, description="what people call that project")
    download_id: str | None = None
    actor_user_id: str | None = Field(None, description="who caused it")


class Event(Shape):
    """A fact of the log as a CloudEvent; `seq` is its position."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    seq: int
    data: Any


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text, "content": {"application/problem+json": {}}}
    for status, text in {
        401: "No, or wrong, credentials",
        403: "Not from another site's page, or the credentials lack a scope (`missing_scope` names it)",
        421: "The Host header names another host",
        422: "The request does not fit",
        429: "Too many wrong tokens, or too many writes; Retry-After says when",
        503: "The gateway or a service is not ready",
    }.items()
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is no such thing"}}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "The state forbids it"}}
