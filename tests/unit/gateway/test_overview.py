"""The dashboard's numbers over all boards: what is told counts, what never reported is named absent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway.boards import widgets
from gateway.boards.activity import only
from gateway.boards.board import Json
from gateway.boards.fold import Boards
from gateway.boards.overview import overview, stats
from gateway.boards.studio.jobs import Jobs
from modeldeck_events import envelope, registry, studio
from modeldeck_events import generations as g
from modeldeck_events.message import Event
from modeldeck_events.presets import PresetPublished
from modeldeck_events.readings import DiskSample, GpuSample, HostSample
from modeldeck_events.store import Record, Stamp
from modeldeck_events.studio import conversations as c
from modeldeck_events.studio import datasets as ds
from modeldeck_events.studio import projects as p
from modeldeck_events.studio import registered as m
from modeldeck_events.studio import servers as s
from modeldeck_events.studio import training as t

from tests.unit.gateway.facts import START, found, preset, queued, records

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ABSENT = ["generations", "conversations", "training", "models", "inference", "datasets", "gpu"]


def told(event: Event, seq: int, *, minutes_ago: float = 0.0, actor: str = "") -> Record:
    """A fact of another service as the log has it."""
    if isinstance(event, g.GenerationEvent):
        subject = g.subject(event.source, event.generation_id)
    else:
        subject = studio.subject("studio", event)
    stamp = Stamp("studio", f"{seq}", NOW - timedelta(minutes=minutes_ago), actor)
    headers, data = envelope.pack_foreign(subject, event, stamp)
    return envelope.unpack(seq, subject, headers, data)


def folded(*events: Event) -> Boards:
    boards = Boards()
    for seq, event in enumerate(events, start=1):
        boards.apply(told(event, seq, minutes_ago=len(events) - seq))
    return boards


def shown(boards: Boards) -> Json:
    entries = [item.data for item in boards.activity.newest("local", limit=50)]
    return overview(boards, entries, NOW, connected=True)


def test_nothing_told_is_no_data() -> None:
    assert stats(Boards()) == {
        "totalGenerations": 0,
        "modelsInstalled": 0,
        "storageUsed": "0 GB",
        "activeWorkflows": 0,
        "model_files": 0,
        "storage_used_bytes": 0,
        "absent": ["generations"],
    }
    seen = shown(Boards())
    assert seen["absent"] == ABSENT
    assert seen["quickStats"] == {}
    assert seen["recentActivity"] == []
    assert seen["systemStatus"] == {"trainingServer": "offline", "database": "connected", "inferenceServers": 0}


def test_the_home_page_counts_presets_files_and_generations() -> None:
    boards = Boards()
    for record in records([PresetPublished(preset=preset("a")), found("checkpoints/a.safetensors", 100)]):
        boards.apply(record)
    boards.apply(told(g.GenerationStarted(source="comfy", generation_id="1"), 3))
    boards.apply(told(g.GenerationCompleted(source="comfy", generation_id="2"), 4))
    assert stats(boards) == {
        "totalGenerations": 1,
        "modelsInstalled": 1,
        "storageUsed": "100 B",
        "activeWorkflows": 1,
        "model_files": 1,
        "storage_used_bytes": 100,
        "absent": [],
    }


def test_the_last_seven_days_are_counted_where_they_are_known() -> None:
    boards = Boards()
    for seq, days_ago in enumerate((8, 6, 1, 1, 0), start=1):
        event = g.GenerationCompleted(source="comfy", generation_id=f"{seq}")
        boards.apply(told(event, seq, minutes_ago=days_ago * 1440))
    assert "trends" not in stats(boards), "only with a time there are days"
    assert stats(boards, NOW)["trends"] == {"generations": [1, 0, 0, 0, 0, 2, 1]}
    assert "trends" not in shown(boards), "no conversation was ever told of"
    for seq, days_ago in enumerate((7, 2, 0), start=6):
        message = c.MessageSent(conversation_id="1", message_id=f"{seq}", tokens=10)
        boards.apply(told(message, seq, minutes_ago=days_ago * 1440))
    assert shown(boards)["trends"] == {"messages": [0, 0, 0, 0, 1, 0, 1], "tokens": [0, 0, 0, 0, 10, 0, 10]}


def test_days_whose_jobs_are_partly_forgotten_are_not_counted() -> None:
    jobs = Jobs(kept=4)
    for seq in range(1, 7):
        jobs.apply(told(g.GenerationCompleted(source="comfy", generation_id=f"{seq}"), seq, minutes_ago=-seq))
    assert jobs.count("generation") == 6
    assert jobs.completed_between("generation", NOW, NOW + timedelta(days=1)) is None
    late = NOW + timedelta(minutes=6)
    assert jobs.completed_between("generation", late, late + timedelta(days=1)) == 1


def test_a_studio_at_a_glance() -> None:
    boards = folded(
        c.ConversationStarted(conversation_id="1", title="Shots"),
        c.MessageSent(conversation_id="1", message_id="1", tokens=100),
        c.MessageSent(conversation_id="1", message_id="2", tokens=50, role="assistant", model="llama"),
        t.TrainingCompleted(job_id="1", name="LoRA"),
        t.TrainingFailed(job_id="2", error="out of memory"),
        t.TrainingStarted(job_id="3"),
        m.ModelRegistered(model_id="x"),
        ds.DatasetReady(dataset_id="1", name="Faces", items=120),
        ds.DatasetCreated(dataset_id="2"),
        s.ServerStarted(server_id="a"),
        s.ServerStarted(server_id="t", kind="training"),
        g.GenerationCompleted(source="comfy", generation_id="1"),
    )
    seen = shown(boards)
    assert seen["statistics"] == {
        "totalConversations": 1,
        "totalMessages": 2,
        "totalTrainingJobs": 3,
        "activeTrainingJobs": 1,
        "totalModels": 1,
        "runningServers": 1,
        "totalDatasets": 2,
        "readyDatasets": 1,
        "tokensThisWeek": 150,
        "messagesToday": 2,
    }
    assert seen["quickStats"] == {
        "trainingSuccessRate": 50.0,
        "averageConversationLength": 2.0,
        "mostUsedModel": "llama",
    }
    assert seen["systemStatus"]["trainingServer"] == "online"
    assert seen["absent"] == ["gpu"]
    assert [item["type"] for item in seen["recentActivity"]] == [
        "dataset",
        "dataset",
        "model",
        "training",
        "training",
        "training",
        "conversation",
    ]


def sample(**changed: Any) -> HostSample:
    base: dict[str, Any] = {
        "host": "box",
        "pool": "default",
        "at": START,
        "interval_s": 2.0,
        "cpu_percent": 1.0,
        "cpu_count": 2,
        "memory": None,
        "disks": (),
    }
    return HostSample(**base | changed)


def test_gpu_memory_is_of_all_gpus_that_report() -> None:
    boards = Boards()
    gpus = (
        GpuSample(index=0, name="a", memory_total_bytes=100, memory_used_bytes=78),
        GpuSample(index=1, name="b", memory_total_bytes=100, memory_used_bytes=0),
        GpuSample(index=2, name="lost", error="GPU is lost"),
    )
    boards.read(sample(gpus=gpus))
    assert shown(boards)["systemStatus"]["gpuMemory"] == {"used": 78, "total": 200, "percentage": 39.0}


@pytest.mark.parametrize(
    ("used", "level"), [(0, "ok"), (799, "ok"), (800, "warning"), (899, "warning"), (900, "critical")]
)
def test_disk_health_has_inclusive_thresholds_and_fractions(used: int, level: str) -> None:
    boards = Boards()
    disk = DiskSample(path="/m", total_bytes=1000, used_bytes=used, free_bytes=1000 - used, percent=used / 10)
    boards.read(sample(disks=(disk, DiskSample(path="/gone", error="No such device"))))
    health = widgets.disk_health(boards)
    assert (health["status"], health["usage_pct"]) == (level, used / 1000)
    assert (health["warning_threshold"], health["critical_threshold"]) == (0.8, 0.9)
    assert health["disks"][1] == {"path": "/gone", "status": "error", "error": "No such device"}


def test_disk_health_without_a_sample_is_absent_and_not_zero() -> None:
    health = widgets.disk_health(Boards())
    assert health["status"] == "absent"
    assert "used_bytes" not in health


def test_tasks_are_jobs_of_every_kind_running_ones_first() -> None:
    boards = folded(
        t.TrainingQueued(job_id="waiting"),
        t.TrainingCompleted(job_id="done"),
        g.GenerationStarted(source="comfy", generation_id="runs"),
    )
    for record in records([queued("download")], after=3):
        boards.apply(record)
    shown = widgets.tasks(boards, 10, NOW + timedelta(seconds=30))
    assert [(item["job_id"], item["status"]) for item in shown] == [
        ("runs", "running"),
        ("download", "queued"),
        ("waiting", "queued"),
        ("done", "completed"),
    ]
    assert shown[0]["elapsed_seconds"] == 30.0
    assert [item.get("queue_position") for item in shown] == [None, 1, 1, None]
    assert [item["job_id"] for item in widgets.tasks(boards, 0, NOW)] == ["runs", "download", "waiting"]


def test_the_feed_has_the_real_projects_names_and_filters() -> None:
    boards = folded(
        p.ProjectCreated(project_id="film", name="Film"),
        p.ReviewApproved(project_id="film", scene_id="3", actor_name="Ana"),
        p.ReviewRejected(project_id="other", scene_id="1", reason="Too dark."),
        p.CommentAdded(project_id="film", comment_id="k", text="<b>hm</b>", actor_name="Ben"),
        t.TrainingFailed(job_id="1", error="out of memory"),
    )
    wanted = boards.activity.newest("local", limit=9, wanted=only("review", "film"))
    assert [widgets.feed_item(item.data) for item in wanted] == [
        {
            "id": "rev_2",
            "event_type": "modeldeck.project.review-approved.v1",
            "category": "review",
            "source_entity_type": "scene",
            "source_entity_id": "3",
            "actor_name": "Ana",
            "payload": {
                "seq": 2,
                "type": "review",
                "status": "approved",
                "title": "Ana approved scene 3",
                "subtitle": "",
                "link": "/activity?project_id=film",
                "project_id": "film",
                "project_name": "Film",
            },
            "created_at": "2026-11-21T11:57:00.000Z",
        }
    ]
    everything = boards.activity.newest("local", limit=9, wanted=only(None, None))
    assert [item.data["category"] for item in everything] == [
        "job",
        "collaboration",
        "review",
        "review",
        "collaboration",
    ]


def test_entries_call_things_by_names_that_other_facts_said() -> None:
    boards = folded(
        p.ProjectStatusChanged(project_id="p1", status="active"),
        p.ProjectCreated(project_id="p1", name="Film"),
        p.SceneAdded(project_id="p1", scene_id="s3", title="The harbour"),
        p.ProjectStatusChanged(project_id="p1", status="blocked"),
        p.ReviewRejected(project_id="p1", scene_id="s3", reason="Too dark."),
        t.TrainingQueued(job_id="j", name="Portrait LoRA", project_id="p1"),
        t.TrainingFailed(job_id="j", project_id="p1", error="out of memory"),
    )
    told = [(e["title"], e["subtitle"], e.get("project_name")) for e in boards.activity.state()["activities"]]
    assert told == [
        ("Portrait LoRA", "out of memory", "Film"),
        ("Portrait LoRA", "Training queued", "Film"),
        ("Somebody rejected “The harbour”", "Too dark.", "Film"),
        ("Film", "The project is blocked", "Film"),
        ("Film", "Project created", "Film"),
        ("Project p1", "The project is active", "p1"),
    ]


@pytest.mark.parametrize("event", studio.EVENTS, ids=lambda event: event.TYPE)
def test_every_fact_is_folded_and_told_without_an_error(event: type[Event]) -> None:
    from tests.unit.events.test_golden import GOLDEN  # noqa: PLC0415 - the one place that knows an example of each

    fact = registry.decode(event.TYPE, (GOLDEN / f"{event.TYPE}.json").read_bytes())
    assert fact is not None
    boards = folded(fact)
    assert boards.studio.seen.knows("studio", "1")
    before = boards.dump()
    boards.apply(told(fact, 2))
    again = Boards()
    again.load(before)
    assert again.studio.dump() == folded(fact).studio.dump()
