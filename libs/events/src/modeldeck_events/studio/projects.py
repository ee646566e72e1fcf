"""Facts about projects, their scenes, reviews and comments. Subject `evt.project.<source>.<project id>`."""

from __future__ import annotations

from typing import ClassVar, Literal

from modeldeck_events.message import Event

AGGREGATE = "project"


class ProjectEvent(Event, frozen=True, kw_only=True):
    """Base of a project's facts. `actor_name` is who did it, as people call him; the envelope's actor is his id."""

    project_id: str
    actor_name: str = ""


class ProjectCreated(ProjectEvent, frozen=True, kw_only=True):
    """A project exists, or has this name from now on."""

    TYPE: ClassVar[str] = "modeldeck.project.created.v1"
    name: str


class ProjectStatusChanged(ProjectEvent, frozen=True, kw_only=True):
    """Where the project stands; archived and closed ones are no longer shown (R-232), a blocked one is red (R-233)."""

    TYPE: ClassVar[str] = "modeldeck.project.status-changed.v1"
    status: Literal["active", "blocked", "archived", "closed"]


class SceneAdded(ProjectEvent, frozen=True, kw_only=True):
    """The project has this scene, which is not approved yet."""

    TYPE: ClassVar[str] = "modeldeck.project.scene-added.v1"
    scene_id: str
    title: str = ""


class SceneRemoved(ProjectEvent, frozen=True, kw_only=True):
    """The scene is no longer part of the project."""

    TYPE: ClassVar[str] = "modeldeck.project.scene-removed.v1"
    scene_id: str


class ReviewApproved(ProjectEvent, frozen=True, kw_only=True):
    """Somebody approved the scene."""

    TYPE: ClassVar[str] = "modeldeck.project.review-approved.v1"
    scene_id: str
    comment: str = ""


class ReviewRejected(ProjectEvent, frozen=True, kw_only=True):
    """Somebody rejected the scene: it is not approved, whatever was said before."""

    TYPE: ClassVar[str] = "modeldeck.project.review-rejected.v1"
    scene_id: str
    reason: str = ""


class CommentAdded(ProjectEvent, frozen=True, kw_only=True):
    """Somebody commented on the project, or on the scene."""

    TYPE: ClassVar[str] = "modeldeck.project.comment-added.v1"
    comment_id: str
    text: str
    scene_id: str = ""


EVENTS: tuple[type[ProjectEvent], ...] = (
    ProjectCreated,
    ProjectStatusChanged,
    SceneAdded,
    SceneRemoved,
    ReviewApproved,
    ReviewRejected,
    CommentAdded,
)
