"""What this service folds of its own facts, so that it appends only what is new. Pure; rebuilt from the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from modeldeck_events import modelfiles, presets, subjects
from modeldeck_events.matching import ModelIndex
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import (
    InventorySurveyed,
    ModelFileDeleted,
    ModelFileFound,
    ModelFileGone,
    ModelFileHashed,
)
from modeldeck_events.presets import CatalogRefreshed, CatalogRefreshFailed, PresetDefinition, PresetPublished
from modeldeck_events.store import Record

from catalog.stamps import moment

T = TypeVar("T")
_PRESET_PREFIX = f"evt.{presets.AGGREGATE}."


@dataclass(frozen=True, slots=True)
class Stands(Generic[T]):
    """What the log says last about one subject: `value` None after it was withdrawn or gone, `seq` guards it."""

    seq: int
    value: T | None


@dataclass(frozen=True, slots=True)
class Append:
    """One fact to be appended to its subject; `key` is the preset's id or the file's path.

    `command_id` makes a repetition of the same append harmless.
    """

    key: str
    subject: str
    event: Event
    expected_seq: int
    command_id: str


class Table(Generic[T]):
    """Last fact per key (a preset's id, a file's path)."""

    def __init__(self) -> None:
        self._stands: dict[str, Stands[T]] = {}
        self.version = 0
        """Grows with every change."""
        self.generation = 0
        """Grows when everything was forgotten, because the log was replaced."""

    def note(self, key: str, seq: int, value: T | None) -> None:
        """Take over what stands in the log at `seq`; older news than what is known is ignored."""
        if seq > self.stands(key).seq:
            self._stands[key] = Stands(seq, value)
            self.version += 1

    def stands(self, key: str) -> Stands[T]:
        """Return what stands, `Stands(0, None)` when the log says nothing."""
        return self._stands.get(key) or Stands(0, None)

    def live(self) -> Iterator[T]:
        """Yield every value that was not withdrawn."""
        return (entry.value for entry in self._stands.values() if entry.value is not None)

    def clear(self) -> None:
        """Forget everything."""
        self._stands.clear()
        self.version += 1
        self.generation += 1


class PresetsFold:
    """Which presets are published, and what was said of the catalog as a whole."""

    def __init__(self) -> None:
        self.presets: Table[PresetDefinition] = Table()
        self.catalog_seq = 0
        self.refreshed: CatalogRefreshed | None = None
        self.failed: CatalogRefreshFailed | None = None
        self._paths: tuple[int, frozenset[str]] = (-1, frozenset())

    def reset(self) -> None:
        """Start from zero."""
        self.presets.clear()
        self.catalog_seq, self.refreshed, self.failed = 0, None, None

    def apply(self, record: Record, /) -> None:
        """Apply one record of `evt.preset.>` or `evt.catalog.presets`."""
        if record.subject == presets.CATALOG_SUBJECT:
            self.note(record.subject, record.seq, record.event)
        elif record.subject.startswith(_PRESET_PREFIX):
            self.note(subjects.untoken(record.subject.removeprefix(_PRESET_PREFIX)), record.seq, record.event)

    def note(self, key: str, seq: int, event: Event | None) -> None:
        """Take over one fact about the preset `key` or the catalog; an unknown type moves only the guard."""
        match event:
            case CatalogRefreshed() | CatalogRefreshFailed() if seq > self.catalog_seq:
                self.catalog_seq = seq
                self.refreshed = event if isinstance(event, CatalogRefreshed) else self.refreshed
                self.failed = event if isinstance(event, CatalogRefreshFailed) else None
            case PresetPublished(preset=preset):
                self.presets.note(key, seq, preset)
            case presets.PresetWithdrawn():
                self.presets.note(key, seq, None)
            case _ if key == presets.CATALOG_SUBJECT:
                self.catalog_seq = max(self.catalog_seq, seq)
            case _:
                self.presets.note(key, seq, self.presets.stands(key).value)

    def paths(self) -> frozenset[str]:
        """Return every path that a preset names."""
        if self._paths[0] != self.presets.version:
            named = frozenset(spec.path for preset in self.presets.live() for spec in preset.files)
            self._paths = (self.presets.version, named)
        return self._paths[1]


class LiveFile(NamedTuple):
    """A model file that is said to be on the disk; `hashed` is None while nobody knows the hash of these bytes."""

    found: ModelFileFound
    hashed: ModelFileHashed | None

    @property
    def path(self) -> str:
        """The file's name everywhere."""
        return self.found.path

    @property
    def sha256(self) -> str | None:
        """The hash of the file as it is."""
        return self.hashed.sha256 if self.hashed else None


class ModelFilesFold:
    """Which model files of this pool are said to be on the disk, what is in them, and where they may lie.

    A hash counts until the next fact about its file: with every `ModelFileFound` it has to be stated again.
    """

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.files: Table[ModelFileFound] = Table()
        self.index = ModelIndex()
        """The files that are there and not known to be broken, with their hashes."""
        self.hashed: dict[str, ModelFileHashed] = {}
        """The last hash said of a path, be it of an earlier file of that name: its stamp tells."""
        self.deleted: dict[str, ModelFileDeleted] = {}
        """The last deletion on request of a path, be there a file again or not."""
        self.survey: InventorySurveyed | None = None
        self.survey_seq = 0
        self._counts: set[str] = set()
        self._prefix = f"{subjects.event(modelfiles.AGGREGATE, pool)}."
        self._survey_subject = modelfiles.inventory_subject(pool)

    @property
    def subjects(self) -> tuple[str, ...]:
        """What this fold has to see."""
        return (f"{self._prefix}>", self._survey_subject)

    def live(self) -> Iterator[LiveFile]:
        """Yield every file that is there."""
        return (LiveFile(found, self._hashed(found.path)) for found in self.files.live())

    def get(self, path: str) -> LiveFile | None:
        """Return the file, None when it is not there."""
        found = self.files.stands(path).value
        return LiveFile(found, self._hashed(path)) if found else None

    def sha256(self, path: str) -> str | None:
        """Return the hash of the file as it is; None when it is not there, or not hashed since it changed."""
        hashed = self._hashed(path)
        return hashed.sha256 if hashed else None

    def reset(self) -> None:
        """Start from zero."""
        self.files.clear()
        self.index.clear()
        self.hashed.clear()
        self.deleted.clear()
        self._counts.clear()
        self.survey, self.survey_seq = None, 0

    def apply(self, record: Record, /) -> None:
        """Apply one record; other pools' are passed over."""
        if record.subject.startswith(self._prefix):
            self.note(subjects.untoken(record.subject.removeprefix(self._prefix)), record.seq, record.event)
        elif record.subject == self._survey_subject:
            self.note_survey(record.seq, record.event)

    def note(self, path: str, seq: int, event: Event | None) -> None:
        """Take over one fact about the file at `path`; what says nothing of the disk moves only the guard."""
        before = self.files.stands(path)
        if seq <= before.seq:
            return
        found, sha256 = before.value, self.sha256(path)
        match event:
            case ModelFileFound():
                found = event
                self._counts.discard(path)
            case ModelFileGone() | ModelFileDeleted():
                found = None
                self._counts.discard(path)
                if isinstance(event, ModelFileDeleted):
                    self.deleted[path] = event
            case ModelFileHashed():
                self.hashed[path] = event
                if found is not None and _is_of(event, found):
                    self._counts.add(path)
            case _:  # a ModelFileLinked too: what it made is found like any other file
                pass
        self.files.note(path, seq, found)
        if found is None or found.whole is False:
            self.index.remove(path)
        elif path not in self.index or sha256 != self.sha256(path):
            self.index.put(path, self.sha256(path))

    def note_survey(self, seq: int, event: Event | None) -> None:
        """Take over a fact about the model folders as a whole."""
        if seq <= self.survey_seq:
            return
        self.survey_seq = seq
        if isinstance(event, InventorySurveyed):
            self.survey = event
            self.index.survey(event.places)

    def _hashed(self, path: str) -> ModelFileHashed | None:
        return self.hashed[path] if path in self._counts else None


def _is_of(hashed: ModelFileHashed, found: ModelFileFound) -> bool:
    return hashed.size_bytes == found.size_bytes and moment(hashed.mtime_ns) == found.modified_at
