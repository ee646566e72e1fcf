"""Commands that only look: status, presets, plan, queue."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Annotated

import typer

from gateway.cli.client import ApiError, Json
from gateway.cli.exits import Exit
from gateway.cli.output import Output
from gateway.cli.render import (
    PLAN_HEADERS,
    PRESET_HEADERS,
    QUEUE_HEADERS,
    not_ready_words,
    plan_rows,
    preset_row,
    queue_rows,
    queue_summary,
    resource_lines,
)
from gateway.cli.session import AsJson, Token, Url, session
from gateway.cli.settle import tell_unresolved
from gateway.cli.text import plain, size


class PresetStatus(enum.StrEnum):
    """The states that a preset can be in."""

    AVAILABLE = enum.auto()
    QUEUED = enum.auto()
    DOWNLOADING = enum.auto()
    VERIFYING = enum.auto()
    RETRYING = enum.auto()
    PAUSED = enum.auto()
    COMPLETED = enum.auto()
    FAILED = enum.auto()
    CANCELLED = enum.auto()
    INSTALLED = enum.auto()


def status(url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Show whether the product is ready, what the queue does, and how full the machine is.

    Ends with 0 when it is ready, 1 when it answers and is not.
    """
    with session(url, token, as_json=as_json) as on:
        ready, said = on.client.readiness()
        queue, resources = _if_there(on.client.queue), _if_there(on.client.resources)
        known = {"health": said, "queue": queue, "resources": resources}
        found = {name: value for name, value in known.items() if value is not None}
        on.out.json({"url": on.client.address.url, "ready": ready, **found})
        on.out.line(f"Modeldeck at {on.client.address.url} is {'ready' if ready else 'not ready'}")
        if queue is not None:
            on.out.line(f"Queue   {queue_summary(queue)}")
        for line in resource_lines(resources or {}):
            on.out.line(line)
        if not ready:
            on.out.note(f"error: not ready: {not_ready_words(said)}")
            raise typer.Exit(Exit.FAILED)


def _if_there(read: Callable[[], Json]) -> Json | None:
    """Return what is read, None while that part is away or has measured nothing: the rest is worth showing."""
    try:
        return read()
    except ApiError as error:
        if error.passing or error.status == 404:
            return None
        raise


def presets(  # noqa: PLR0913, PLR0917  # typer makes an option of each
    url: Url = None,
    token: Token = None,
    search: Annotated[str, typer.Option("--search", help="Only those with this text in id, name, words or tags.")] = "",
    category: Annotated[str, typer.Option("--category", help="Only those of this category.")] = "",
    status: Annotated[PresetStatus | None, typer.Option("--status", help="Only those in this state.")] = None,
    warnings: Annotated[bool, typer.Option("--warnings", help="Say in words what is odd about each.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the presets of the catalog, with their size, state and warnings."""
    with session(url, token, as_json=as_json) as on:
        every = on.client.presets()
        found = [
            preset
            for preset in every
            if (not search or search.casefold() in _words(preset))
            and (not category or plain(preset.get("category")).casefold() == category.casefold())
            and (status is None or preset.get("status") == status.value)
        ]
        on.out.json({"presets": found, "total": len(found)})
        if not found:
            on.out.line("No preset matches." if every else "The catalog is empty.")
            return
        on.out.table(PRESET_HEADERS, [preset_row(preset) for preset in found])
        for preset in found if warnings else []:
            for warning in preset.get("warnings") or []:
                on.out.line(f"{preset.get('id')}: {warning.get('code')}: {warning.get('message')}")


def _words(preset: Json) -> str:
    parts = [preset.get("id"), preset.get("name"), preset.get("description"), *(preset.get("tags") or [])]
    return "\n".join(plain(part) for part in parts).casefold()


def plan(
    presets: Annotated[list[str] | None, typer.Argument(metavar="[PRESET]...", help="Preset ids.")] = None,
    url: Url = None,
    token: Token = None,
    template: Annotated[
        list[str] | None,
        typer.Option("--template", metavar="ID", help="What this template misses; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what installing presets, or what templates miss, would need, before anything is fetched.

    Ends with 0 when all of it can be had and fits, 1 when not.
    """
    if not presets and not template:
        raise typer.BadParameter("give a preset or --template ID", param_hint="PRESET")
    with session(url, token, as_json=as_json) as on:
        planned = on.client.plan(presets or [], template or [])
        on.out.json(planned)
        on.out.table(PLAN_HEADERS, plan_rows(planned))
        files = planned.get("files") or []
        if files:
            on.out.line()
            on.out.table(("FILE", "SIZE", "ACTION"), [_file_row(file) for file in files])
        unresolved = planned.get("unresolved") or []
        tell_unresolved(on.out, unresolved)
        fits = all(volume.get("fits") is not False for volume in planned.get("volumes") or [])
        if not fits:
            on.out.note("error: it does not fit")
        if unresolved or not fits:
            raise typer.Exit(Exit.FAILED)


def _file_row(file: Json) -> tuple[str, ...]:
    action = plain(file.get("action"))
    conflict = plain(file.get("conflict"))
    return plain(file.get("path")), size(file.get("size_bytes")), f"{action}: {conflict}" if conflict else action


def queue(url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Show what downloads now, what waits in which order, and what ended lately."""
    with session(url, token, as_json=as_json) as on:
        present = on.client.queue()
        on.out.json(present)
        rows = queue_rows(present)
        _print_queue(on.out, present, rows)


def _print_queue(out: Output, present: Json, rows: list[tuple[str, ...]]) -> None:
    out.line(queue_summary(present)[:1].upper() + queue_summary(present)[1:])
    if rows:
        out.line()
        out.table(QUEUE_HEADERS, rows)
