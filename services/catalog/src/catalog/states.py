"""What this service folds of its own facts, so that it appends only what is new. Pure; rebuilt from the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from modeldeck_events import modelfiles, presets, subjects
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileFound
from modeldeck_events.presets import CatalogRefreshed, CatalogRefreshFailed, PresetDefinition, PresetPublished
from modeldeck_events.store import Record

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


class ModelFilesFold:
    """Which model files of this pool are said to be on the disk."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.files: Table[ModelFileFound] = Table()
        self._prefix = f"{subjects.event(modelfiles.AGGREGATE, pool)}."

    @property
    def subjects(self) -> str:
        """What this fold has to see."""
        return f"{self._prefix}>"

    def reset(self) -> None:
        """Start from zero."""
        self.files.clear()

    def apply(self, record: Record, /) -> None:
        """Apply one record; other pools' are passed over."""
        if record.subject.startswith(self._prefix):
            self.note(subjects.untoken(record.subject.removeprefix(self._prefix)), record.seq, record.event)

    def note(self, path: str, seq: int, event: Event | None) -> None:
        """Take over one fact about the file at `path`; of an unknown type it moves only the guard."""
        match event:
            case ModelFileFound():
                self.files.note(path, seq, event)
            case modelfiles.ModelFileGone():
                self.files.note(path, seq, None)
            case _:
                self.files.note(path, seq, self.files.stands(path).value)
