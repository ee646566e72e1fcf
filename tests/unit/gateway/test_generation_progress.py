"""A running generation's progress comes as readings, and is shown among the active tasks."""

from datetime import timedelta
from typing import Any

from gateway.boards.fold import Boards
from gateway.boards.studio import jobs
from modeldeck_events import generations as g
from modeldeck_events.generations import GenerationCompleted, GenerationProgressed, GenerationStarted

from tests.unit.gateway.facts import START, records

STARTED = GenerationStarted(source="box:8188", generation_id="p-1", workflow="Portrait")
ENDED = GenerationCompleted(source="box:8188", generation_id="p-1")
KEY = "generation:box%3A8188.p-1"


def reading(percent: float | None = 30.0, *, at_s: float = 1, **more: Any) -> g.GenerationProgress:
    fields: dict[str, Any] = {
        "source": "box:8188",
        "generation_id": "p-1",
        "at": START + timedelta(seconds=at_s),
    } | more
    return g.GenerationProgress(percent=percent, **fields)


def shown(boards: Boards) -> dict[str, Any]:
    tasks = boards.studio.state()["tasks"]
    assert len(tasks) == 1
    task: dict[str, Any] = next(iter(tasks.values()))
    return task


def test_progress_and_step_of_a_run_are_shown_until_it_ends() -> None:
    boards = Boards()
    started, ended = records([STARTED, ENDED])
    boards.apply(started)
    assert "progress_pct" not in shown(boards)
    boards.take_changes(0)
    boards.read(reading(30.0, node_type="KSampler", step=3, steps=20))
    assert (shown(boards)["progress_pct"], shown(boards)["progress_message"]) == (30.0, "KSampler, step 3 of 20")
    assert boards.take_changes(1).topics == {"active-tasks"}
    boards.read(reading(None, at_s=2, node_type="VAEDecode", step=1, steps=1))
    assert shown(boards)["progress_message"] == "VAEDecode"
    assert "progress_pct" not in shown(boards)
    boards.apply(ended)
    assert (shown(boards)["status"], shown(boards)["progress_pct"]) == ("completed", 100.0)
    assert "progress_message" not in shown(boards)
    boards.take_changes(2)
    boards.read(reading(99.0, at_s=3))  # late
    assert boards.take_changes(3).topics == frozenset()


def test_a_reading_that_comes_before_the_fact_is_not_lost() -> None:
    boards = Boards()
    boards.read(reading(12.0))
    (started,) = records([STARTED])
    boards.apply(started)
    assert shown(boards)["progress_pct"] == 12.0


def test_the_newer_of_reading_and_fact_counts() -> None:
    boards = Boards()
    for record in records([STARTED, GenerationProgressed(source="box:8188", generation_id="p-1", percent=40.0)]):
        boards.apply(record)
    boards.read(reading(30.0, at_s=-3600))
    assert shown(boards)["progress_pct"] == 40.0
    boards.read(reading(50.0, at_s=3600))
    assert shown(boards)["progress_pct"] == 50.0


def test_readings_survive_a_new_beginning_of_the_fold_and_are_bounded() -> None:
    boards = Boards()
    (started,) = records([STARTED])
    boards.apply(started)
    boards.read(reading(12.0))
    boards.reset()
    boards.apply(started)
    assert shown(boards)["progress_pct"] == 12.0
    for n in range(jobs.READINGS_KEPT + 10):
        boards.read(reading(1.0, generation_id=f"other-{n}"))
    assert len(boards.studio.jobs._readings) == jobs.READINGS_KEPT
