"""Workflow templates: which models they need and miss (R-083 to R-086), installing these, their lock files.

A template's id contains slashes and may be any text. That it ends in the name of a route below it does no harm: where
`a` is a template, `a/plan` is a plan; a template `a/plan` cannot exist beside it, because `a` is a file.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from modeldeck_events.templates import LockWorkflow, PlanMissing

from gateway.boards.board import Json
from gateway.context import ReadyDep, WriterDep, json_answer, read_answer
from gateway.past import View, ViewDep
from gateway.problems import ProblemError, not_found
from gateway.routes import installing, missing
from gateway.routes.installing import HASHING, RespondAsyncDep
from gateway.routes.shapes import CONFLICT, NOT_FOUND
from gateway.routes.workflow_shapes import Choices, Installation, MissingModels, MissingPlan, Template, TemplateList

router = APIRouter(prefix="/workflows", tags=["workflows"])


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
    return json_answer({"template_id": template_id} | await installing.dry_run(gateway, writer, command))


@router.get(
    "/templates/{template_id:path}/lock", response_model=dict[str, Any], responses=HASHING | NOT_FOUND | CONFLICT
)
async def lock(  # noqa: PLR0913, PLR0917 - what FastAPI injects
    request: Request,
    gateway: ReadyDep,
    view: ViewDep,
    writer: WriterDep,
    template_id: str,
    respond_async: RespondAsyncDep,
) -> Response:
    """Return the template's lock file: every file that it needs with path, size, hash and source, to install the same
    bytes elsewhere. 409 while files are missing, 503 while they are still being hashed.
    """
    if _template(view, template_id) is None:
        return _whole(request, view, f"{template_id}/lock")
    command = LockWorkflow(pool=gateway.settings.pool, template_id=template_id, **writer.ids)
    return await installing.unless_hashing(installing.lock(writer, command), respond_async=respond_async)


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
    installing.check_choices(choices, template["references"], files, "template")
    done = await installing.install(gateway, writer, files, complete=template["complete"], choices=choices)
    now = _template(view, template_id)
    if now is not None and now["compatible"]:
        done["status"] = "compatible"
    return json_answer({"template_id": template_id} | done)


@router.get("/templates/{template_id:path}", response_model=Template, responses=NOT_FOUND)
async def get_template(request: Request, view: ViewDep, template_id: str) -> Response:
    """Return one template."""
    return _whole(request, view, template_id)


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
