"""Workflows that are not stored: what the one in the body needs, misses, and how to have it; and lock files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from modeldeck_events.templates import LockWorkflow, PlanLock, PlanMissing, ScanWorkflow

from gateway.boards.board import Json
from gateway.boards.templates import missing_of
from gateway.context import Gateway, ReadyDep, Writer, WriterDep, json_answer
from gateway.problems import ProblemError, away
from gateway.routes import installing, missing
from gateway.routes.installing import HASHING, RespondAsyncDep
from gateway.routes.shapes import CONFLICT, Problem
from gateway.routes.workflow_shapes import MAX_CHOICES, Installation, Scan, WorkflowPlan

_TOO_LARGE: dict[int | str, dict[str, Any]] = {413: {"model": Problem, "description": "Larger than 5 MiB"}}
_OBJECT = {"type": "object"}


def _body(schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


_WORKFLOW = _body(_OBJECT, "The workflow, in any of ComfyUI's formats")
_LOCK = _body(_OBJECT, "The lock file")
_WITH_CHOICES = _body(
    _OBJECT,
    "The workflow, in any of ComfyUI's formats; or `{workflow, choices}`, `choices` for missing files by path: which "
    "file that is there is meant (it is linked), or a URL to fetch it from",
)

router = APIRouter(prefix="/workflows", tags=["workflows"])


class _Reference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    path: str
    directory: str
    filename: str
    node_type: str
    input_name: str
    active: bool
    status: Literal["present", "present_elsewhere", "ambiguous", "missing"]
    form: str | None = None
    url: str | None = None
    sha256: str | None = None
    found_at: str | None = None
    candidates: tuple[str, ...] | None = None


class _Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalog says of a workflow."""

    format: Literal["editor", "prompt", "other", "unreadable"]
    complete: bool
    references: tuple[_Reference, ...]
    warnings: tuple[dict[str, str], ...]


class _Envelope(msgspec.Struct):
    """A workflow with a person's choices. No workflow has both names at its top: the editor's has no `choices`, and in
    the API format these are ids of nodes.
    """

    workflow: msgspec.Raw
    choices: msgspec.Raw


_envelope = msgspec.json.Decoder(_Envelope)
_choices = msgspec.json.Decoder(dict[str, Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]])


@router.post("/scan", response_model=Scan, responses=_TOO_LARGE, openapi_extra=_WORKFLOW)
async def scan(gateway: ReadyDep, writer: WriterDep, request: Request) -> Response:
    """Tell what the workflow in the body needs and misses; nothing is stored. 422 for what is no workflow."""
    return json_answer(await _scan(gateway, writer, await request.body()))


@router.post("/plan", response_model=WorkflowPlan, responses=_TOO_LARGE, openapi_extra=_WORKFLOW)
async def plan_of_workflow(gateway: ReadyDep, writer: WriterDep, request: Request) -> Response:
    """Return how what the workflow in the body misses can be had, and what that needs per volume; nothing is changed,
    and the workflow is not stored.
    """
    workflow = await request.body()
    scanned = await _scan(gateway, writer, workflow)
    if not scanned["missing_count"]:
        return json_answer({"files": [], "volumes": []})
    command = PlanMissing(pool=gateway.settings.pool, data=workflow, **writer.ids_of("plan"))
    return json_answer(await installing.dry_run(gateway, writer, command))


@router.post(
    "/install-missing", response_model=Installation, responses=CONFLICT | _TOO_LARGE, openapi_extra=_WITH_CHOICES
)
async def install_missing_of_workflow(gateway: ReadyDep, writer: WriterDep, request: Request) -> Response:
    """Queue and link everything that the workflow in the body misses; the workflow itself is not stored."""
    workflow, choices = _opened(await request.body())
    scanned = await _scan(gateway, writer, workflow)
    command = PlanMissing(pool=gateway.settings.pool, data=workflow, **writer.ids_of("plan"))
    files = await missing.plan(writer, command) if scanned["missing_count"] else ()
    installing.check_choices(choices, scanned["references"], files, "workflow")
    done = await installing.install(gateway, writer, files, complete=scanned["complete"], choices=choices)
    return json_answer(done)


@router.post("/lock", response_model=dict[str, Any], responses=HASHING | CONFLICT | _TOO_LARGE, openapi_extra=_WORKFLOW)
async def lock_of_workflow(
    gateway: ReadyDep,
    writer: WriterDep,
    request: Request,
    respond_async: RespondAsyncDep,
    name: Annotated[str, Query(max_length=200, description="what the lock file calls the workflow")] = "",
) -> Response:
    """Return the lock file of the workflow in the body, which is not stored; as for a template."""
    workflow = _given(await request.body(), "workflow")
    command = LockWorkflow(pool=gateway.settings.pool, data=workflow, name=name, **writer.ids)
    return await installing.unless_hashing(installing.lock(writer, command), respond_async=respond_async)


@router.post("/lock/plan", response_model=WorkflowPlan, responses=HASHING | _TOO_LARGE, openapi_extra=_LOCK)
async def plan_of_lock(
    gateway: ReadyDep, writer: WriterDep, request: Request, respond_async: RespondAsyncDep
) -> Response:
    """Return what installing the lock file in the body would do; what is there with exactly its bytes is not listed."""
    lock_file = _given(await request.body(), "lock file")
    command = PlanLock(pool=gateway.settings.pool, lock=lock_file, **writer.ids_of("plan"))

    async def answer() -> Response:
        return json_answer(await installing.dry_run(gateway, writer, command))

    return await installing.unless_hashing(answer(), respond_async=respond_async)


@router.post("/lock/install", response_model=Installation, responses=HASHING | CONFLICT, openapi_extra=_LOCK)
async def install_lock(
    gateway: ReadyDep, writer: WriterDep, request: Request, respond_async: RespondAsyncDep
) -> Response:
    """Queue and link what the lock file in the body names and is not there with exactly these bytes."""
    command = PlanLock(pool=gateway.settings.pool, lock=_given(await request.body(), "lock file"), **writer.ids)

    async def answer() -> Response:
        files = await missing.plan(writer, command)
        return json_answer(await installing.install(gateway, writer, files, complete=True))

    return await installing.unless_hashing(answer(), respond_async=respond_async)


async def _scan(gateway: Gateway, writer: Writer, workflow: bytes) -> Json:
    command = ScanWorkflow(pool=gateway.settings.pool, data=_given(workflow, "workflow"), **writer.ids_of("scan"))
    reply = await writer.run(command)
    try:
        said = msgspec.convert(reply.data, _Scanned)
    except msgspec.ValidationError as error:
        raise away(f"The service catalog answered something else than a scan: {error}.") from error
    warnings = list(said.warnings)
    if said.format in {"unreadable", "other"}:
        code = "unreadable" if said.format == "unreadable" else "not_a_workflow"
        why = "; ".join(warning.get("message", "") for warning in warnings) or "It is JSON, but no workflow."
        raise ProblemError(422, code, f"The workflow cannot be read: {why}", warnings=warnings)
    references: list[Json] = msgspec.to_builtins(said.references)
    found = missing_of(references)
    return {
        "format": said.format,
        "complete": said.complete,
        "compatible": said.complete and not found,
        "missing_count": len(found),
        "missing_models": found,
        "references": references,
        "warnings": warnings,
    }


def _opened(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the workflow and the choices; what is no envelope is the workflow."""
    try:
        envelope = _envelope.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return body, {}
    try:
        choices = _choices.decode(envelope.choices)
    except msgspec.ValidationError as error:
        raise ProblemError(422, "invalid_request", f"choices: {error}.") from error
    if len(choices) > MAX_CHOICES:
        raise ProblemError(422, "invalid_request", f"choices: at most {MAX_CHOICES} are taken.")
    return bytes(envelope.workflow), choices


def _given(body: bytes, what: str) -> bytes:
    if not body.strip():
        raise ProblemError(422, "invalid_request", f"The body is empty; it must be the {what} as JSON.")
    return body
