"""Facts are kept for ever: what was once written must be read for ever, and mean the same."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from modeldeck_events import registry, upcasters
from modeldeck_events.message import Event

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "events"
FILES = sorted(GOLDEN.glob("*.json"))
TYPES = {event.TYPE: event for event in registry.EVENTS}


def type_of(path: Path) -> str:
    """`<type>.json`, or `<type>+<what>.json` for a further example of the same version."""
    return path.stem.partition("+")[0]


def test_every_type_has_a_golden_file() -> None:
    missing = TYPES.keys() - {type_of(path) for path in FILES}
    assert not missing, f"write tests/golden/events/<type>.json with every field set, for {sorted(missing)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_is_read_and_written_as_it_was(path: Path) -> None:
    name = type_of(path)
    assert name in TYPES, f"{name} is in logs out there: its class must stay registered"
    written = path.read_bytes()
    as_written = msgspec.json.decode(written, type=TYPES[name])
    assert json.loads(registry.encode(as_written)) == json.loads(written)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_becomes_the_newest_version(path: Path) -> None:
    event = registry.decode(type_of(path), path.read_bytes())
    assert isinstance(event, Event)
    older = {step.old for step in upcasters.UPCASTERS}
    assert type(event) not in older


@pytest.mark.parametrize("event", registry.EVENTS, ids=lambda event: event.TYPE)
def test_the_first_golden_file_sets_every_field(event: type[Event]) -> None:
    golden = {key for path in FILES if type_of(path) == event.TYPE for key in json.loads(path.read_bytes())}
    fields = {field.encode_name for field in msgspec.structs.fields(event)}
    assert golden == fields, "a field added later comes with `<type>+<what>.json`; the old file stays"


@pytest.mark.parametrize("event", registry.EVENTS, ids=lambda event: event.TYPE)
def test_type_names_follow_the_rule(event: type[Event]) -> None:
    product, aggregate, fact, version = event.TYPE.split(".")
    assert product == "modeldeck"
    assert aggregate.isalpha()
    assert fact.replace("-", "").isalpha()
    assert version.removeprefix("v").isdigit()
