"""What other services publish, folded: exact numbers whatever the order, with repetitions and late facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pytest
from gateway.boards.studio.chats import Chats, day, week
from gateway.boards.studio.jobs import Jobs, task
from gateway.boards.studio.projects import Projects, color
from gateway.boards.studio.seen import Seen
from gateway.boards.studio.stock import Stock
from hypothesis import given
from hypothesis import strategies as st
from modeldeck_events import generations as g
from modeldeck_events import studio
from modeldeck_events.message import Event
from modeldeck_events.store import Record
from modeldeck_events.studio import conversations as c
from modeldeck_events.studio import datasets as ds
from modeldeck_events.studio import projects as p
from modeldeck_events.studio import registered as m
from modeldeck_events.studio import servers as s
from modeldeck_events.studio import training as t

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def fact(event: Event, minute: float = 0.0, *, event_id: str = "", source: str = "studio", actor: str = "") -> Record:
    if isinstance(event, g.GenerationEvent):
        subject = g.subject(event.source, event.generation_id)
    else:
        subject = studio.subject(source, event)
    time = NOON + timedelta(minutes=minute)
    return Record(1, subject, event_id or f"{minute}", event.TYPE, source, time, b"", event, actor)


class Board(Protocol):
    def apply(self, record: Record) -> bool: ...
    def dump(self) -> bytes: ...
    def load(self, data: bytes) -> None: ...


def folded(board: Any, records: Sequence[Record]) -> Any:
    for record in records:
        board.apply(record)
    return board


JOB = (
    fact(t.TrainingQueued(job_id="1", name="LoRA", submitted_by="ana"), 0),
    fact(t.TrainingStarted(job_id="1", worker="gpu-2"), 1),
    fact(t.TrainingProgressed(job_id="1", percent=40, loss=0.5), 2),
    fact(t.TrainingProgressed(job_id="1", percent=80, loss=0.25, message="epoch 2"), 3),
)


def test_a_running_job_tells_who_where_and_how_far() -> None:
    [job] = folded(Jobs(), JOB).active()
    assert task(job) == {
        "id": "training:studio.1",
        "job_id": "1",
        "job_type": "training",
        "name": "LoRA",
        "status": "running",
        "progress_pct": 80,
        "progress_message": "epoch 2",
        "loss": 0.25,
        "started_at": "2026-11-21T12:01:00.000Z",
        "worker_id": "gpu-2",
        "submitted_by": "ana",
        "submitted_at": "2026-11-21T12:00:00.000Z",
    }


def test_an_end_ends_a_job_and_a_later_start_runs_it_again() -> None:
    jobs = folded(Jobs(), [*JOB, fact(t.TrainingFailed(job_id="1", error="out of memory"), 4)])
    assert [job.status.value for job in jobs.ended(5)] == ["failed"]
    assert list(jobs.active()) == []
    folded(jobs, [fact(t.TrainingStarted(job_id="1"), 5)])
    assert [job.status.value for job in jobs.active()] == ["running"]


def test_what_runs_comes_before_what_waits_in_the_order_of_submission() -> None:
    jobs = folded(
        Jobs(),
        [
            fact(t.TrainingQueued(job_id="late"), 3),
            fact(t.TrainingQueued(job_id="early"), 2),
            fact(t.TrainingStarted(job_id="running"), 9),
        ],
    )
    assert [job.job_id for job in jobs.active()] == ["running", "early", "late"]


def test_ended_jobs_are_forgotten_but_stay_counted() -> None:
    jobs = Jobs(kept=10)
    for number in range(25):
        folded(jobs, [fact(t.TrainingCompleted(job_id=str(number)), number)])
    assert jobs.count("training", "completed") == 25
    assert len(jobs.ended(100)) <= 10
    again = Jobs(kept=10)
    again.load(jobs.dump())
    assert again.count("training") == 25


def test_generations_are_jobs_too() -> None:
    jobs = folded(
        Jobs(),
        [
            fact(g.GenerationStarted(source="comfy", generation_id="a", workflow="portrait"), 1),
            fact(g.GenerationCompleted(source="comfy", generation_id="b", started_at=NOON), 2),
        ],
    )
    assert [job.job_id for job in jobs.active()] == ["a"]
    assert jobs.count("generation", "completed") == 1
    assert jobs.count("training") == 0


def test_a_deleted_conversation_no_longer_counts_but_its_tokens_were_spent() -> None:
    chats = folded(
        Chats(),
        [
            fact(c.ConversationStarted(conversation_id="1", title="Shots"), 0),
            fact(c.MessageSent(conversation_id="1", message_id="1", tokens=100), 1),
            fact(c.MessageSent(conversation_id="2", message_id="2", tokens=10, role="assistant", model="llama"), 2),
            fact(c.ConversationDeleted(conversation_id="1"), 3),
            fact(c.MessageSent(conversation_id="1", message_id="3"), 1.5),
        ],
    )
    assert (chats.conversations, chats.messages) == (1, 1)
    assert chats.messages_between(*day(NOON)) == 3
    assert chats.tokens_between(*week(NOON)) == 110
    assert chats.models() == {"llama": 1}


@pytest.mark.parametrize(
    ("zone", "sent", "today"),
    [
        ("UTC", "2026-11-21T00:00:00+00:00", True),
        ("UTC", "2026-11-20T23:59:59+00:00", False),
        ("Asia/Kathmandu", "2026-11-20T18:15:00+00:00", True),  # midnight there, at +05:45
        ("Asia/Kathmandu", "2026-11-20T18:14:59+00:00", False),
        ("America/New_York", "2026-11-21T04:59:59+00:00", False),
        ("America/New_York", "2026-11-22T04:59:59+00:00", True),
    ],
)
def test_a_day_begins_at_the_asked_zones_midnight(zone: str, sent: str, today: bool) -> None:
    minute = (datetime.fromisoformat(sent) - NOON).total_seconds() / 60
    chats = folded(Chats(), [fact(c.MessageSent(conversation_id="1", message_id="1"), minute)])
    assert chats.messages_between(*day(NOON.astimezone(ZoneInfo(zone)))) == int(today)


@pytest.mark.parametrize(
    ("sent", "counts"),
    [
        ("2026-11-16T00:00:00+00:00", True),  # a Monday
        ("2026-11-15T23:59:59+00:00", False),
        ("2026-11-22T23:59:59+00:00", True),
        ("2026-11-23T00:00:00+00:00", False),
    ],
)
def test_a_week_runs_from_monday_to_sunday(sent: str, counts: bool) -> None:
    minute = (datetime.fromisoformat(sent) - NOON).total_seconds() / 60
    chats = folded(Chats(), [fact(c.MessageSent(conversation_id="1", message_id="1", tokens=7), minute)])
    assert chats.tokens_between(*week(NOON)) == 7 * counts


@pytest.mark.parametrize("now", ["2026-03-29T12:00:00", "2026-10-25T12:00:00"])
def test_a_day_on_which_the_clock_changes_has_23_or_25_hours(now: str) -> None:
    start, end = day(datetime.fromisoformat(now).replace(tzinfo=ZoneInfo("Europe/Berlin")))
    hours = (end.astimezone(UTC) - start.astimezone(UTC)).total_seconds() / 3600
    assert hours == (23 if "03-29" in now else 25)


def test_things_are_as_their_newest_fact_says() -> None:
    stock = folded(
        Stock(),
        [
            fact(ds.DatasetReady(dataset_id="1"), 5),
            fact(ds.DatasetCreated(dataset_id="1", name="Faces"), 1),
            fact(ds.DatasetCreated(dataset_id="2"), 2),
            fact(ds.DatasetDeleted(dataset_id="3"), 3),
            fact(s.ServerStopped(server_id="a"), 4),
            fact(s.ServerStarted(server_id="a"), 3),
            fact(s.ServerStarted(server_id="b"), 3),
            fact(s.ServerStarted(server_id="t", kind="training"), 3),
            fact(m.ModelRegistered(model_id="x"), 1),
            fact(m.ModelUnregistered(model_id="x"), 2),
            fact(m.ModelRegistered(model_id="x"), 3, source="other"),
        ],
    )
    assert (stock.datasets, stock.ready_datasets, stock.models) == (2, 1, 1)
    assert (stock.running("inference"), stock.running("training")) == (1, 1)
    assert stock.reported == {"datasets", "models", "inference", "training"}
    assert Stock().reported == frozenset()


PROJECT = (
    fact(p.ProjectCreated(project_id="film", name="Film"), 0),
    *(fact(p.SceneAdded(project_id="film", scene_id=str(n)), 1, event_id=f"s{n}") for n in range(10)),
    *(fact(p.ReviewApproved(project_id="film", scene_id=str(n)), 2, event_id=f"a{n}") for n in range(8)),
)


def test_a_project_counts_its_approved_scenes() -> None:
    board = folded(Projects(), PROJECT)
    assert board.state()["projects"]["studio.film"] == {
        "project_id": "film",
        "project_name": "Film",
        "status": "active",
        "scenes_approved": 8,
        "scenes_total": 10,
        "progress_pct": 80.0,
        "status_color": "green",
    }


def test_a_rejection_takes_an_approval_back_and_a_removed_scene_does_not_count() -> None:
    changes = [
        fact(p.ReviewRejected(project_id="film", scene_id="0"), 3),
        fact(p.SceneRemoved(project_id="film", scene_id="1"), 3),
        fact(p.ReviewApproved(project_id="film", scene_id="99"), 3),
    ]
    shown = folded(Projects(), [*PROJECT, *changes]).state()["projects"]["studio.film"]
    assert (shown["scenes_approved"], shown["scenes_total"]) == (6, 9)


def test_a_comment_makes_no_project() -> None:
    board = folded(Projects(), [fact(p.CommentAdded(project_id="film", comment_id="k", text="Warmer"), 0)])
    assert (board.state(), board.reported) == ({"projects": {}}, False)


@pytest.mark.parametrize("status", ["archived", "closed"])
def test_a_project_that_is_over_is_not_shown(status: Any) -> None:
    board = folded(Projects(), [*PROJECT, fact(p.ProjectStatusChanged(project_id="film", status=status), 4)])
    assert board.state() == {"projects": {}}
    assert board.reported


@pytest.mark.parametrize(
    ("percent", "expected"), [(75.1, "green"), (75, "yellow"), (50, "yellow"), (49.9, "red"), (0, "red")]
)
def test_colours_of_progress(percent: float, expected: str) -> None:
    assert color(percent) == expected
    assert color(percent, blocked=True) == "red"


def test_a_repetition_is_known_within_its_source_as_far_back_as_is_kept() -> None:
    seen = Seen(kept=2)
    one, other = fact(JOB[0].event or t.TrainingStarted(job_id="1"), 0, event_id="1"), "trainer"
    assert not seen.is_repetition(one)
    assert seen.is_repetition(one)
    assert not seen.is_repetition(fact(t.TrainingStarted(job_id="1"), 0, event_id="1", source=other))
    again = Seen(kept=2)
    again.load(seen.dump())
    assert again.knows(other, "1")
    assert not again.is_repetition(fact(t.TrainingStarted(job_id="1"), 0, event_id="2"))
    assert not again.knows("studio", "1"), "the oldest is forgotten first"


IDS = st.sampled_from(["1", "2"])
STATUS = st.sampled_from(["active", "blocked", "archived", "closed"])
EVENTS = st.one_of(
    st.builds(t.TrainingQueued, job_id=IDS, name=st.sampled_from(["", "a", "b"])),
    st.builds(t.TrainingStarted, job_id=IDS, worker=IDS),
    st.builds(t.TrainingProgressed, job_id=IDS, percent=st.floats(-5, 105)),
    st.builds(t.TrainingCompleted, job_id=IDS),
    st.builds(t.TrainingFailed, job_id=IDS, error=st.just("e")),
    st.builds(c.ConversationStarted, conversation_id=IDS, title=IDS),
    st.builds(c.MessageSent, conversation_id=IDS, message_id=IDS, tokens=st.integers(0, 9)),
    st.builds(c.ConversationDeleted, conversation_id=IDS),
    st.builds(ds.DatasetCreated, dataset_id=IDS),
    st.builds(ds.DatasetReady, dataset_id=IDS),
    st.builds(ds.DatasetDeleted, dataset_id=IDS),
    st.builds(s.ServerStarted, server_id=IDS),
    st.builds(s.ServerStopped, server_id=IDS),
    st.builds(m.ModelRegistered, model_id=IDS),
    st.builds(m.ModelUnregistered, model_id=IDS),
    st.builds(p.ProjectCreated, project_id=IDS, name=IDS),
    st.builds(p.ProjectStatusChanged, project_id=IDS, status=STATUS),
    st.builds(p.SceneAdded, project_id=IDS, scene_id=IDS),
    st.builds(p.SceneRemoved, project_id=IDS, scene_id=IDS),
    st.builds(p.ReviewApproved, project_id=IDS, scene_id=IDS),
    st.builds(p.ReviewRejected, project_id=IDS, scene_id=IDS),
)


def numbers(records: Sequence[Record]) -> Any:
    """Every number that the boards tell after folding these records, repetitions left out as the fold does it."""
    seen, jobs, chats, stock, projects = Seen(), Jobs(), Chats(), Stock(), Projects()
    for record in records:
        if not seen.is_repetition(record):
            for board in (jobs, chats, stock, projects):
                board.apply(record)
    return (
        [task(job) for job in jobs.active()],
        [task(job) for job in jobs.ended(9)],
        (chats.conversations, chats.messages, chats.tokens_between(*week(NOON))),
        (stock.datasets, stock.ready_datasets, stock.models, stock.running("inference")),
        projects.state(),
    )


@given(st.data(), st.lists(st.tuples(EVENTS, st.integers(0, 3)), max_size=15))
def test_neither_order_nor_repetition_changes_a_number(data: st.DataObject, told: list[tuple[Event, int]]) -> None:
    records = [fact(event, minute, event_id=f"{number}") for number, (event, minute) in enumerate(told)]
    repeated = records + data.draw(st.lists(st.sampled_from(records), max_size=5)) if records else []
    assert numbers(data.draw(st.permutations(repeated))) == numbers(records)


@given(st.lists(st.tuples(EVENTS, st.integers(0, 3)), max_size=15), st.integers(0, 15))
def test_a_saved_state_goes_on_as_the_state_itself(told: list[tuple[Event, int]], split: int) -> None:
    records = [fact(event, minute, event_id=f"{number}") for number, (event, minute) in enumerate(told)]
    for kind in (Jobs, Chats, Stock, Projects):
        whole = folded(kind(), records)
        part = folded(kind(), records[:split])
        again = kind()
        again.load(part.dump())
        assert folded(again, records[split:]).dump() == whole.dump()
