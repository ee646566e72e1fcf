"""A gateway that starts with nothing new in the log shows what its snapshot holds."""

from __future__ import annotations

from gateway.boards.fold import Boards


def test_new_and_loaded_boards_are_shown_before_anything_happens() -> None:
    loaded = Boards()
    loaded.load(Boards().dump())
    for boards in (Boards(), loaded):
        assert boards.take_changes(0.0).topics >= {"queue", "presets"}
        assert boards.take_changes(0.0).topics == frozenset()
