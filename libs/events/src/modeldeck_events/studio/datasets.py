"""Facts about datasets. Subject `evt.dataset.<source>.<dataset id>`."""

from __future__ import annotations

from typing import ClassVar

from modeldeck_events.message import Event

AGGREGATE = "dataset"


class DatasetEvent(Event, frozen=True, kw_only=True):
    """Base of a dataset's facts."""

    dataset_id: str
    name: str = ""
    project_id: str = ""


class DatasetCreated(DatasetEvent, frozen=True, kw_only=True):
    """A dataset exists; it is being uploaded or prepared."""

    TYPE: ClassVar[str] = "modeldeck.dataset.created.v1"
    size_bytes: int | None = None
    items: int | None = None


class DatasetReady(DatasetEvent, frozen=True, kw_only=True):
    """The dataset can be used."""

    TYPE: ClassVar[str] = "modeldeck.dataset.ready.v1"
    size_bytes: int | None = None
    items: int | None = None


class DatasetFailed(DatasetEvent, frozen=True, kw_only=True):
    """The dataset could not be made ready."""

    TYPE: ClassVar[str] = "modeldeck.dataset.failed.v1"
    error: str


class DatasetDeleted(DatasetEvent, frozen=True, kw_only=True):
    """The dataset is no longer there."""

    TYPE: ClassVar[str] = "modeldeck.dataset.deleted.v1"


EVENTS: tuple[type[DatasetEvent], ...] = (DatasetCreated, DatasetReady, DatasetFailed, DatasetDeleted)
