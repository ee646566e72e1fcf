"""Facts about models that other services register, not files (C-16). Subject `evt.model.<source>.<model id>`."""

from __future__ import annotations

from typing import ClassVar

from modeldeck_events.message import Event

AGGREGATE = "model"


class RegisteredModelEvent(Event, frozen=True, kw_only=True):
    """Base of a registered model's facts."""

    model_id: str
    name: str = ""
    project_id: str = ""


class ModelRegistered(RegisteredModelEvent, frozen=True, kw_only=True):
    """A model can be used by this name."""

    TYPE: ClassVar[str] = "modeldeck.model.registered.v1"
    base_model: str = ""
    size_bytes: int | None = None


class ModelUnregistered(RegisteredModelEvent, frozen=True, kw_only=True):
    """The model is no longer offered."""

    TYPE: ClassVar[str] = "modeldeck.model.unregistered.v1"


EVENTS: tuple[type[RegisteredModelEvent], ...] = (ModelRegistered, ModelUnregistered)
