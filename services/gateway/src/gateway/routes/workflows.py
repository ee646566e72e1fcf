"""Workflows: which models the templates need and miss (R-083 to R-086), installing these, scans, lock files.

A template's id contains slashes and may be any text. That it ends in the name of a route below it does no harm: where
`a` is a template, `a/plan` is a plan; a template `a/plan` cannot exist beside it, because `a` is a file.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query, Request, Response
from modeldeck_events import downloads as d
from modeldeck_events.templates import LockWorkflow, PlanLock, PlanMissing, ScanWorkflow
from pydantic import BaseModel, ConfigDict, Field

from gateway.boards.board import Json, known
from gateway.boards.templates import missing_of
from gateway.context import Gateway, ReadyDep, Writer, WriterDep, json_answer, read_answer
from gateway.past import View, ViewDep
from gateway.problems import ProblemError, away, not_found
from gateway.routes import missing
from gateway.routes.missing import PlannedFile
from gateway.routes.shapes import CONFLICT, NOT_FOUND, Problem, Shape, Volume, Warned

MAX_CHOICES = 1000
_ANY_JSON = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
_TOO_LARGE: dict[int | str, dict[str, Any]] = {413: {"model": Problem, "description": "Larger than 5 MiB"}}

router = APIRouter(prefix="/workflows", tags=["workflows"])


class Reference(Shape):
    """A model file that a workflow names. `status` `present`: where ComfyUI looks; `present_elsewhere`: `found_at` can
    be linked there; `ambiguous`: one of `candidates`.
    """

    path: str
    directory: str
    filename: str
    node_type: str
    input_name: str
    active: bool
    status: Literal["present", "present_elsewhere", "ambiguous", "missing"]
    form: Literal["folder", "stem"] | None = Field(None, description="absent for a file; stem: any extension will do")
    url: str | None = None
    sha256: str | None = None
    found_at: str | None = None
    candidates: list[str] | None = None


class Scan(Shape):
    """What a workflow needs. `missing_models` are the active references that are not `present`."""

    format: Literal["editor", "prompt", "unreadable"]
    complete: bool = Field(description="false: more may be needed than is listed, so it is not called compatible")
    compatible: bool
    missing_count: int
    missing_models: list[Reference]
    references: list[Reference]
    warnings: list[Warned]


class Template(Scan):
    """A stored workflow; its `id` is its root's name and its `path` below that."""

    id: str
    name: str
    root: str
    path: str
    modified_at: str
    size_bytes: int


class Skipped(Shape):
    """A JSON file that is no workflow."""

    id: str
    message: str


class TemplateList(Shape):
    """Templates in the order of their ids."""

    templates: list[Template]
    total: int
    compatible: int
    skipped: list[Skipped]


class MissingModels(Shape):
    """What a template misses."""

    template_id: str
    missing_models: list[Reference]
    can_generate: bool


class MissingSource(Shape):
    """Where a file can be had: kind `workflow` (its own word), `preset`, `repository`, `download` (where it once came
    from), or `choice` for the person's own URL.
    """

    kind: str
    url: str
    name: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    repo: str | None = None
    revision: str | None = None


class MissingFile(Shape):
    """What can be done about one missing file."""

    path: str
    status: str
    action: Literal["download", "link", "choose", "none"]
    source: MissingSource | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    from_path: str | None = None
    candidates: list[str] | None = None
    alternatives: list[MissingSource] | None = Field(None, description="the next best sources; a URL can be chosen")
    code: str | None = None
    message: str | None = None
    conflict: str | None = None


class WorkflowPlan(Shape):
    """A dry run of installing what is missing."""

    files: list[MissingFile]
    volumes: list[Volume]


class MissingPlan(WorkflowPlan):
    """A dry run of installing what a template misses."""

    template_id: str


class QueuedFile(Shape):
    """A file that is being had; `status` is its download's state, or `installed`."""

    path: str
    status: str
    download_id: str | None = None
    source: MissingSource | None = None


class LinkedFile(Shape):
    """A file that was there under another name."""

    path: str
    from_path: str


class UnresolvedModel(Shape):
    """A file about which nothing could be done; code `choose`, `no_source`, or that of the refusal."""

    path: str
    code: str
    message: str
    candidates: list[str] | None = None


class Installation(Shape):
    """What became of the missing files: `compatible` when nothing is missing (any more), else `queued`."""

    template_id: str | None = None
    status: Literal["queued", "compatible"]
    queued: list[QueuedFile]
    linked: list[LinkedFile]
    unresolved: list[UnresolvedModel]


class Choices(BaseModel):
    """For missing files by path: which file that is there is meant (it is linked), or a URL to fetch it from."""

    model_config = ConfigDict(extra="forbid")

    choices: dict[str, Annotated[str, Field(min_length=1, max_length=4096)]] = Field(
        default_factory=dict, max_length=MAX_CHOICES
    )


def template_list(state: Json, limit: int | None = None, offset: int = 0) -> Json:
    """Return the body of the list from the topic's state."""
    templates = list(state["templates"].values())
    return {
        "templates": templates[offset : None if limit is None else offset + limit],
        "total": state["total"],
        "compatible": state["compatible"],
        "skipped": list(state["skipped"].values()),
    }


@router.get("/templates", response_model=TemplateList)
async def list_templates(
    request: Request,
    view: ViewDep,
    limit: Annotated[int | None, Query(ge=1, le=200)] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """List the templates with what each needs and misses; all of them without `limit`."""
    return read_answer(request, template_list(view.topic("templates"), limit, offset))


@router.get("/templates/{template_id:path}/missing-models", response_model=MissingModels, responses=NOT_FOUND)
async def missing_models(request: Request, view: ViewDep, template_id: str) -> Response:
    """Return what the template misses; `can_generate` is true exactly when nothing is missing (R-086)."""
    template = _template(view, template_id)
    if template is None:
        return _whole(request, view, f"{template_id}/missing-models")
    return read_answer(
        request,
        {
            "template_id": template_id,
            "missing_models": template["missing_models"],
            "can_generate": template["compatible"],
        },
    )


@router.get("/templates/{template_id:path}/plan", response_model=MissingPlan, responses=NOT_FOUND)
async def plan(request: Request, gateway: ReadyDep, view: ViewDep, writer: WriterDep, template_id: str) -> Response:
    """Return how what the template misses can be had, and what that needs per volume; nothing is changed."""
    if _template(view, template_id) is None:
        return _whole(request, view, f"{template_id}/plan")
    command = PlanMissing(pool=gateway.settings.pool, template_id=template_id, **writer.ids_of("plan"))
    return json_answer({"template_id": template_id} | await _plan(gateway, writer, command))


@router.get("/templates/{template_id:path}/lock", response_model=dict[str, Any], responses=NOT_FOUND | CONFLICT)
async def lock(request: Request, gateway: ReadyDep, view: ViewDep, writer: WriterDep, template_id: str) -> Response:
    """Return the template's lock file: every file that it needs with path, size, hash and source, to install the same
    bytes elsewhere. 409 while files are missing, 503 while large ones are still being hashed.
    """
    if _template(view, template_id) is None:
        return _whole(request, view, f"{template_id}/lock")
    command = LockWorkflow(pool=gateway.settings.pool, template_id=template_id, **writer.ids)
    written = (await writer.run(command)).data.get("lock")
    if not isinstance(written, dict):
        raise away("The service catalog answered something else than a lock file.")
    body = json.dumps(written, indent=2, ensure_ascii=False) + "\n"
    return Response(body, 200, {"Content-Disposition": _attachment(template_id)}, media_type="application/json")


@router.post(
    "/templates/{template_id:path}/install-missing", response_model=Installation, responses=NOT_FOUND | CONFLICT
)
async def install_missing(
    gateway: ReadyDep, view: ViewDep, writer: WriterDep, template_id: str, body: Choices | None = None
) -> Response:
    """Queue and link everything that the template misses; what is under way already answers with its download."""
    template = _template(view, template_id)
    if template is None:
        raise _unknown(template_id)
    choices = body.choices if body else {}
    pool = gateway.settings.pool
    files = await missing.plan(writer, PlanMissing(pool=pool, template_id=template_id, **writer.ids_of("plan")))
    named = {reference["path"] for reference in template["references"]} | {file.path for file in files}
    for path in choices.keys() - named:
        raise ProblemError(422, "invalid_request", f"choices: the template names no file {path[:200]!a}.")
    done = await _install(gateway, writer, files, complete=template["complete"], choices=choices)
    now = _template(view, template_id)
    if now is not None and now["compatible"]:
        done["status"] = "compatible"
    return json_answer({"template_id": template_id} | done)


@router.get("/templates/{template_id:path}", response_model=Template, responses=NOT_FOUND)
async def get_template(request: Request, view: ViewDep, template_id: str) -> Response:
    """Return one template."""
    return _whole(request, view, template_id)


@router.post("/scan", response_model=Scan, responses=_TOO_LARGE, openapi_extra=_ANY_JSON)
async def scan(gateway: ReadyDep, writer: WriterDep, request: Request) -> Response:
    """Tell what the workflow in the body needs and misses; nothing is stored. 422 for what is no workflow."""
    return json_answer(await _scan(gateway, writer, await request.body()))


@router.post("/plan", response_model=WorkflowPlan, responses=_TOO_LARGE, openapi_extra=_ANY_JSON)
async def plan_of_workflow(gateway: ReadyDep, writer: WriterDep, request: Request) -> Response:
    """Return how what the workflow in the body misses can be had, and what that needs per volume; nothing is changed,
    and the workflow is not stored.
    """
    workflow = await request.body()
    scanned = await _scan(gateway, writer, workflow)
    if not scanned["missing_count"]:
        return json_answer({"files": [], "volumes": []})
    command = PlanMissing(pool=gateway.settings.pool, data=workflow, **writer.ids_of("plan"))
    return json_answer(await _plan(gateway, writer, command))


@router.post("/install-missing", response_model=Installation, responses=CONFLICT | _TOO_LARGE, openapi_extra=_ANY_JSON)
async def install_missing_of_workflow(gateway: ReadyDep, writer: WriterDep, request: Request) -> Response:
    """Queue and link everything that the workflow in the body misses; the workflow itself is not stored."""
    workflow = await request.body()
    scanned = await _scan(gateway, writer, workflow)
    command = PlanMissing(pool=gateway.settings.pool, data=workflow, **writer.ids_of("plan"))
    files = await missing.plan(writer, command) if scanned["missing_count"] else ()
    return json_answer(await _install(gateway, writer, files, complete=scanned["complete"]))


@router.post("/lock/plan", response_model=WorkflowPlan, responses=_TOO_LARGE, openapi_extra=_ANY_JSON)
async def plan_of_lock(gateway: ReadyDep, writer: WriterDep, request: Request) -> Response:
    """Return what installing the lock file in the body would do; what is there with exactly its bytes is not listed."""
    lock_file = _given(await request.body(), "lock file")
    command = PlanLock(pool=gateway.settings.pool, lock=lock_file, **writer.ids_of("plan"))
    return json_answer(await _plan(gateway, writer, command))


@router.post("/lock/install", response_model=Installation, responses=CONFLICT, openapi_extra=_ANY_JSON)
async def install_lock(gateway: ReadyDep, writer: WriterDep, request: Request) -> Response:
    """Queue and link what the lock file in the body names and is not there with exactly these bytes."""
    command = PlanLock(pool=gateway.settings.pool, lock=_given(await request.body(), "lock file"), **writer.ids)
    return json_answer(await _install(gateway, writer, await missing.plan(writer, command), complete=True))


async def _plan(gateway: Gateway, writer: Writer, command: PlanMissing | PlanLock) -> Json:
    files = await missing.plan(writer, command)
    specs = tuple(file.spec for file in files if file.spec is not None)
    room: Json = {}
    if specs:
        room = (await writer.run(d.PlanFiles(pool=gateway.settings.pool, files=specs, **writer.ids_of("room")))).data
    by_path = {entry["path"]: entry for entry in room.get("files", ())}
    return {
        "files": [_planned(file, by_path.get(file.path, {})) for file in files],
        "volumes": room.get("volumes", []),
    }


async def _scan(gateway: Gateway, writer: Writer, workflow: bytes) -> Json:
    command = ScanWorkflow(pool=gateway.settings.pool, data=_given(workflow, "workflow"), **writer.ids_of("scan"))
    said: Any = (await writer.run(command)).data
    references, warnings = said.get("references", []), said.get("warnings", [])
    if said.get("format") in {"unreadable", "other"}:
        code = "unreadable" if said["format"] == "unreadable" else "not_a_workflow"
        why = "; ".join(warning["message"] for warning in warnings) or "It is JSON, but no workflow."
        raise ProblemError(422, code, f"The workflow cannot be read: {why}", warnings=warnings)
    found = missing_of(references)
    return {
        "format": said["format"],
        "complete": said["complete"],
        "compatible": said["complete"] and not found,
        "missing_count": len(found),
        "missing_models": found,
        "references": references,
        "warnings": warnings,
    }


async def _install(
    gateway: Gateway,
    writer: Writer,
    files: tuple[PlannedFile, ...],
    *,
    complete: bool,
    choices: dict[str, str] | None = None,
) -> Json:
    if not files:
        if complete:
            return {"status": "compatible", "queued": [], "linked": [], "unresolved": []}
        text = "Nothing is known to be missing, but the workflow could not be read whole; its warnings say why."
        raise ProblemError(409, "incomplete", text)
    done = await missing.fetch(gateway, writer, files, choices)
    return {"status": "queued"} | done


def _planned(file: PlannedFile, room: Json) -> Json:
    stated = file.spec.size_bytes if file.spec else file.size_bytes
    shown: Json = msgspec.to_builtins(file)
    return shown | known(
        size_bytes=stated if stated is not None else room.get("size_bytes"),
        status=file.status,
        conflict=room.get("conflict"),
    )


def _given(body: bytes, what: str) -> bytes:
    if not body.strip():
        raise ProblemError(422, "invalid_request", f"The body is empty; it must be the {what} as JSON.")
    return body


def _template(view: View, template_id: str) -> Json | None:
    found: Json | None = view.topic("templates")["templates"].get(template_id)
    return found


def _whole(request: Request, view: View, template_id: str) -> Response:
    """Answer with the template of that id, whatever it ends in."""
    found = _template(view, template_id)
    if found is None:
        skipped = view.topic("templates")["skipped"].get(template_id)
        raise _unknown(template_id, skipped["message"] if skipped else "")
    return read_answer(request, found)


def _unknown(template_id: str, why: str = "") -> ProblemError:
    shown = ascii(template_id if len(template_id) <= 200 else template_id[:200] + "...")
    return not_found(f"There is no workflow template {shown}{f': {why}' if why else '.'}", "template_not_found")


def _attachment(template_id: str) -> str:
    """Return the Content-Disposition of a template's lock file, its name in any alphabet."""
    name = f"{PurePosixPath(template_id).stem}.lock.json"
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
