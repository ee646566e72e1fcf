"""When each model file was last loaded by a generation.

A generation names a file by its model folder and its name there. Which file that is follows from where the files lie
now, by the rule of `matching.ModelIndex`, so neither the order of the facts nor a move of the file matters.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import msgspec
from modeldeck_events.generations import GenerationEnded, GenerationStarted, ModelUse
from modeldeck_events.store import Record
from modeldeck_events.templates import TemplateReference

from gateway.boards import words
from gateway.boards.board import Json
from gateway.boards.library import Library

MAX_USES = 20_000
"""Names of files; beyond these the ones that were not used for the longest time are forgotten."""
MAX_MODELS = 64
"""Of one generation."""


class Uses:
    """The newest use of each named file. `take_touched` tells which names were used since it was last asked."""

    VERSION = 1
    FOLDS = (GenerationStarted, GenerationEnded)

    def __init__(self, library: Library, *, kept: int = MAX_USES) -> None:
        self._library = library
        self._kept = kept
        self._last: dict[ModelUse, datetime] = {}
        self._by_name: defaultdict[str, set[ModelUse]] = defaultdict(set)
        self._touched: set[str] = set()

    def apply(self, record: Record) -> bool:
        """Fold one fact; return whether a file was used later than was known."""
        event = record.event
        if not isinstance(event, GenerationStarted | GenerationEnded):
            return False
        at = record.time
        if isinstance(event, GenerationEnded):  # told late, when its watcher was away
            at = min(at, event.finished_at or event.started_at or at)
        later = [model for model in event.models[:MAX_MODELS] if at > self._last.get(model, _NEVER)]
        for model in later:
            self._last[model] = at
            self._by_name[_name(model.filename)].add(model)
            self._touched.add(_name(model.filename))
        if len(self._last) > self._kept:
            self._forget()
        return bool(later)

    def last(self, path: str) -> datetime | None:
        """Return when the file at a path of the pool was last used, None when that is not known."""
        uses = self._by_name.get(_name(path))
        if not uses:
            return None
        match = self._library.index.match
        return max((self._last[use] for use in uses if match(_reference(use)).found_at == path), default=None)

    def named(self, path: str) -> bool:
        """Tell whether a file of this name was ever used."""
        return _name(path) in self._by_name

    def take_touched(self) -> set[str]:
        """Return the names of the files that were used since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def state(self) -> Json:
        """Return the newest use of each name, for tests and tools: no topic shows it like this."""
        return {f"{use.directory}/{use.filename}": words.time(at) for use, at in self._last.items()}

    def reset(self) -> None:
        """Forget everything folded."""
        self._last.clear()
        self._by_name.clear()
        self._touched.clear()

    def dump(self) -> bytes:
        """Return every use."""
        return msgspec.json.encode([(use, at) for use, at in self._last.items()])

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        saved = msgspec.json.decode(data, type=list[tuple[ModelUse, datetime]])
        self.reset()
        for use, at in saved:
            self._last[use] = at
            self._by_name[_name(use.filename)].add(use)

    def _forget(self) -> None:
        """Drop the tenth that was not used for the longest time."""
        oldest = sorted(self._last, key=lambda use: (self._last[use], use.directory, use.filename))
        for use in oldest[: max(1, self._kept // 10)]:
            del self._last[use]
            name = _name(use.filename)
            self._touched.add(name)
            self._by_name[name].discard(use)
            if not self._by_name[name]:
                del self._by_name[name]


_NEVER = datetime.fromisoformat("0001-01-01T00:00:00+00:00")


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _reference(use: ModelUse) -> TemplateReference:
    path = f"{use.directory}/{use.filename}" if use.directory else use.filename
    return TemplateReference(path=path, directory=use.directory, filename=use.filename)
