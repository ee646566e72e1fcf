"""What other services have at present: datasets, servers, registered models. Each is as its newest fact says."""

from __future__ import annotations

from typing import Literal

import msgspec
from modeldeck_events.store import Record
from modeldeck_events.studio.datasets import DatasetCreated, DatasetDeleted, DatasetEvent, DatasetFailed, DatasetReady
from modeldeck_events.studio.registered import ModelRegistered, ModelUnregistered, RegisteredModelEvent
from modeldeck_events.studio.servers import ServerEvent, ServerStarted, ServerStopped

from gateway.boards.studio.register import Name, Newest, key_of

Kind = Literal["inference", "training"]


class _Thing(msgspec.Struct):
    name: Name = msgspec.field(default_factory=Name)
    state: Newest[str] = msgspec.field(default_factory=Newest)


class _Saved(msgspec.Struct):
    datasets: dict[str, _Thing] = {}
    servers: dict[Kind, dict[str, _Thing]] = {}
    models: dict[str, _Thing] = {}


class Stock:
    """Datasets (created, ready, failed, deleted), servers (running, stopped), models (registered, unregistered)."""

    VERSION = 1

    def __init__(self) -> None:
        self._saved = _Saved()

    def apply(self, record: Record) -> bool:
        """Fold one fact."""
        event, key = record.event, key_of(record)
        match event:
            case DatasetEvent():
                thing = self._saved.datasets.setdefault(key, _Thing())
            case ServerEvent():
                thing = self._saved.servers.setdefault(event.kind, {}).setdefault(key, _Thing())
            case RegisteredModelEvent():
                thing = self._saved.models.setdefault(key, _Thing())
            case _:
                return False
        thing.name.put(event.name, record)
        state, rank = _STATES[type(event)]
        thing.state.put(state, record, rank)
        return True

    @property
    def datasets(self) -> int:
        """How many datasets there are."""
        return sum(thing.state.value != "deleted" for thing in self._saved.datasets.values())

    @property
    def ready_datasets(self) -> int:
        """How many of them can be used."""
        return sum(thing.state.value == "ready" for thing in self._saved.datasets.values())

    @property
    def models(self) -> int:
        """How many models are registered."""
        return sum(thing.state.value == "registered" for thing in self._saved.models.values())

    def name(self, record: Record) -> str:
        """Return what the thing of a fact is called, "" when nobody said that."""
        saved, event = self._saved, record.event
        match event:
            case DatasetEvent():
                things = saved.datasets
            case ServerEvent():
                things = saved.servers.get(event.kind, {})
            case _:
                things = saved.models
        thing = things.get(key_of(record))
        return str(thing.name) if thing else ""

    def running(self, kind: Kind) -> int:
        """Return how many servers of this kind answer."""
        return sum(thing.state.value == "running" for thing in self._saved.servers.get(kind, {}).values())

    @property
    def reported(self) -> frozenset[str]:
        """Which of datasets, models, inference, training were ever told of."""
        saved = self._saved
        told = {"datasets": bool(saved.datasets), "models": bool(saved.models)}
        return frozenset(name for name, is_told in told.items() if is_told) | saved.servers.keys()

    def reset(self) -> None:
        """Forget everything."""
        self._saved = _Saved()

    def dump(self) -> bytes:
        """Return everything folded."""
        return msgspec.json.encode(self._saved)

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        self._saved = msgspec.json.decode(data, type=_Saved)


_STATES: dict[type, tuple[str, int]] = {
    DatasetCreated: ("created", 0),
    DatasetReady: ("ready", 1),
    DatasetFailed: ("failed", 1),
    DatasetDeleted: ("deleted", 2),
    ServerStarted: ("running", 0),
    ServerStopped: ("stopped", 1),
    ModelRegistered: ("registered", 0),
    ModelUnregistered: ("unregistered", 1),
}
"""What a fact makes of a thing, and which of two facts of the same moment comes last."""
