"""What the boards stand for as digests, which a rebuild from zero must come to as well (`modeldeck doctor --rebuild`).

Each board counts twice: by what it folded, and by what of it was published last, which is kept up to date change by
change and is where a mistake would hide. What comes from readings is left out: no log can tell it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from gateway.boards.board import Json, Large, object_slices
from gateway.boards.fold import Boards

SHOWN = ("queue", "presets", "models", "templates", "featured")
"""The topics that are compared; the others are reckoned from boards that are."""
_PREFIX = "topic:"
_READ = frozenset({"progress", "downloaded_bytes", "total_bytes", "speed", "speed_bps", "eta", "eta_s", "file"})
_STORAGE = ("model_count", "models_bytes", "folders", "families", "duplicates", "unused")
"""What of the storage follows from the log; the rest was measured."""

Parts = Iterator[bytes]


def shown_of(boards: Boards) -> dict[str, Json]:
    """Return the topics' states as the boards alone make them: for boards that nobody published."""
    boards.take_changes(float("inf"))
    return {
        "queue": boards.queue.state(),
        "presets": boards.presets.state(),
        "models": boards.models.state(),
        "templates": boards.templates.state(),
        "featured": boards.featured.state(),
    }


def contents(boards: Boards, shown: Mapping[str, Json]) -> Iterator[tuple[str, Parts]]:
    """Yield by name what is compared, as JSON in small parts; nothing may be folded before the last one."""
    for name, board in boards.by_name().items():
        yield name, board.dump_slices() if isinstance(board, Large) else iter((board.dump(),))
    for name in SHOWN:
        yield _PREFIX + name, _topic(name, shown[name])


async def digests(boards: Boards, shown: Mapping[str, Json]) -> dict[str, str]:
    """Return the digest of each; the event loop goes on meanwhile."""
    found = {}
    for name, parts in contents(boards, shown):
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
            await asyncio.sleep(0)  # other work of the event loop goes on
        found[name] = digest.hexdigest()
    return found


async def content(boards: Boards, shown: Mapping[str, Json], wanted: str) -> bytes | None:
    """Return the JSON of one of them, None when there is none of that name."""
    for name, parts in contents(boards, shown):
        if name == wanted:
            taken = []
            for part in parts:
                taken.append(part)
                await asyncio.sleep(0)  # other work of the event loop goes on
            return b"".join(taken)
    return None


def differences(one: Any, other: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two JSON values differ: the path, and both values there; None for what is absent."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from differences(one.get(key), other.get(key), f"{at}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{at}/{number}")
    elif one != other:
        yield at or "/", one, other


def _topic(name: str, state: Json) -> Parts:
    if name == "models":
        storage = state["storage"]
        yield from _members(
            models=object_slices(dict(sorted(state["models"].items()))),
            deleted=_whole(state["deleted"]),
            storage=_whole({key: storage[key] for key in _STORAGE if key in storage}),
        )
    elif name == "templates":
        yield from _members(templates=object_slices(state["templates"]), skipped=_whole(state["skipped"]))
    else:
        yield from _whole(_without_readings(state))


def _members(**parts: Parts) -> Parts:
    between = b"{"
    for name, member in parts.items():
        yield b'%b"%b":' % (between, name.encode())
        yield from member
        between = b","
    yield b"}"


def _whole(value: object) -> Parts:
    yield msgspec.json.encode(value, order="sorted")


def _without_readings(value: Any) -> Any:
    """Return a copy without what readings tell: how far something is, and whether it is being verified."""
    if isinstance(value, dict):
        kept = {key: _without_readings(item) for key, item in value.items() if key not in _READ}
        if kept.get("status") == "verifying":
            kept["status"] = "downloading"
        return kept
    if isinstance(value, list):
        return [_without_readings(item) for item in value]
    return value


def first(found: Iterable[tuple[str, Any, Any]], limit: int = 3) -> list[str]:
    """Return the first differences in words, each value cut to what fits on a line."""
    told = []
    for at, one, other in found:
        told.append(f"{at}: {_short(one)} instead of {_short(other)}")
        if len(told) == limit:
            break
    return told


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
