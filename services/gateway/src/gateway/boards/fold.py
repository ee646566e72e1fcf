"""All boards as one ordered fold, with what changed since it was last asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec
from modeldeck_events.downloads import DownloadEvent
from modeldeck_events.generations import ComfyuiStatus, GenerationProgress
from modeldeck_events.message import Event, Reading
from modeldeck_events.readings import DownloadProgress, HostSample
from modeldeck_events.store import Record

from gateway.boards.activity import Activity
from gateway.boards.board import Board, Large
from gateway.boards.downloads import Downloads
from gateway.boards.featured import Featured
from gateway.boards.hosts import Hosts
from gateway.boards.library import Library
from gateway.boards.models import Models
from gateway.boards.needs import Needs
from gateway.boards.presets import Presets
from gateway.boards.queue import Queue
from gateway.boards.repositories import Repositories
from gateway.boards.resources import Resources
from gateway.boards.studio.studio import Studio
from gateway.boards.templates import Templates
from gateway.boards.users import Users
from gateway.boards.uses import Uses
from gateway.boards.vitals import Vitals

_DOWNLOAD_TOPICS = frozenset({"queue", "presets", "active-tasks", "featured"})
_STUDIO_TOPICS = frozenset({"stats", "overview", "active-tasks", "project-progress"})
_SAMPLE_TOPICS = frozenset({"resources", "models", "disk-health", "overview"})
_SHOWN_BY: dict[str, frozenset[str]] = {
    "queue": frozenset({"queue"}),
    "presets": frozenset({"presets", "stats"}),
    "studio": _STUDIO_TOPICS,
    "repositories": frozenset({"featured"}),
    "featured": frozenset({"featured"}),
    "activity": frozenset({"overview"}),
    "users": frozenset({"user"}),
}
"""The topics that a board's change shows in; the templates, models and progress are asked when changes are taken."""
_SHOWN_BY_DOWNLOADS = {"queue": _DOWNLOAD_TOPICS, "activity": _SHOWN_BY["activity"]}
"""The same for facts of downloads, which always concern the queue."""
_FROM_THE_LOG = frozenset(
    {"queue", "presets", "templates", "models", "featured", *_STUDIO_TOPICS, "disk-health", "user"}
)
SCHEMA = 1
"""Version of the saved form as a whole; the boards' own versions are added to it."""


class _Step(NamedTuple):
    """One board's part in folding a fact, and the topics that show it."""

    apply: Callable[[Record], bool]
    topics: frozenset[str]


class Changed(NamedTuple):
    """Topics that changed, and when the next progress is due to be shown (monotonic seconds)."""

    topics: frozenset[str]
    next_due: float | None


class Boards:
    """The gateway's read models for one storage pool. `generation` counts the resets: another one is another log."""

    def __init__(self, *, pool: str = "default") -> None:
        self.pool = pool
        self.downloads = Downloads()
        self.queue = Queue(self.downloads, pool=pool)
        self.library = Library(self.downloads, pool=pool)
        self.presets = Presets(self.downloads, self.library, pool=pool)
        self.templates = Templates(self.library, pool=pool)
        self.repositories = Repositories(self.downloads, self.library, pool=pool)
        self.featured = Featured(self.repositories)
        self.studio = Studio()
        self.activity = Activity(self.downloads, self.studio)
        self.resources = Resources(pool=pool)
        self.hosts = Hosts()
        self.users = Users()
        self.vitals = Vitals()
        needs = Needs(self.downloads, self.library, self.presets, self.templates, pool=pool)
        self.uses = Uses(self.library)
        self.models = Models(self.library, needs, self.presets, self.resources, self.uses, pool=pool)
        self.generation = 0
        self.applied = 0
        self._steps: dict[type[Event], tuple[_Step, ...]] = {}
        self._marked: set[frozenset[str]] = set()
        self._dirty: set[str] = {*_FROM_THE_LOG}  # also what is loaded, or an empty log, has to be shown once

    @property
    def schema(self) -> str:
        """Return what a saved state must be of to be loaded."""
        return f"{SCHEMA}:" + ",".join(f"{name}={board.VERSION}" for name, board in self.by_name().items())

    def apply(self, record: Record) -> None:
        """Fold one fact into the boards that fold its type, in the order of `by_name`."""
        self.applied += 1
        event = record.event
        if event is None:
            return
        steps = self._steps.get(type(event))
        if steps is None:
            steps = self._steps[type(event)] = self._steps_of(type(event))
        for apply, topics in steps:
            if apply(record):
                self._marked.add(topics)

    def read(self, reading: Reading, now_s: float | None = None) -> None:
        """Take a reading that arrived at `now_s` (monotonic seconds)."""
        if isinstance(reading, DownloadProgress):
            self.downloads.read(reading)
        elif isinstance(reading, HostSample) and self.resources.read(reading, now_s):
            self.models.disks_changed()
            self._dirty |= _SAMPLE_TOPICS
        elif isinstance(reading, GenerationProgress) and self.studio.jobs.read(reading):
            self._dirty.add("active-tasks")
        elif isinstance(reading, ComfyuiStatus) and self.vitals.read(reading, now_s):
            self._dirty.add("overview")

    def age(self, now: datetime, now_s: float, *, deaf: bool) -> bool:
        """Look who fell silent; return whether something changed. `deaf`: nothing can be heard at present."""
        changed = self.vitals.age(now, now_s)
        if changed:
            self._dirty.add("overview")
        if self.resources.age(now, now_s, deaf=deaf):
            self.models.disks_changed()
            self._dirty |= _SAMPLE_TOPICS
            changed = True
        return changed

    def look_back(self, samples: Iterable[HostSample], moment: datetime) -> None:
        """Hold what the hosts read at a past moment: for boards that were folded until then, and that nobody told."""
        self.resources.look_back(samples, moment)
        self.models.disks_changed()
        self._dirty |= _SAMPLE_TOPICS

    def take_changes(self, now: float) -> Changed:
        """Show the progress that is due at `now` and return what changed since the last call."""
        pending = self.downloads.pending
        next_due = self.downloads.settle(now) if pending else None
        if pending:
            self._dirty |= {"queue", "active-tasks"}
            for download_id in pending - self.downloads.pending:
                if self.presets.touch(download_id):
                    self._dirty.add("presets")
        if self.templates.settle():
            self._dirty.add("templates")
        if self.models.settle():
            self._dirty |= {"models", "stats"}
        changed, self._dirty = frozenset(self._dirty.union(*self._marked)), set()
        self._marked.clear()
        return Changed(changed, next_due)

    def mark(self, topic: str) -> None:
        """Note that a topic has to be looked at again."""
        self._dirty.add(topic)

    def reset(self) -> None:
        """Start from zero: the log was replaced."""
        for board in self.by_name().values():
            board.reset()
        self._dirty |= _FROM_THE_LOG
        self.generation += 1

    def dump(self) -> bytes:
        """Return every saved board as one JSON object."""
        return b"".join(self.dump_slices())

    def dump_slices(self) -> Iterator[bytes]:
        """Yield the dump in parts, each a matter of milliseconds; nothing may be folded before the last one."""
        between = b"{"
        for name, board in self.by_name().items():
            yield b'%b"%b":' % (between, name.encode())
            yield from board.dump_slices() if isinstance(board, Large) else (board.dump(),)
            between = b","
        yield b"}"

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote; raises msgspec.MsgspecError or KeyError and leaves the boards empty."""
        for _ in self.load_steps(data):
            pass

    def load_steps(self, data: bytes) -> Iterator[None]:
        """Do the same board by board: whoever must not be held up for long does something else in between."""
        try:
            saved = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
            for name, board in self.by_name().items():
                board.load(bytes(saved[name]))
                yield
        except (msgspec.MsgspecError, KeyError):
            for board in self.by_name().values():
                board.reset()
            raise

    def _steps_of(self, event: type[Event]) -> tuple[_Step, ...]:
        """Return who folds facts of a type, which is asked once per type: a log has few types and many facts."""
        shown = _SHOWN_BY_DOWNLOADS if issubclass(event, DownloadEvent) else _SHOWN_BY
        return tuple(
            _Step(board.apply, shown.get(name, frozenset()))
            for name, board in self.by_name().items()
            if issubclass(event, board.FOLDS)
        )

    def by_name(self) -> dict[str, Board]:
        """Return the boards by name, each after those that it looks at."""
        return {
            "downloads": self.downloads,
            "library": self.library,
            "queue": self.queue,
            "presets": self.presets,
            "templates": self.templates,
            "studio": self.studio,
            "hosts": self.hosts,
            "users": self.users,
            "uses": self.uses,
            "models": self.models,
            "repositories": self.repositories,
            "featured": self.featured,
            "activity": self.activity,
        }
