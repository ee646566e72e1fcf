"""Projects and how many of their scenes are approved (R-232, R-233)."""

from __future__ import annotations

import msgspec
from modeldeck_events.store import Record
from modeldeck_events.studio.projects import (
    CommentAdded,
    ProjectCreated,
    ProjectEvent,
    ProjectStatusChanged,
    ReviewApproved,
    ReviewRejected,
    SceneAdded,
    SceneRemoved,
)

from gateway.boards.board import Json, known
from gateway.boards.studio.register import Name, Newest, key_of

GREEN_ABOVE = 75.0
YELLOW_FROM = 50.0
_HIDDEN = frozenset({"archived", "closed"})


class _Scene(msgspec.Struct):
    title: Name = msgspec.field(default_factory=Name)
    there: Newest[bool] = msgspec.field(default_factory=Newest)
    approved: Newest[bool] = msgspec.field(default_factory=Newest)


class _Project(msgspec.Struct):
    project_id: str
    name: Name = msgspec.field(default_factory=Name)
    status: Newest[str] = msgspec.field(default_factory=Newest)
    scenes: dict[str, _Scene] = {}


class Projects:
    """The projects of all sources."""

    VERSION = 3

    def __init__(self) -> None:
        self._projects: dict[str, _Project] = {}

    def apply(self, record: Record) -> bool:
        """Fold one fact; comments change nothing here."""
        event = record.event
        if not isinstance(event, ProjectEvent) or isinstance(event, CommentAdded):
            return False
        project = self._projects.setdefault(key_of(record), _Project(project_id=event.project_id))
        match event:
            case ProjectCreated():
                project.name.put(event.name, record)
            case ProjectStatusChanged():
                project.status.put(event.status, record)
            case SceneAdded() | SceneRemoved():
                scene = project.scenes.setdefault(event.scene_id, _Scene())
                scene.there.put(isinstance(event, SceneAdded), record, int(isinstance(event, SceneRemoved)))
                if isinstance(event, SceneAdded):
                    scene.title.put(event.title, record)
            case ReviewApproved() | ReviewRejected():
                scene = project.scenes.setdefault(event.scene_id, _Scene())
                scene.approved.put(isinstance(event, ReviewApproved), record, int(isinstance(event, ReviewRejected)))
        return True

    @property
    def reported(self) -> bool:
        """Whether any project was ever told of."""
        return bool(self._projects)

    def name(self, key: str) -> str:
        """Return a project's name, its id while nobody said one, "" for an unknown one."""
        project = self._projects.get(key)
        return (str(project.name) or project.project_id) if project else ""

    def scene(self, key: str, scene_id: str) -> str:
        """Return what a project's scene is called, "" when nobody said that."""
        project = self._projects.get(key)
        scene = project.scenes.get(scene_id) if project else None
        return str(scene.title) if scene else ""

    def state(self) -> Json:
        """Return the projects by id that are neither archived nor closed, with their approved scenes (R-245a)."""
        shown = {key: _view(p) for key, p in self._projects.items() if p.status.value not in _HIDDEN}
        return {"projects": dict(sorted(shown.items(), key=lambda item: (item[1]["project_name"], item[0])))}

    def reset(self) -> None:
        """Forget everything."""
        self._projects.clear()

    def dump(self) -> bytes:
        """Return everything folded."""
        return msgspec.json.encode(self._projects)

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        self._projects = msgspec.json.decode(data, type=dict[str, _Project])


def _view(project: _Project) -> Json:
    scenes = [scene for scene in project.scenes.values() if scene.there.value]
    approved = sum(bool(scene.approved.value) for scene in scenes)
    percent = round(100 * approved / len(scenes), 1) if scenes else None
    status = project.status.value or "active"
    return known(
        project_id=project.project_id,
        project_name=str(project.name) or project.project_id,
        status=status,
        scenes_approved=approved,
        scenes_total=len(scenes),
        progress_pct=percent,
        status_color=color(percent or 0.0, blocked=status == "blocked"),
    )


def color(percent: float, *, blocked: bool = False) -> str:
    """Return the colour of a progress: green above 75 %, yellow from 50 %, else red; blocked is red (R-233)."""
    if blocked or percent < YELLOW_FROM:
        return "red"
    return "green" if percent > GREEN_ABOVE else "yellow"
