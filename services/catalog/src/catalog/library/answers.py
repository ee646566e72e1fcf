"""How the library's answers and refusals look, whatever was asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import msgspec
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.message import Command, Reply
from modeldeck_events.modelfiles import NeededBy
from modeldeck_events.paths import ModelPathError
from modeldeck_events.store import Meta

from catalog.library.places import check_name


def checked(path: str) -> str:
    """Return the path of a command unchanged; raises CommandNotAllowedError (422) when it can be no model file."""
    try:
        return check_name(path)
    except ModelPathError as error:
        raise CommandNotAllowedError(str(error), code="path_refused", status=422) from error


def meta_of(command: Command) -> Meta:
    """Return what the facts that follow from a command say of it."""
    return Meta(source="catalog", actor=command.actor, command_id=command.command_id)


def needs_json(needed_by: Sequence[NeededBy]) -> list[object]:
    """Return who needs a file as JSON."""
    return [msgspec.to_builtins(need) for need in needed_by]


def needed(path: str, needed_by: Sequence[NeededBy]) -> Reply:
    """Return the refusal to delete what somebody needs."""
    names = ", ".join(f"{need.kind} {need.name or need.id}" for need in needed_by[:5])
    more = f" and {len(needed_by) - 5} more" if len(needed_by) > 5 else ""
    return Reply(
        ok=False,
        code="needed",
        message=f"{path} is needed by {names}{more}; delete it by force if it has to go",
        status=409,
        data={"path": path, "needed_by": needs_json(needed_by)},
    )


def refuse(path: str, error: OSError) -> NoReturn:
    """Refuse with 503: the disk did not let it be done."""
    text = f"{path}: the folder cannot be used now: {error.strerror or error}"
    raise CommandNotAllowedError(text, code="folder_unavailable", status=503) from error
