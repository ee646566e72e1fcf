"""All event types by name: how a fact becomes JSON and is read back, in whatever version it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from modeldeck_events import (
    downloads,
    generations,
    hosts,
    modelfiles,
    pools,
    presets,
    readings,
    repositories,
    studio,
    system,
    templates,
    upcasters,
    users,
)
from modeldeck_events.errors import PoisonError
from modeldeck_events.message import UNREADABLE, Command, Event, Reading

EVENTS: tuple[type[Event], ...] = (
    *downloads.EVENTS,
    *pools.EVENTS,
    *presets.EVENTS,
    *modelfiles.EVENTS,
    *templates.EVENTS,
    *repositories.EVENTS,
    *generations.EVENTS,
    *hosts.EVENTS,
    *studio.EVENTS,
    *system.EVENTS,
    *users.EVENTS,
)
"""Every version of every event type; old versions stay here for as long as logs hold them."""

COMMANDS: tuple[type[Command], ...] = (
    *downloads.COMMANDS,
    *pools.COMMANDS,
    *presets.COMMANDS,
    *modelfiles.COMMANDS,
    *templates.COMMANDS,
    *repositories.COMMANDS,
    *system.COMMANDS,
)
READINGS: tuple[type[Reading], ...] = (*readings.READINGS, *generations.READINGS)

_ENCODER = msgspec.json.Encoder(decimal_format="string", order="deterministic")


class Registry:
    """Decodes facts by their type name, and lifts old versions to the newest one."""

    def __init__(self, events: Iterable[type[Event]], steps: Iterable[upcasters.Upcaster] = ()) -> None:
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        self._lift: dict[str, Callable[[Any], Event]] = {}
        for event in events:
            if not event.TYPE or event.TYPE in self._decoders:
                raise ValueError(f"{event.__name__}: the type name {event.TYPE!r} is empty or taken")
            self._decoders[event.TYPE] = msgspec.json.Decoder(event)
        for old, convert in upcasters.chain(steps).items():
            if old.TYPE not in self._decoders:
                raise ValueError(f"{old.TYPE} has an upcaster but is not registered")
            self._lift[old.TYPE] = convert

    def is_known(self, type_name: str) -> bool:
        """Tell whether `decode` reads facts of this type."""
        return type_name in self._decoders

    def decode(self, type_name: str, data: bytes) -> Event | None:
        """Return the fact in its newest version, None for a type that this version does not know.

        Raises PoisonError when `data` is not JSON or breaks the schema of its type.
        """
        decoder = self._decoders.get(type_name)
        if decoder is None:
            return None
        try:
            event: Event = decoder.decode(data)
        except UNREADABLE as error:
            raise PoisonError(f"{type_name}: {error}") from error
        lift = self._lift.get(type_name)
        return event if lift is None else lift(event)


_REGISTRY = Registry(EVENTS, upcasters.UPCASTERS)
decode = _REGISTRY.decode
is_known = _REGISTRY.is_known


def encode(message: Event | Command | Reading) -> bytes:
    """Return the message as JSON, byte for byte the same for equal messages; decimals travel as strings."""
    return _ENCODER.encode(message)
