"""Model files: what is on the disk, who needs each; deleting with undo, and giving a file a further name."""

from __future__ import annotations

import posixpath
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from modeldeck_events import downloads as d
from modeldeck_events.modelfiles import DeleteModelFile, LinkModelFile, PlanRestore
from modeldeck_events.paths import check_model_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.context import ReadyDep, WriterDep, json_answer, read_answer
from gateway.past import ViewDep
from gateway.problems import ProblemError, away, not_found
from gateway.routes.shapes import NOT_FOUND, Outcome, Problem, Shape

CHANGE_S = 30.0
"""Deleting a large file, or linking across a slow volume, may take its time."""

router = APIRouter(prefix="/models", tags=["models"])

ModelPath = Annotated[str, AfterValidator(check_model_path)]


class NeededBy(Shape):
    """Who would miss a file."""

    kind: Literal["preset", "template", "download"]
    id: str
    name: str


class ModelSource(Shape):
    """Where the bytes came from; `repo` when that is a hub's repository."""

    url: str
    repo: str | None = None


class ModelFile(Shape):
    """A model file that is on the disk. `path` is its name everywhere: below the models folder, or
    `@SECTION/FOLDER/...` in a folder that `extra_model_paths.yaml` names.
    """

    path: str
    folder: str = Field(description='the model folder (checkpoints ...), "" for none')
    filename: str
    root: str = Field(description='how the paths of its root begin, "" for the models folder itself')
    volume: str | None = Field(None, description="mount point")
    size_bytes: int
    modified_at: str
    last_used_at: str | None = Field(None, description="when a generation last loaded it, as far as that was told")
    format: str
    whole: bool | None = Field(None, description="false: its header promises more bytes; absent: its format cannot say")
    sha256: str | None = Field(None, description="absent until it was hashed")
    family: str | None = None
    metadata: dict[str, Any] | None = Field(None, description="what its own header says")
    needed_by: list[NeededBy]
    duplicates: list[str] | None = Field(None, description="up to ten other paths with the same content")
    source: ModelSource | None = None
    verified: Literal["sha256", "header", "size"] | None = Field(
        None,
        description="what agreed when it was fetched: the hash that its catalog or host stated, else only its header, "
        "or only its size; absent for a file that was not fetched from `source` as it is",
    )
    restorable: bool = Field(description="whether it is known where to have it again after it was deleted")


class DeletedModel(Shape):
    """A file that was deleted on request and is not there again."""

    path: str
    size_bytes: int
    deleted_at: str
    restorable: bool


class ModelList(Shape):
    """The model files by path, and the last 200 deleted ones, newest first."""

    models: list[ModelFile]
    total: int
    deleted: list[DeletedModel]


class ModelDeleted(Shape):
    """What a deletion did. `freed_bytes` is 0 when the content has another name (a hard link)."""

    path: str
    size_bytes: int
    freed_bytes: int
    restorable: bool
    needed_by: list[NeededBy]


class StillNeeded(Problem):
    """The file was not deleted, because of these."""

    needed_by: list[NeededBy]


class Restored(Outcome):
    """The file was queued; its status is that of the download. `restored_as` is where it will lie, when that is another
    path: a file of a folder that `extra_model_paths.yaml` names comes back below the models folder.
    """

    path: str
    restored_as: str | None = None


class LinkFrom(BaseModel):
    """Which file's content gets the further name."""

    model_config = ConfigDict(extra="forbid")

    from_path: ModelPath = Field(max_length=1000)


class Linked(Shape):
    """The content has a further name."""

    path: str
    from_path: str
    method: Literal["hardlink", "symlink"] | None = None


_NEEDED: dict[int | str, dict[str, Any]] = {409: {"model": StillNeeded, "description": "Something needs the file"}}
_CANNOT: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "The state forbids it"}}


def model_list(state: dict[str, Any], limit: int | None = None, offset: int = 0) -> dict[str, Any]:
    """Return the body of the list from the topic's state."""
    models = state["models"]
    paths = sorted(models)[offset : None if limit is None else offset + limit]
    return {
        "models": [models[path] for path in paths],
        "total": state["total"],
        "deleted": list(reversed(state["deleted"].values())),
    }


@router.get("", response_model=ModelList)
async def list_models(
    request: Request,
    view: ViewDep,
    limit: Annotated[int | None, Query(ge=1, le=200)] = None,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> Response:
    """List the model files by path; all of them without `limit`."""
    return read_answer(request, model_list(view.topic("models"), limit, offset))


@router.delete("/{path:path}", response_model=ModelDeleted, responses=NOT_FOUND | _NEEDED)
async def delete(gateway: ReadyDep, writer: WriterDep, path: str, *, force: bool = False) -> Response:
    """Delete a file, keeping what restores it; 409 with `needed_by` while something needs it, unless `force`."""
    command = DeleteModelFile(pool=gateway.settings.pool, path=_path(path), force=force, **writer.ids)
    return json_answer((await writer.run(command, timeout_s=CHANGE_S)).data)


@router.post("/{path:path}/restore", response_model=Restored, responses=NOT_FOUND | _CANNOT)
async def restore(gateway: ReadyDep, writer: WriterDep, path: str) -> Response:
    """Queue a deleted file again: the same bytes, verified. 409 `present` when it is there, `no_source` when nobody
    knows where to have it.
    """
    pool = gateway.settings.pool
    planned = await writer.run(PlanRestore(pool=pool, path=_path(path), **writer.ids_of("plan")))
    try:
        spec = msgspec.convert(planned.data.get("file"), d.FileSpec)
    except msgspec.ValidationError as error:
        raise away("The catalog's answer cannot be read.") from error
    target = d.Target(id=f"file:{spec.path}", kind="file", name=f"Restore {posixpath.basename(spec.path)}")
    command = d.QueueDownload(pool=pool, target_id=target.id, target=target, files=(spec,), **writer.ids)
    elsewhere = {"restored_as": spec.path} if spec.path != path else {}
    return json_answer({"path": path} | elsewhere | (await writer.run(command)).data)


@router.post("/{path:path}/link", response_model=Linked, responses=NOT_FOUND | _CANNOT)
async def link(gateway: ReadyDep, writer: WriterDep, path: str, body: LinkFrom) -> Response:
    """Give the content of `from_path` the further name `path`, without copying it."""
    command = LinkModelFile(pool=gateway.settings.pool, path=_new_path(path), from_path=body.from_path, **writer.ids)
    return json_answer((await writer.run(command, timeout_s=CHANGE_S)).data)


def _path(path: str) -> str:
    """Return the path of a file that may be known; 404 for what can be none."""
    try:
        return check_model_path(path)
    except ValueError as error:
        raise not_found(f"There is no model file {path[:100]!a}: {error}.", "model_not_found") from error


def _new_path(path: str) -> str:
    try:
        return check_model_path(path)
    except ValueError as error:
        raise ProblemError(422, "invalid_request", f"path: {error}.") from error
