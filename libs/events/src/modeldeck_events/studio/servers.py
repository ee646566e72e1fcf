"""Facts about servers that run models or train them. Subject `evt.server.<source>.<server id>`."""

from __future__ import annotations

from typing import ClassVar, Literal

from modeldeck_events.message import Event

AGGREGATE = "server"


class ServerEvent(Event, frozen=True, kw_only=True):
    """Base of a server's facts."""

    server_id: str
    kind: Literal["inference", "training"] = "inference"
    name: str = ""


class ServerStarted(ServerEvent, frozen=True, kw_only=True):
    """The server answers; `model` is what it serves."""

    TYPE: ClassVar[str] = "modeldeck.server.started.v1"
    model: str = ""
    url: str = ""
    host: str = ""


class ServerStopped(ServerEvent, frozen=True, kw_only=True):
    """The server answers no more."""

    TYPE: ClassVar[str] = "modeldeck.server.stopped.v1"
    reason: str = ""


EVENTS: tuple[type[ServerEvent], ...] = (ServerStarted, ServerStopped)
