"""Facts about the files below a pool's models folder. Subject `evt.modelfile.<pool>.<path>`."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from modeldeck_events import subjects
from modeldeck_events.message import Event

AGGREGATE = "modelfile"


class ModelFileFound(Event, frozen=True, kw_only=True):
    """A model file is on the disk, newly or changed.

    `whole` false: its own header promises more bytes than there are; None: its format does not say.
    """

    TYPE: ClassVar[str] = "modeldeck.modelfile.found.v1"
    pool: str
    path: str
    size_bytes: int
    modified_at: datetime
    format: str = ""
    whole: bool | None = None


class ModelFileGone(Event, frozen=True, kw_only=True):
    """The file is no longer there."""

    TYPE: ClassVar[str] = "modeldeck.modelfile.gone.v1"
    pool: str
    path: str


EVENTS: tuple[type[Event], ...] = (ModelFileFound, ModelFileGone)


def subject(pool: str, path: str) -> str:
    """Subject of one model file's facts."""
    return subjects.event(AGGREGATE, pool, path)
