"""A scripted studio published from outside, over HTTP and the bus: exact numbers, also after a rebuild from zero."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway.boards.fold import Boards
from gateway.boards.overview import overview, stats
from modeldeck_events import generations as g
from modeldeck_events import registry, studio
from modeldeck_events.message import Event
from modeldeck_events.store import Stamp
from modeldeck_events.studio import conversations as c
from modeldeck_events.studio import datasets as ds
from modeldeck_events.studio import projects as p
from modeldeck_events.studio import registered as m
from modeldeck_events.studio import servers as s
from modeldeck_events.studio import training as t

from tests.integration.gateway.conftest import Product
from tests.integration.gateway.sse_client import Follower

BATCH = "application/cloudevents-batch+json"
SOURCE = "studio"
Told = Iterator[tuple[Event, datetime]]


def cloudevent(event: Event, event_id: str, time: datetime) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": event.TYPE,
        "time": time.isoformat(),
        "data": json.loads(registry.encode(event)),
    }


def script(now: datetime) -> list[tuple[Event, datetime]]:
    """Return a week in a studio: what happened, and when."""
    today, last_month = now - timedelta(minutes=1), now - timedelta(days=31)
    return [
        *chats(today, last_month),
        *trainings(today, last_month),
        *stock(today, last_month),
        *projects(today, last_month),
    ]


def chats(today: datetime, last_month: datetime) -> Told:
    for number in range(200):
        chat = f"chat-{number}"
        begun = today if number < 50 else last_month
        yield c.ConversationStarted(conversation_id=chat, title=f"Chat {number}", model="llama"), begun
        yield c.MessageSent(conversation_id=chat, message_id="q", tokens=10), begun
        yield c.MessageSent(conversation_id=chat, message_id="a", role="assistant", tokens=90, model="llama"), begun
    yield c.ConversationDeleted(conversation_id="chat-199"), today


def trainings(today: datetime, last_month: datetime) -> Told:
    yield t.TrainingQueued(job_id="1", name="LoRA", submitted_by="ana"), today
    yield t.TrainingStarted(job_id="1", worker="gpu-2", total_steps=100), today + timedelta(seconds=1)
    for step in range(10, 100, 10):
        yield t.TrainingProgressed(job_id="1", percent=step, step=step, loss=1 / step), today + timedelta(seconds=step)
    for number in range(2, 5):
        yield t.TrainingCompleted(job_id=f"{number}", name="done", duration_s=60), last_month
    yield t.TrainingFailed(job_id="5", error="out of memory"), last_month
    yield g.GenerationCompleted(source=SOURCE, generation_id="1"), last_month
    yield g.GenerationStarted(source=SOURCE, generation_id="2", workflow="portrait"), today


def stock(today: datetime, last_month: datetime) -> Told:
    for number in range(7):
        yield ds.DatasetCreated(dataset_id=f"{number}", name=f"Set {number}"), last_month
        if number < 5:
            yield ds.DatasetReady(dataset_id=f"{number}", items=100), today
    yield ds.DatasetDeleted(dataset_id="6"), today
    for number in range(6):
        yield s.ServerStarted(server_id=f"{number}", model="llama"), today
        if number % 2:
            yield s.ServerStopped(server_id=f"{number}", reason="scaled down"), today + timedelta(seconds=5)
    yield s.ServerStarted(server_id="trainer", kind="training"), today
    yield m.ModelRegistered(model_id="portrait-v2", name="Portrait"), today


def projects(today: datetime, last_month: datetime) -> Told:
    for project, scenes, approved in (("film", 10, 8), ("ad", 4, 1)):
        yield p.ProjectCreated(project_id=project, name=project.title()), last_month
        for scene in range(scenes):
            yield p.SceneAdded(project_id=project, scene_id=f"{scene}"), last_month
        for scene in range(approved):
            yield p.ReviewApproved(project_id=project, scene_id=f"{scene}", actor_name="Ana"), today
    yield p.ReviewApproved(project_id="ad", scene_id="3"), today
    yield p.ReviewRejected(project_id="ad", scene_id="3", reason="Too dark."), today + timedelta(seconds=1)
    yield p.ProjectCreated(project_id="old", name="Old"), last_month
    yield p.ProjectStatusChanged(project_id="old", status="archived"), today


def as_batches(items: list[dict[str, Any]], size: int = 400) -> Iterable[str]:
    return (json.dumps(items[start : start + size]) for start in range(0, len(items), size))


async def published(product: Product, items: list[dict[str, Any]]) -> tuple[int, int]:
    """Publish in batches; return how many were accepted, and how many were known."""
    accepted = duplicates = 0
    for batch in as_batches(items):
        answer = await product.http.post("/api/v1/events", content=batch, headers={"Content-Type": BATCH})
        assert answer.status_code == 200, answer.text
        accepted, duplicates = accepted + answer.json()["accepted"], duplicates + answer.json()["duplicates"]
    return accepted, duplicates


@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
async def test_a_scripted_studio_gives_exactly_its_numbers(product: Product, shuffle: bool) -> None:
    now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    now -= timedelta(days=1) if now > datetime.now(UTC) else timedelta()
    items = [cloudevent(event, f"{number}", time) for number, (event, time) in enumerate(script(now))]
    if shuffle:
        random.Random(7).shuffle(items)
    first = len(items) // 2
    assert await published(product, items[:first]) == (first, 0)
    again = random.Random(8).sample(items[:first], 40)
    assert await published(product, items[first:] + again) == (len(items) - first, 40)

    records = await product.app.service.store.read(after=0, limit=10_000)
    boards = product.app.boards
    seen = overview(boards, (), now, connected=True)
    assert seen["statistics"] == {
        "totalConversations": 199,
        "totalMessages": 398,
        "totalTrainingJobs": 5,
        "activeTrainingJobs": 1,
        "totalModels": 1,
        "runningServers": 3,
        "totalDatasets": 6,
        "readyDatasets": 5,
        "tokensThisWeek": 5000,
        "messagesToday": 100,
    }
    assert seen["quickStats"] == {
        "trainingSuccessRate": 75.0,
        "averageConversationLength": 2.0,
        "mostUsedModel": "llama",
    }
    assert seen["systemStatus"]["trainingServer"] == "online"
    assert seen["absent"] == ["gpu"]

    projects = (await product.http.get("/api/v1/dashboard/widgets/project-progress")).json()["data"]
    shown = [
        (one["project_name"], one["scenes_approved"], one["scenes_total"], one["status_color"]) for one in projects
    ]
    assert shown == [("Ad", 1, 4, "red"), ("Film", 8, 10, "green")]

    tasks = (await product.http.get("/api/dashboard/widgets/active-tasks?recent_completed=2")).json()["data"]
    assert [(one["job_id"], one["status"]) for one in tasks][:2] in (
        [("1", "running"), ("2", "running")],
        [("2", "running"), ("1", "running")],
    )
    [training] = [one for one in tasks if one["job_id"] == "1"]
    assert (training["progress_pct"], training["worker_id"], training["submitted_by"]) == (90, "gpu-2", "ana")
    assert len(tasks) == 4
    assert (await product.http.get("/api/v1/dashboard/stats")).json()["activeWorkflows"] == 1

    rebuilt = Boards()
    for record in records:
        rebuilt.apply(record)
    assert overview(rebuilt, (), now, connected=True) == seen
    assert stats(rebuilt) == stats(boards)
    assert rebuilt.studio.dump() == boards.studio.dump()


async def test_what_is_published_on_the_bus_appears_in_the_stream(product: Product) -> None:
    stream = Follower(product.http, "activity,active-tasks,overview")
    await stream.until(lambda seen: seen.state("overview"))
    fact = t.TrainingStarted(job_id="7", name="Portrait LoRA", worker="gpu-2")
    stamp = Stamp(source="trainer", id="1", time=datetime.now(UTC), actor="ana")
    await product.services.bus.store.publish(studio.subject("trainer", fact), fact, stamp)
    await stream.until(lambda seen: seen.named("activity") and seen.state("active-tasks")["tasks"])
    [entry] = stream.named("activity")
    assert (entry.data["title"], entry.data["actor_user_id"]) == ("Portrait LoRA", "ana")
    assert stream.state("active-tasks")["tasks"]["training:trainer.7"]["worker_id"] == "gpu-2"
    await stream.until(lambda seen: seen.state("overview")["statistics"]["activeTrainingJobs"] == 1)
    await stream.stop()


async def test_refusals_are_told_item_by_item(product: Product) -> None:
    good = cloudevent(t.TrainingStarted(job_id="1"), "1", datetime.now(UTC))
    bad = good | {"id": "2", "type": "modeldeck.preset.published.v1"}
    answer = await product.http.post("/api/v1/events", content=json.dumps([bad, good]), headers={"Content-Type": BATCH})
    assert answer.status_code == 207
    assert [(one["position"], one["code"]) for one in answer.json()["errors"]] == [(0, "closed_type")]
    assert [(one["position"], one["status"]) for one in answer.json()["events"]] == [(1, "accepted")]
    answer = await product.http.post("/api/v1/events", content=json.dumps([bad]), headers={"Content-Type": BATCH})
    assert (answer.status_code, answer.json()["code"]) == (422, "closed_type")
    answer = await product.http.post("/api/v1/events", json=good)
    assert (answer.status_code, answer.json()["code"]) == (400, "no_cloudevents")
    assert (await product.stranger.post("/api/v1/events", json=good)).status_code == 401


async def test_an_unknown_time_zone_is_refused(product: Product) -> None:
    answer = await product.http.get("/api/v1/dashboard/overview?tz=Mars/Olympus")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await product.http.get("/api/v1/dashboard/overview?tz=Asia/Kathmandu")).status_code == 200
