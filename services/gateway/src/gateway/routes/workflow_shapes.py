"""What the routes about workflows answer and take, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.routes.shapes import Shape, Volume, Warned

MAX_CHOICES = 1000
Choice = Annotated[str, Field(min_length=1, max_length=4096)]


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

    choices: dict[str, Choice] = Field(default_factory=dict, max_length=MAX_CHOICES)


class Hashing(Shape):
    """Not yet: the hashes of these files are being computed, these before all others. Ask again after Retry-After."""

    status: Literal["hashing"]
    paths: list[str]
    detail: str
