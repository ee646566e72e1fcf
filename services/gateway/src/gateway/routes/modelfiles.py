"""Model files by repository (R-161 to R-164) and the featured models (R-165, R-166)."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from gateway.boards.board import Json
from gateway.context import read_answer
from gateway.past import ViewDep
from gateway.problems import not_found
from gateway.routes.shapes import NOT_FOUND, Shape, Warned
from gateway.routes.storage import StorageReport

router = APIRouter(tags=["models"])

FileStatus = Literal["downloaded", "downloading", "available"]


class QuantizationShape(Shape):
    """How weights were shortened: bits per weight, and the method by its name."""

    bits: float | None = None
    method: str | None = None


class VariantMetadata(Shape):
    """What a file's header or its hub says of it; nothing is rated."""

    family: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    quantization: QuantizationShape | None = None
    context_length: int | None = None
    dtype: str | None = None
    license: str | None = None
    base_model: str | None = None


class ModelVariant(Shape):
    """One file; `size` is in bytes too. `path` is where it is, or would go. `progress` (0..100) and `download_id` while
    it is downloading; `outdated`: the hub has other bytes of this name by now; `whole` false: it is cut off.
    """

    filename: str
    size: int | None = None
    size_bytes: int | None = None
    status: FileStatus
    progress: float | None = Field(None, ge=0, le=100)
    download_id: str | None = None
    path: str | None = None
    url: str | None = None
    sha256: str | None = None
    parts: list[str] | None = Field(None, description="all files of it, when it comes in several")
    role: str | None = None
    quantization: QuantizationShape | None = None
    metadata: VariantMetadata
    outdated: bool | None = None
    whole: bool | None = None


class RepositoryMetadata(Shape):
    """What the hub says of the model, and of files that no hub described what they say alike."""

    model_family: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    quantization: QuantizationShape | None = None
    context_length: int | None = None
    base_model: str | None = None
    model_type: str | None = None
    license: str | None = None
    tags: list[str]
    likes: int | None = None
    downloads: int | None = None
    description: str | None = None
    links: dict[str, str]


class ModelRepository(Shape):
    """A hub's repository, or a folder of files that belong to none (`local`, named `local/<folder>`)."""

    repo: str
    hub: Literal["huggingface", "civitai"] | None = Field(None, description="absent until a hub described it")
    local: bool | None = None
    revision: str | None = None
    gated: str | None = None
    private: bool | None = None
    last_modified: str | None = None
    left_out: int | None = Field(None, description="how many further variants the hub has")
    metadata: RepositoryMetadata
    variants: list[ModelVariant]


class ModelFiles(Shape):
    """The storage and every repository."""

    storage: StorageReport
    repositories: list[ModelRepository]


class NamedMetadata(RepositoryMetadata):
    """The metadata of one repository."""

    repo: str


class RecommendedVariant(Shape):
    """The file that the list recommends."""

    filename: str
    size: int | None = None
    size_bytes: int | None = None


class FeaturedMetadata(Shape):
    """How the model is received on its hub."""

    downloads: int | None = None
    downloads_24h: int | None = None
    likes: int | None = None
    model_type: str | None = None
    family: str | None = None
    tags: list[str]


class FeaturedModel(Shape):
    """A model that the featured list recommends; `size_category` is XS below 1 GB, S below 4, M below 12, L below 40,
    else XL.
    """

    id: str
    name: str
    title: str
    description: str
    tags: list[str]
    size_category: Literal["XS", "S", "M", "L", "XL"] | None = None
    size_bytes: int | None = None
    repo: str
    filename: str | None = None
    recommended_variant: RecommendedVariant | None = None
    status: FileStatus
    path: str | None = None
    download_id: str | None = None
    metadata: FeaturedMetadata
    links: dict[str, str]
    published_at: str | None = None


class FeaturedModels(Shape):
    """The featured models; `last_updated` is absent until a list was read."""

    models: list[FeaturedModel]
    last_updated: str | None = None
    source: str | None = None
    warnings: list[Warned] | None = None


def featured_list(state: Json) -> Json:
    """Return the body of the featured models from the topic's state."""
    return state | {"models": list(state["models"].values())}


@router.get("/modelfiles", response_model=ModelFiles)
async def model_files(request: Request, view: ViewDep) -> Response:
    """Return the storage and every repository with its variants: those of hubs first, then the local folders."""
    return read_answer(request, {"storage": view.topic("models")["storage"]} | view.boards.repositories.state())


@router.get("/modelfiles/{repo:path}/metadata", response_model=NamedMetadata, responses=NOT_FOUND)
async def metadata(request: Request, view: ViewDep, repo: str) -> Response:
    """Return what is known of one repository's model."""
    found: dict[str, Any] | None = view.boards.repositories.metadata(repo)
    if found is None:
        raise not_found(f"No repository {repo[:200]!a} is listed.", "repository_not_found")
    return read_answer(request, found)


@router.get("/featured-models", response_model=FeaturedModels)
async def featured_models(request: Request, view: ViewDep) -> Response:
    """Return the featured models in the list's order, with whether they are here."""
    return read_answer(request, featured_list(view.topic("featured")))
