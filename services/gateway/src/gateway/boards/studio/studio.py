"""Everything that other services told, as one board."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec
from modeldeck_events import generations as g
from modeldeck_events import studio
from modeldeck_events.message import Event
from modeldeck_events.store import Record
from modeldeck_events.studio import conversations, datasets, projects, registered, servers, training
from modeldeck_events.subjects import token

from gateway.boards.board import Json
from gateway.boards.studio.chats import Chats
from gateway.boards.studio.jobs import Jobs, task
from gateway.boards.studio.projects import Projects
from gateway.boards.studio.register import key_of
from gateway.boards.studio.seen import Seen
from gateway.boards.studio.stock import Stock
from gateway.boards.studio.telling import Names


class _Part(Protocol):
    def reset(self) -> None: ...
    def dump(self) -> bytes: ...
    def load(self, data: bytes) -> None: ...


class Studio:
    """Jobs, conversations, datasets, servers, registered models and projects; each fact counts once (`seen`)."""

    VERSION = Seen.VERSION + 100 * (
        Jobs.VERSION + 100 * (Chats.VERSION + 100 * (Stock.VERSION + 100 * Projects.VERSION))
    )
    """One number for the versions of all parts."""
    FOLDS = (*studio.EVENTS, *g.EVENTS)

    def __init__(self) -> None:
        self.seen = Seen()
        self.jobs = Jobs()
        self.chats = Chats()
        self.stock = Stock()
        self.projects = Projects()
        folds = {
            self.jobs.apply: (*training.EVENTS, *g.EVENTS),
            self.chats.apply: conversations.EVENTS,
            self.stock.apply: (*datasets.EVENTS, *servers.EVENTS, *registered.EVENTS),
            self.projects.apply: projects.EVENTS,
        }
        self._fold_of: dict[type[Event | None], Callable[[Record], bool]] = {
            event: fold for fold, events in folds.items() for event in events
        }

    def apply(self, record: Record) -> bool:
        """Fold one fact; false for a repetition and for what other services do not tell."""
        fold = self._fold_of.get(type(record.event))
        if fold is None or self.seen.is_repetition(record):
            return False
        return fold(record)

    def names(self, record: Record) -> Names:
        """Return what people call those of whom a fact tells, as far as it is known by now."""
        event, key = record.event, key_of(record)
        match event:
            case projects.ProjectEvent():
                scene_id = getattr(event, "scene_id", "")
                named = self.projects.name(key)
                return Names(thing=named, project=named, scene=self.projects.scene(key, scene_id) if scene_id else "")
            case training.TrainingEvent():
                return Names(thing=self.jobs.name("training", key), project=self._project(event.project_id, key))
            case g.GenerationEvent():
                return Names(thing=self.jobs.name("generation", key), project=self._project(event.project_id, key))
            case datasets.DatasetEvent() | servers.ServerEvent() | registered.RegisteredModelEvent():
                return Names(thing=self.stock.name(record))
        return Names()

    def _project(self, project_id: str, key: str) -> str:
        """Return the name of the project that the same source calls so."""
        return self.projects.name(f"{key.partition('.')[0]}.{token(project_id)}") if project_id else ""

    def tasks(self, recent: int) -> list[Json]:
        """Return what runs, what waits with its place in the queue, and the `recent` last ended jobs (R-230)."""
        shown: list[Json] = []
        place = 0
        for job in self.jobs.active():
            place += job.status.value == "queued"
            position = place if job.status.value == "queued" else None
            shown.append(task(job, queue_position=position, progress=self.jobs.progress(job)))
        return shown + [task(job) for job in self.jobs.ended(recent)]

    def state(self) -> Json:
        """Return the topic `active-tasks`: tasks by id, in the order in which they are shown."""
        return {"tasks": {entry["id"]: entry for entry in self.tasks(RECENT)}}

    def reset(self) -> None:
        """Forget everything."""
        for part in self._parts().values():
            part.reset()

    def dump(self) -> bytes:
        """Return everything folded."""
        return b"".join(self.dump_slices())

    def dump_slices(self) -> Iterator[bytes]:
        """Yield the dump in parts."""
        between = b"{"
        for name, part in self._parts().items():
            yield b'%b"%b":%b' % (between, name.encode(), part.dump())
            between = b","
        yield b"}"

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        saved = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        for name, part in self._parts().items():
            part.load(bytes(saved[name]))

    def _parts(self) -> dict[str, _Part]:
        return {
            "seen": self.seen,
            "jobs": self.jobs,
            "chats": self.chats,
            "stock": self.stock,
            "projects": self.projects,
        }


RECENT = 10
"""So many ended jobs are shown unless a reader asks for another number (R-245a)."""
