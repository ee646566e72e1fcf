"""When a model file was last used: as generations tell it, of the file that is meant where the files lie now."""

from datetime import timedelta

import pytest
from gateway.boards import words
from gateway.boards.fold import Boards
from gateway.boards.library import Library
from gateway.boards.uses import Uses
from modeldeck_events.generations import GenerationCompleted, GenerationStarted, ModelUse
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileGone

from tests.unit.gateway.facts import START, found, hashed, records


def use(directory: str, filename: str) -> ModelUse:
    return ModelUse(directory=directory, filename=filename)


def started(*models: ModelUse, generation: str = "p-1") -> GenerationStarted:
    return GenerationStarted(source="box:8188", generation_id=generation, models=models)


def folded(*events: Event) -> Boards:
    boards = Boards()
    for record in records(events):
        boards.apply(record)
    return boards


def used(boards: Boards) -> dict[str, str | None]:
    return {path: view.get("last_used_at") for path, view in boards.models.state()["models"].items()}


A, B = "checkpoints/a.safetensors", "loras/b.safetensors"


def test_a_file_that_a_generation_loads_was_used_then() -> None:
    boards = folded(found(A), found(B), started(use("checkpoints", "a.safetensors")))
    last = used(boards)
    assert last[A] is not None
    assert last[B] is None


def test_an_end_that_is_told_late_was_when_it_was() -> None:
    ended = GenerationCompleted(
        source="box:8188",
        generation_id="p-2",
        models=(use("checkpoints", "a.safetensors"),),
        finished_at=START - timedelta(days=2),
    )
    boards = folded(found(A), ended)
    assert used(boards)[A] == words.time(START - timedelta(days=2))
    early, late = folded(found(A), started(*ended.models), ended), folded(found(A), ended, started(*ended.models))
    assert used(early)[A] != words.time(START - timedelta(days=2)), "the newest use counts"
    assert used(late)[A] != words.time(START - timedelta(days=2))


def test_the_order_of_use_and_inventory_does_not_matter() -> None:
    generation = started(use("checkpoints", "a.safetensors"))
    assert used(folded(generation, found(A)))[A] is not None


@pytest.mark.parametrize("directory", ["", "checkpoints"])
def test_a_name_alone_means_the_only_file_of_that_name(directory: str) -> None:
    elsewhere = "checkpoints/sdxl/a.safetensors"
    boards = folded(found(elsewhere), started(use(directory, "a.safetensors")))
    assert used(boards)[elsewhere] is not None
    boards = folded(found(elsewhere), found("loras/a.safetensors"), started(use(directory, "a.safetensors")))
    assert set(used(boards).values()) == {None}, "two files of the name: nobody knows which"


def test_which_file_was_meant_follows_the_files() -> None:
    one, other = "checkpoints/sdxl/a.safetensors", "loras/a.safetensors"
    boards = Boards()
    steps: list[tuple[Event, set[str]]] = [
        (found(one), set()),
        (started(use("checkpoints", "a.safetensors")), {one}),
        (found(other), set()),
        (hashed(one, "a" * 64), set()),
        (hashed(other, "a" * 64), {one}),
        (found(A), {A}),
        (ModelFileGone(pool="default", path=A), {one}),
        (ModelFileGone(pool="default", path=one), {other}),
    ]
    for record, (_, expected) in zip(records(event for event, _ in steps), steps, strict=True):
        boards.apply(record)
        assert {path for path, last in used(boards).items() if last} == expected, record.seq


def test_a_use_is_told_to_those_who_look() -> None:
    boards = folded(found(A), found(B))
    boards.take_changes(0)
    (_, record) = records([found(A), started(use("checkpoints", "a.safetensors"))])
    boards.apply(record)
    assert "models" in boards.take_changes(1).topics
    boards.apply(record)
    assert "models" not in boards.take_changes(2).topics, "the same use again"


def test_uses_survive_a_snapshot_and_go_with_the_log() -> None:
    boards, again = folded(found(A), started(use("checkpoints", "a.safetensors"))), Boards()
    again.load(boards.dump())
    assert used(again) == used(boards)
    assert again.dump() == boards.dump()
    again.reset()
    assert again.uses.state() == {}


def test_what_was_not_used_for_the_longest_time_is_forgotten() -> None:
    boards = Boards()
    uses = Uses(Library(boards.downloads, pool="default"), kept=20)
    for record in records(started(use("loras", f"{n}.safetensors"), generation=str(n)) for n in range(21)):
        uses.apply(record)
    assert list(uses.state()) == [f"loras/{n}.safetensors" for n in range(2, 21)]
    assert uses.named("loras/2.safetensors")
    assert not uses.named("loras/0.safetensors")
