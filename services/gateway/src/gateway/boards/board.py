"""What every read model is: a pure fold with a present state, which can be saved as JSON and built again from zero."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import msgspec
from modeldeck_events.message import Event
from modeldeck_events.store import Record

Json = dict[str, Any]


class Board(Protocol):
    """One read model. `state()` is fresh containers every time: callers may keep it, the board never changes it.

    A value that is not known is absent from the state, never null, except where the API says null.
    """

    VERSION: int
    """Version of what `dump` writes; a saved state of another one is not loaded."""

    @property
    def FOLDS(self) -> tuple[type[Event], ...]:  # noqa: N802 - a constant of the class, as a protocol reads one
        """The types of the facts that it folds, subclasses included: it is handed no others."""
        ...

    def apply(self, record: Record) -> bool:
        """Fold one fact; return whether the visible state may have changed. Never refuses a fact."""
        ...

    def state(self) -> Json:
        """Return the present state as the stream's topic shows it."""
        ...

    def reset(self) -> None:
        """Forget everything folded."""
        ...

    def dump(self) -> bytes:
        """Return everything that was folded, as JSON."""
        ...

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote; raises msgspec.ValidationError or DecodeError for anything else."""
        ...


@runtime_checkable
class Large(Protocol):
    """A board whose dump may take longer to write than the event loop should wait."""

    def dump_slices(self) -> Iterator[bytes]:
        """Yield in small parts what `dump` returns whole; nothing may be folded before the last one."""
        ...


SLICE = 250
"""So many members of a large board are written at once: some milliseconds."""


def array_slices(items: Iterable[object]) -> Iterator[bytes]:
    """Yield a JSON array in parts."""
    rest, between = iter(items), b"["
    while part := list(islice(rest, SLICE)):
        yield between + msgspec.json.encode(part)[1:-1]
        between = b","
    yield b"]" if between == b"," else b"[]"


def object_slices(items: Mapping[str, object]) -> Iterator[bytes]:
    """Yield a JSON object in parts."""
    rest, between = iter(items.items()), b"{"
    while part := dict(islice(rest, SLICE)):
        yield between + msgspec.json.encode(part)[1:-1]
        between = b","
    yield b"}" if between == b"," else b"{}"


class Collection(dict[str, Json]):
    """Views by key that know in which keys they differ from the collection that they were made from: `merge_patch`
    looks at no others. Never changed once it is made.
    """

    def __init__(self, base: Collection | None = None, changes: Mapping[str, Json | None] | None = None) -> None:
        super().__init__(base or {})
        for key, view in (changes or {}).items():
            if view is None:
                self.pop(key, None)
            else:
                self[key] = view
        self._base = weakref.ref(base) if base is not None else None
        self._differing = tuple(changes or ())

    def differing_from(self, other: Mapping[str, Json]) -> Iterable[str]:
        """Return the keys in which it can differ from `other`."""
        if self._base is not None and self._base() is other:
            return self._differing
        return other.keys() | self.keys()


def known(**values: Any) -> Json:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def merge_patch(old: Any, new: Any) -> Any:
    """Return the RFC 7396 merge patch from `old` to `new`, `{}` when they are equal.

    Parts that are the same object are not compared, so an unchanged part that is kept costs nothing.
    """
    patch: Json = {}
    keys = new.differing_from(old) if isinstance(new, Collection) else {**old, **new}
    for key in keys:
        if key not in new:
            if key in old:
                patch[key] = None
            continue
        before, value = old.get(key), new[key]
        if before is value:
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            inner = merge_patch(before, value)
            if inner:
                patch[key] = inner
        elif before != value or key not in old:
            patch[key] = value
    return patch
