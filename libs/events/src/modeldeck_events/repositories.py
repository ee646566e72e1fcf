"""Commands and facts about repositories of model hubs and what is featured of them.

Subjects `evt.repository.<hub>.<repo>` and `evt.catalog.featured`.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from modeldeck_events import subjects
from modeldeck_events.message import Command, Event, Message
from modeldeck_events.modelfiles import ModelMetadata, Quantization

AGGREGATE = "repository"
FEATURED_SUBJECT = "evt.catalog.featured"

Hub = Literal["huggingface", "civitai"]


class Variant(Message, frozen=True, kw_only=True):
    """One file of a repository that can be chosen; a file in several parts is one variant with all of them in `parts`.

    `size_bytes` is of all parts. `url` is of the first part, pinned to the repository's revision; `sha256` is what the
    hub states of it (for Hugging Face's LFS files).
    """

    filename: str
    url: str
    size_bytes: int | None = None
    sha256: str | None = None
    quantization: Quantization | None = None
    parts: tuple[str, ...] = ()
    path: str = ""
    """Where below the models folder it belongs when it is downloaded."""


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


class RepositoryDescribed(Event, frozen=True, kw_only=True):
    """What a hub says of a repository, when it is new."""

    TYPE: ClassVar[str] = "modeldeck.repository.described.v1"
    repository: Repository


class FeaturedModel(Message, frozen=True, kw_only=True):
    """A model that the featured list recommends (R-165, R-166); `filename` is the recommended variant."""

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


class DescribeRepository(Command, frozen=True, kw_only=True):
    """Ask the hub about what a person wrote: `org/repo`, a page, a direct link to a file, a Civitai link (R-194).

    Reply data: `{repository, selected?, checked_at, stale?}`: a Repository as JSON, the file that the text named, and
    `stale` with the reason when the hub is away and this is what it said last. 404, 403 `gated`, 401, 422 `bad_link`,
    503 `hub_unreachable`.
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
