"""What the routes about workflows share: a dry run, the installation, and the wait for hashes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import Depends, Header, Response
from modeldeck_events import downloads as d
from modeldeck_events.templates import LockWorkflow, PlanLock, PlanMissing

from gateway.boards.board import Json, known
from gateway.context import Gateway, Writer, json_answer
from gateway.problems import ProblemError, away
from gateway.routes import missing
from gateway.routes.missing import PlannedFile
from gateway.routes.workflow_shapes import Hashing

HASHING: dict[int | str, dict[str, Any]] = {
    202: {"model": Hashing, "description": "With `Prefer: respond-async`, instead of 503 `hash_pending`"}
}


def _respond_async(
    prefer: Annotated[
        str, Header(max_length=200, description="`respond-async`: 202 instead of 503 while files are being hashed")
    ] = "",
) -> bool:
    return "respond-async" in {wish.partition(";")[0].strip().lower() for wish in prefer.split(",")}


RespondAsyncDep = Annotated[bool, Depends(_respond_async)]
"""Whether the caller knows what 202 means (RFC 7240). A script that saves whatever is no error must not save that."""


async def unless_hashing(answer: Awaitable[Response], *, respond_async: bool) -> Response:
    """Return the answer; 202 when it needs hashes that are still being computed, for callers who know of that."""
    try:
        return await answer
    except ProblemError as problem:
        if problem.code != "hash_pending" or not respond_async:
            raise
        waiting = {"status": "hashing", "paths": problem.more.get("paths", []), "detail": problem.detail}
        return json_answer(waiting, 202, {"Retry-After": "1", "Preference-Applied": "respond-async"})


async def lock(writer: Writer, command: LockWorkflow) -> Response:
    """Return the lock file, as one to save."""
    written = (await writer.run(command)).data.get("lock")
    if not isinstance(written, dict):
        raise away("The service catalog answered something else than a lock file.")
    body = json.dumps(written, indent=2, ensure_ascii=False) + "\n"
    headers = {"Content-Disposition": _attachment(command.template_id or command.name or "workflow")}
    return Response(body, 200, headers, media_type="application/json")


async def dry_run(gateway: Gateway, writer: Writer, command: PlanMissing | PlanLock) -> Json:
    """Return `{files, volumes}`: what can be done about each missing file, and the room that needs."""
    files = await missing.plan(writer, command)
    specs = tuple(file.spec for file in files if file.spec is not None)
    room: Json = {}
    if specs:
        room = (await writer.run(d.PlanFiles(pool=gateway.settings.pool, files=specs, **writer.ids_of("room")))).data
    by_path = {entry["path"]: entry for entry in room.get("files", ())}
    return {
        "files": [_shown(file, by_path.get(file.path, {})) for file in files],
        "volumes": room.get("volumes", []),
    }


async def install(
    gateway: Gateway,
    writer: Writer,
    files: tuple[PlannedFile, ...],
    *,
    complete: bool,
    choices: Mapping[str, str] | None = None,
) -> Json:
    """Queue and link what the plan says; 409 `incomplete` when nothing is known to be missing, but more may be."""
    if not files:
        if complete:
            return {"status": "compatible", "queued": [], "linked": [], "unresolved": []}
        text = "Nothing is known to be missing, but the workflow could not be read whole; its warnings say why."
        raise ProblemError(409, "incomplete", text)
    done = await missing.fetch(gateway, writer, files, choices)
    return {"status": "queued"} | done


def check_choices(
    choices: Mapping[str, str], references: list[Json], files: tuple[PlannedFile, ...], what: str
) -> None:
    """Raise ProblemError 422 for a choice about a file of which nothing is known."""
    named = {reference["path"] for reference in references} | {file.path for file in files}
    for path in choices.keys() - named:
        raise ProblemError(422, "invalid_request", f"choices: the {what} names no file {path[:200]!a}.")


def _shown(file: PlannedFile, room: Json) -> Json:
    stated = file.spec.size_bytes if file.spec else file.size_bytes
    shown: Json = msgspec.to_builtins(file)
    return shown | known(
        size_bytes=stated if stated is not None else room.get("size_bytes"),
        status=file.status,
        conflict=room.get("conflict"),
    )


def _attachment(workflow: str) -> str:
    """Return the Content-Disposition of a workflow's lock file, its name in any alphabet."""
    name = f"{PurePosixPath(workflow).stem}.lock.json"
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
