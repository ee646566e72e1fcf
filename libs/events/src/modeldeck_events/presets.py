"""Commands and facts of the preset catalog. Subjects `evt.preset.<preset id>` and `evt.catalog.presets`."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from modeldeck_events import subjects
from modeldeck_events.downloads import FileSpec
from modeldeck_events.message import Command, Event, Message

AGGREGATE = "preset"
CATALOG_SUBJECT = "evt.catalog.presets"


class PresetWarning(Message, frozen=True, kw_only=True):
    """An oddity of a preset that a person should see; `code` is stable (see `api.md`: path_conflict, page_link ...)."""

    code: str
    message: str


class PresetDefinition(Message, frozen=True, kw_only=True):
    """A named set of files. `size_bytes` is the sum of the files' sizes as far as known, `download_size` the
    catalog's own words; `type` is video, image, audio or what the catalog says. `version`, the times, `requirements`
    (words by name, such as vram) and `source` (who published it) are as the catalog states them.
    """

    id: str
    name: str
    category: str
    type: str
    files: tuple[FileSpec, ...]
    description: str = ""
    download_size: str = ""
    size_bytes: int | None = None
    use_case: str = ""
    tags: tuple[str, ...] = ()
    version: str | None = None
    license: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    requirements: dict[str, str] = msgspec.field(default_factory=dict)
    source: str | None = None
    warnings: tuple[PresetWarning, ...] = ()


class PresetPublished(Event, frozen=True, kw_only=True):
    """The preset exists with this definition from now on (new or changed)."""

    TYPE: ClassVar[str] = "modeldeck.preset.published.v1"
    preset: PresetDefinition


class PresetWithdrawn(Event, frozen=True, kw_only=True):
    """The preset is no longer in the catalog; what is installed stays."""

    TYPE: ClassVar[str] = "modeldeck.preset.withdrawn.v1"
    preset_id: str


class PresetUninstalled(Event, frozen=True, kw_only=True):
    """A person uninstalled the preset from the pool: `deleted` are the paths that went, `kept` those that something
    else needs. From now on the preset needs none of them, until it is queued again.
    """

    TYPE: ClassVar[str] = "modeldeck.preset.uninstalled.v1"
    pool: str
    preset_id: str
    deleted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    freed_bytes: int = 0


class Category(Message, frozen=True, kw_only=True):
    """A category of presets as the catalog names it."""

    name: str
    description: str = ""
    type: str = ""


class CatalogRefreshed(Event, frozen=True, kw_only=True):
    """A catalog file was read and taken over; the preset facts of this refresh stand before it in the log."""

    TYPE: ClassVar[str] = "modeldeck.catalog.refreshed.v1"
    version: str
    total_presets: int
    published: int
    withdrawn: int
    source: str
    categories: tuple[Category, ...] = ()
    last_updated: datetime | None = None
    warnings: tuple[PresetWarning, ...] = ()


class CatalogRefreshFailed(Event, frozen=True, kw_only=True):
    """A catalog could not be read; the last good one stays. `code` is stable."""

    TYPE: ClassVar[str] = "modeldeck.catalog.refresh-failed.v1"
    source: str
    code: str
    message: str


EVENTS: tuple[type[Event], ...] = (
    PresetPublished,
    PresetWithdrawn,
    PresetUninstalled,
    CatalogRefreshed,
    CatalogRefreshFailed,
)


def subject(preset_id: str) -> str:
    """Subject of one preset's facts."""
    return subjects.event(AGGREGATE, preset_id)


class RefreshPresets(Command, frozen=True, kw_only=True):
    """Read the catalog's source now. Reply data: `{status, message, total_presets, version}` (R-070)."""

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "refresh-presets"


class UninstallPreset(Command, frozen=True, kw_only=True):
    """Delete the preset's files, but none that something else needs; what is queued or running of it is refused (409).

    Reply data: `{preset_id, deleted: [path], freed_bytes, kept: [{path, needed_by}]}`; 404 when nothing of it is there.
    """

    SERVICE: ClassVar[str] = "catalog"
    VERB: ClassVar[str] = "uninstall-preset"
    KEY: ClassVar[str] = "pool"
    pool: str
    preset_id: str


COMMANDS: tuple[type[Command], ...] = (RefreshPresets, UninstallPreset)
