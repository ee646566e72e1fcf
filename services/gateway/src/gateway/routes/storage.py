"""Storage: how full the volumes of the models are, and with what (R-160)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import Field

from gateway.context import read_answer
from gateway.past import ViewDep
from gateway.routes.shapes import Shape

router = APIRouter(prefix="/storage", tags=["models"])


class StorageVolume(Shape):
    """A volume that model files lie on, in bytes. How full it is, is absent until a host read it."""

    mount: str
    total_bytes: int | None = None
    used_bytes: int | None = None
    free_bytes: int | None = None
    models_bytes: int = Field(description="of model files; bytes with several names (hard links) count once")
    model_count: int
    error: str | None = Field(None, description="why it could not be read")
    stale: bool | None = Field(None, description="true: the host that read it fell silent")


class FolderShare(Shape):
    """The files of one model folder, each name in full."""

    folder: str
    bytes: int
    count: int


class FamilyShare(Shape):
    """The files of one model family, as far as their headers tell."""

    family: str
    bytes: int
    count: int


class DuplicateGroup(Shape):
    """A content with several names. `count` is how many there are, `paths` the first twenty."""

    sha256: str
    size_bytes: int
    count: int
    paths: list[str]
    reclaimable_bytes: int


class DuplicateFiles(Shape):
    """What linking the same contents would free: all of them, and those first which would free most."""

    reclaimable_bytes: int
    count: int
    groups: list[DuplicateGroup]


class UnusedFiles(Shape):
    """Files that no installed preset, no template and no download needs."""

    count: int
    bytes: int


class StorageReport(Shape):
    """The first four are R-160's: over the volumes that models lie on and that could be read."""

    total_bytes: int | None = None
    used_bytes: int | None = None
    available_bytes: int | None = None
    model_count: int
    models_bytes: int
    volumes: list[StorageVolume]
    folders: list[FolderShare]
    families: list[FamilyShare]
    duplicates: DuplicateFiles
    unused: UnusedFiles


@router.get("", response_model=StorageReport)
async def storage(request: Request, view: ViewDep) -> Response:
    """Return how much room there is and what takes it; of the past only what the log tells."""
    return read_answer(request, view.topic("models")["storage"])
