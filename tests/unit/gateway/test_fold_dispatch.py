"""A board is handed only the facts that it says it folds: so what it says has to be all that can change it."""

from pathlib import Path

import pytest
from gateway.boards.fold import Boards
from modeldeck_events import registry
from modeldeck_events.message import Event
from modeldeck_events.store import Record

from tests.unit.gateway.facts import START

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "events"
BOARDS = sorted(Boards().by_name())


def one_of_each() -> list[Record]:
    found = []
    for seq, path in enumerate(sorted(GOLDEN.glob("*.json")), start=1):
        name, data = path.stem.partition("+")[0], path.read_bytes()
        event = registry.decode(name, data)
        assert isinstance(event, Event)
        found.append(Record(seq, "evt.some.source.thing", f"id-{seq}", name, "source", START, data, event))
    return found


def test_there_is_a_fact_of_every_type() -> None:
    assert {type(record.event) for record in one_of_each()} == set(registry.EVENTS)


@pytest.mark.parametrize("name", BOARDS)
def test_no_other_fact_changes_a_board(name: str) -> None:
    boards = Boards()
    for record in one_of_each():
        boards.apply(record)
    board = boards.by_name()[name]
    for record in one_of_each():
        if isinstance(record.event, board.FOLDS):
            continue
        before = board.dump()
        assert not board.apply(record), f"{name} folds {record.type} and does not say so"
        assert board.dump() == before, f"{name} is changed by {record.type} and does not say so"


@pytest.mark.parametrize("name", [name for name in BOARDS if name != "models"])  # models saves nothing of its own
def test_a_board_folds_something(name: str) -> None:
    empty, boards = Boards().by_name()[name].dump(), Boards()
    for record in one_of_each():
        boards.apply(record)
    assert boards.by_name()[name].dump() != empty
