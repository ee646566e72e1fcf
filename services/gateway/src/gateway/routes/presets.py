"""Presets: the catalog with its installed state, and the queue as the presets' pages show it (R-060 to R-075)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from modeldeck_events import downloads as d
from modeldeck_events.presets import PresetDefinition, RefreshPresets, UninstallPreset
from pydantic import Field

from gateway.boards.queue import queue_object
from gateway.context import Gateway, ReadyDep, Writer, WriterDep, json_answer, read_answer
from gateway.past import ViewDep
from gateway.problems import ProblemError, not_found
from gateway.routes.models import NeededBy
from gateway.routes.shapes import CONFLICT, NOT_FOUND, Outcome, Plan, QueueObject, Shape, Warned

REFRESH_S = 35.0
"""The catalog may take 30 s to fetch its source (R-070)."""
UNINSTALL_S = 30.0
"""Deleting large files may take its time."""

router = APIRouter(prefix="/presets", tags=["presets"])


class PresetFile(Shape):
    """One file of a preset."""

    path: str
    url: str
    kind: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    optional: bool | None = None
    installed: bool


class ChangedFile(Shape):
    """One file that an update changes."""

    path: str
    change: Literal["new", "changed", "removed"]


class Preset(Shape):
    """A named set of files; `size` is text, `status` a download's state, or `installed`."""

    id: str
    name: str
    description: str
    download_size: str | None = None
    size: str | None = None
    size_bytes: int | None = None
    category: str
    type: str
    installed: bool
    status: str
    progress: float
    tags: list[str]
    version: str | None = None
    license: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    requirements: dict[str, str] | None = Field(None, description="words by name, such as vram_gb")
    source: str | None = Field(None, description="who published it")
    modified_at: str | None = None
    update_available: bool = Field(False, description="it is installed as the catalog had it before")
    installed_version: str | None = None
    changed_files: list[ChangedFile] | None = None
    download_id: str | None = None
    error: str | None = None
    error_code: str | None = Field(None, description="stable, such as path_conflict")
    warnings: list[Warned]
    files: list[PresetFile]


class PresetList(Shape):
    """Presets: installed ones first, the newest of them first; `warnings` are of the catalog file as a whole."""

    presets: list[Preset]
    total: int
    version: str
    warnings: list[Warned]


class PresetCategory(Shape):
    """A category of presets."""

    name: str
    description: str | None = None
    type: str | None = None
    count: int
    installed: int


class CategoryList(Shape):
    """All categories."""

    categories: list[PresetCategory]


class Refreshed(Shape):
    """The catalog was read again."""

    status: str
    message: str
    total_presets: int
    version: str


class KeptFile(Shape):
    """A file that an uninstalled preset named and that was left, because of these."""

    path: str
    needed_by: list[NeededBy]


class Uninstalled(Shape):
    """What an uninstallation did."""

    preset_id: str
    deleted: list[str]
    freed_bytes: int
    kept: list[KeptFile]


class PresetOutcome(Outcome):
    """What became of a command about a preset."""

    preset_id: str


def preset_list(state: dict[str, Any], limit: int | None = None, offset: int = 0) -> dict[str, Any]:
    """Return the body of the list from the topic's state."""
    presets = list(state["presets"].values())
    return {
        "presets": presets[offset : None if limit is None else offset + limit],
        "total": len(presets),
        "version": state["version"],
        "warnings": state["warnings"],
    }


def category_list(state: dict[str, Any]) -> dict[str, Any]:
    """Return the body of the categories from the topic's state."""
    return {"categories": list(state["categories"].values())}


@router.get("", response_model=PresetList)
async def list_presets(
    request: Request,
    view: ViewDep,
    limit: Annotated[int | None, Query(ge=1, le=200)] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """List presets, installed ones first, newest first; all of them without `limit`."""
    return read_answer(request, preset_list(view.topic("presets"), limit, offset))


@router.get("/categories", response_model=CategoryList)
async def list_categories(request: Request, view: ViewDep) -> Response:
    """List the categories with how many presets each has."""
    return read_answer(request, category_list(view.topic("presets")))


@router.get("/queue/status", response_model=QueueObject)
async def queue_status(request: Request, view: ViewDep) -> Response:
    """Return the queue object."""
    return read_answer(request, queue_object(view.topic("queue")))


@router.post("/refresh", response_model=Refreshed)
async def refresh(writer: WriterDep) -> Response:
    """Read the catalog's source again; running downloads are not touched."""
    reply = await writer.run(RefreshPresets(**writer.ids), timeout_s=REFRESH_S)
    return json_answer({"status": "success"} | reply.data)


@router.get("/{preset_id}", response_model=Preset, responses=NOT_FOUND)
async def get_preset(request: Request, view: ViewDep, preset_id: str) -> Response:
    """Return one preset."""
    found = view.topic("presets").get("presets", {}).get(preset_id)
    if found is None:
        raise _unknown(preset_id)
    return read_answer(request, found)


@router.delete("/{preset_id}", response_model=Uninstalled, responses=NOT_FOUND | CONFLICT)
async def uninstall(gateway: ReadyDep, writer: WriterDep, preset_id: str) -> Response:
    """Delete the preset's files, but none that something else needs; 404 when nothing of it is there, 409 while its
    download is open.
    """
    command = UninstallPreset(pool=gateway.settings.pool, preset_id=preset_id, **writer.ids)
    return json_answer((await writer.run(command, timeout_s=UNINSTALL_S)).data)


@router.post("/{preset_id}/install", response_model=PresetOutcome, responses=NOT_FOUND | CONFLICT)
async def install(gateway: ReadyDep, writer: WriterDep, preset_id: str, *, force: bool = False) -> Response:
    """Queue the preset; `installed` when it is there already, its present state when it is in the queue.

    Of a preset that the catalog changed since it was installed, only what changed is fetched.
    """
    preset, files = _definition(gateway, preset_id), gateway.boards.presets.to_install(preset_id)
    target = d.Target(id=f"preset:{preset.id}", kind="preset", name=preset.name, preset_id=preset.id)
    command = d.QueueDownload(
        pool=gateway.settings.pool,
        target_id=target.id,
        target=target,
        files=files,
        force=force,
        again=gateway.boards.presets.is_given_up(preset_id),
        **writer.ids,
    )
    reply = await writer.run(command)
    return json_answer({"preset_id": preset_id} | reply.data)


@router.post("/{preset_id}/pause", response_model=PresetOutcome, responses=NOT_FOUND)
async def pause(gateway: ReadyDep, writer: WriterDep, preset_id: str) -> Response:
    """Pause the preset's download; 404 when none is active."""
    command = d.PauseDownload(**_target(gateway, preset_id), **writer.ids)
    return await _act(writer, command, preset_id, "paused")


@router.post("/{preset_id}/resume", response_model=PresetOutcome, responses=NOT_FOUND)
async def resume(gateway: ReadyDep, writer: WriterDep, preset_id: str) -> Response:
    """Resume the preset's download; 404 when none is paused."""
    command = d.ResumeDownload(**_target(gateway, preset_id), **writer.ids)
    return await _act(writer, command, preset_id, "resumed")


@router.post("/{preset_id}/cancel", response_model=PresetOutcome, responses=NOT_FOUND)
async def cancel(gateway: ReadyDep, writer: WriterDep, preset_id: str, *, keep_partial: bool = True) -> Response:
    """Cancel the preset's download; 404 when there is none."""
    command = d.CancelDownload(**_target(gateway, preset_id), keep_partial=keep_partial, **writer.ids)
    return await _act(writer, command, preset_id, "cancelled")


@router.post("/{preset_id}/retry", response_model=PresetOutcome, responses=NOT_FOUND | CONFLICT)
async def retry(gateway: ReadyDep, writer: WriterDep, preset_id: str, *, force: bool = False) -> Response:
    """Queue a failed or cancelled download again; bytes still valid are kept unless `force`."""
    command = d.RetryDownload(**_target(gateway, preset_id), force=force, **writer.ids)
    return await _act(writer, command, preset_id, "retrying")


@router.get("/{preset_id}/plan", response_model=Plan, responses=NOT_FOUND)
async def plan(gateway: ReadyDep, writer: WriterDep, preset_id: str) -> Response:
    """Return what installing the preset would need, per volume; nothing is changed."""
    _definition(gateway, preset_id)
    files = gateway.boards.presets.to_install(preset_id)
    reply = await writer.run(d.PlanFiles(pool=gateway.settings.pool, files=files, **writer.ids))
    return json_answer({"preset_id": preset_id} | reply.data)


async def _act(writer: Writer, command: d.DownloadCommand, preset_id: str, status: str) -> Response:
    reply = await writer.run(command)
    download_id = reply.data.get("download_id")
    return json_answer(
        {"preset_id": preset_id, "status": status} | ({"download_id": download_id} if download_id else {})
    )


def _definition(gateway: Gateway, preset_id: str) -> PresetDefinition:
    found = gateway.boards.presets.definition(preset_id)
    if found is None:
        raise _unknown(preset_id)
    return found


def _target(gateway: Gateway, preset_id: str) -> dict[str, Any]:
    """Return pool and target of a preset that is in the catalog, or has been installed before it was withdrawn."""
    pool, target_id = gateway.settings.pool, f"preset:{preset_id}"
    if (
        gateway.boards.presets.definition(preset_id) is None
        and gateway.boards.downloads.latest(pool, target_id) is None
    ):
        raise _unknown(preset_id)
    return {"pool": pool, "target_id": target_id}


def _unknown(preset_id: str) -> ProblemError:
    return not_found(f"There is no preset {preset_id[:100]!a}.", "preset_not_found")
