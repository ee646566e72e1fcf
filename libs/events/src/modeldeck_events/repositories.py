"""Commands and facts about repositories of model hubs and what is featured of them.

Subjects `evt.repository.<hub>.<repo>` and `evt.catalog.featured`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from modeldeck_events import subjects
from modeldeck_events.message import Command, Event, Message
from modeldeck_events.modelfiles import ModelMetadata, Quantization

AGGREGATE = "repository"
FEATURED_SUBJECT = "evt.catalog.featured"

Hub = Literal["huggingface", "civitai"]
Role = Literal["", "projector"]

MODEL_FOLDERS = frozenset(
    {
        "audio_encoders", "background_removal", "checkpoints", "clip", "clip_vision", "controlnet",
        "detection", "diffusers", "diffusion_models", "embeddings", "frame_interpolation", "geometry_estimation",
        "gligen", "hypernetworks", "latent_upscale_models", "llm", "loras", "model_patches", "optical_flow",
        "photomaker", "style_models", "text_encoders", "unet", "upscale_models", "vae", "vae_approx",
    }
)  # fmt: skip
"""Folders below a models folder by which ComfyUI finds files; `llm` is where Modeldeck puts GGUF files."""
_SAYS_NOTHING = re.compile(
    r"(?:adapter_model|diffusion_pytorch_model|model|open_clip_\w+|pytorch_\w+|weights?)(?:[.-].*)?", re.IGNORECASE
)
"""Names that files have in every repository of the libraries that write them (diffusers, transformers, peft)."""


class Variant(Message, frozen=True, kw_only=True):
    """One file of a repository that can be chosen; a file in several parts is one variant with all of them in `parts`.

    `size_bytes` is of all parts. `url` is of the first part, pinned to the repository's revision; `sha256` is what the
    hub states of it (for Hugging Face's LFS files). A file with the role `projector` turns pictures into tokens beside
    a model, and is none by itself.
    """

    filename: str
    url: str
    size_bytes: int | None = None
    sha256: str | None = None
    quantization: Quantization | None = None
    parts: tuple[str, ...] = ()
    path: str = ""
    """Where below the models folder it belongs when it is downloaded; "" when its name cannot be a path there."""
    role: Role = ""


class Repository(Message, frozen=True, kw_only=True):
    """A hub's repository of one model, at one revision (a commit). What the hub does not say is absent."""

    hub: Hub
    repo: str
    revision: str = ""
    likes: int | None = None
    downloads: int | None = None
    license: str | None = None
    tags: tuple[str, ...] = ()
    description: str | None = None
    model_type: str | None = None
    gated: Literal["", "auto", "manual"] = ""
    private: bool = False
    last_modified: datetime | None = None
    metadata: ModelMetadata | None = None
    links: dict[str, str] = msgspec.field(default_factory=dict)
    """huggingface or civitai: its page; further homepage, paper."""
    variants: tuple[Variant, ...] = ()
    left_out: int = 0
    """How many further variants there are: only so many are kept that the fact stays small."""


class RepositoryDescribed(Event, frozen=True, kw_only=True):
    """What a hub says of a repository, when it is new."""

    TYPE: ClassVar[str] = "modeldeck.repository.described.v1"
    repository: Repository


class FeaturedModel(Message, frozen=True, kw_only=True):
    """A model that the featured list recommends (R-165, R-166); `filename` is the recommended variant. Counts, stars
    and the size category are as the list states them.
    """

    id: str
    name: str
    repo: str
    filename: str = ""
    size_bytes: int | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    downloads: int | None = None
    downloads_24h: int | None = None
    likes: int | None = None
    stars: int | None = None
    size_category: str | None = None
    model_type: str | None = None
    family: str | None = None
    links: dict[str, str] = msgspec.field(default_factory=dict)
    published_at: datetime | None = None


class FeaturedPublished(Event, frozen=True, kw_only=True):
    """The list of featured models from now on."""

    TYPE: ClassVar[str] = "modeldeck.featured.published.v1"
    models: tuple[FeaturedModel, ...]
    last_updated: datetime | None = None
    source: str = ""
    warnings: tuple[str, ...] = ()


class FeaturedRefreshFailed(Event, frozen=True, kw_only=True):
    """The list could not be read; the last good one stays. `code` is stable."""

    TYPE: ClassVar[str] = "modeldeck.featured.refresh-failed.v1"
    source: str
    code: str
    message: str


EVENTS: tuple[type[Event], ...] = (RepositoryDescribed, FeaturedPublished, FeaturedRefreshFailed)


def subject(hub: Hub, repo: str) -> str:
    """Subject of one repository's facts."""
    return subjects.event(AGGREGATE, hub, repo)


def default_path(repo: str, filename: str) -> str:
    """Return where below the models folder a file of a Hugging Face repository belongs, unless a person says otherwise.

    The first rule that fits:

    1. below a folder that ComfyUI knows (`MODEL_FOLDERS`) in the repository: into that folder,
       `split_files/vae/ae.safetensors` → `vae/ae.safetensors`. A name that says nothing by itself keeps its repository:
       `vae/diffusion_pytorch_model.safetensors` → `vae/<repo>/diffusion_pytorch_model.safetensors`, so that two
       repositories never claim one path.
    2. GGUF: `llm/<repo>/<filename>`
    3. all else: `downloads/<repo>/<filename>`

    The result is not checked: `check_model_path` tells whether it may be used.
    """
    *folders, name = filename.split("/")
    for depth, folder in enumerate(folders):
        if folder in MODEL_FOLDERS:
            inside = [*folders[depth + 1 :], name]
            return "/".join([folder, *([repo] if _SAYS_NOTHING.fullmatch(name) else []), *inside])
    return f"{'llm' if name.lower().endswith('.gguf') else 'downloads'}/{repo}/{filename}"


class DescribeRepository(Command, frozen=True, kw_only=True):
    """Ask the hub about what a person wrote: `org/repo`, a page, a direct link to a file, a Civitai link (R-194).

    Reply data: `{repository, selected?, checked_at, stale?}`: a Repository as JSON, the file that the text named, and
    `stale` with the reason when the hub is away and this is what it said last (then `checked_at` is when it said so).
    `revision` counts where the text names none. It answers within 12 s. Refusals: 422 `bad_link`; 404
    `repository_not_found`, `revision_not_found`, `entry_not_found`; 403 `gated`, `forbidden`; 401 `unauthorized`; 429
    `rate_limited` (data: `{retry_after_s}` when the hub says so); 503 `hub_unreachable`; 502 `bad_answer`.
    """

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "describe-repository"
    text: str
    revision: str = ""


class RefreshFeatured(Command, frozen=True, kw_only=True):
    """Read the featured list's source now. Reply data: `{status, message, total}`."""

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "refresh-featured"


COMMANDS: tuple[type[Command], ...] = (DescribeRepository, RefreshFeatured)
