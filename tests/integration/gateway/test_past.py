"""Time travel on a real bus: what was recorded while it happened is what `?at=` answers afterwards."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from modeldeck_events import downloads as d
from modeldeck_events import studio
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import subject as modelfile_subject
from modeldeck_events.readings import DiskSample, HostSample, MemorySample, host_subject
from modeldeck_events.studio.conversations import ConversationStarted, MessageSent
from modeldeck_events.studio.projects import ProjectCreated, SceneAdded
from modeldeck_events.studio.training import TrainingProgressed, TrainingStarted
from modeldeck_events.templates import subject as template_subject

from tests.integration.gateway.conftest import Product, caught_up
from tests.integration.gateway.fakes import eventually
from tests.unit.gateway.facts import deleted, file_completed, found, hashed, queued, reference, scanned

PATHS = (
    "/presets/queue/status",
    "/downloads/queue",
    "/presets/",
    "/presets/categories",
    "/models",
    "/storage",
    "/workflows/templates",
    "/modelfiles",
    "/featured-models",
    "/dashboard/stats",
    "/dashboard/overview",
    "/dashboard/widgets/active-tasks",
    "/dashboard/widgets/project-progress",
    "/dashboard/widgets/disk-health",
    "/activity/recent",
    "/user/dashboard",
)


def sample(at: datetime, percent: float, *, interval_s: float = 2) -> HostSample:
    used = int(percent * 10)
    return HostSample(
        host="box",
        pool="default",
        at=at,
        interval_s=interval_s,
        cpu_percent=percent,
        cpu_count=2,
        memory=MemorySample(total_bytes=1000, used_bytes=used, available_bytes=1000 - used, percent=percent),
        disks=(DiskSample(path="/", total_bytes=1000, used_bytes=used, free_bytes=1000 - used, percent=percent),),
    )


def story() -> list[tuple[str, Event]]:
    """What happens, with its subjects."""
    told: list[tuple[str, Event]] = []

    def of_download(name: str, *events: d.DownloadEvent) -> None:
        told.extend((d.subject("default", f"preset:{name}"), event) for event in events)

    def of_file(path: str, *events: Event) -> None:
        told.extend((modelfile_subject("default", path), event) for event in events)

    for name in ("a", "b"):
        path = f"checkpoints/{name}.safetensors"
        of_download(name, queued(name, preset_id=name), d.DownloadStarted(download_id=name, attempt=1, worker="w"))
        told.append((template_subject("default", f"w/{name}"), scanned(f"w/{name}", reference(path))))
        of_download(name, file_completed(name, path, 100))
        of_file(path, found(path), hashed(path, "a" * 64))
        of_download(name, d.DownloadCompleted(download_id=name, attempt=1, total_bytes=100))
    of_file("checkpoints/a.safetensors", deleted("checkpoints/a.safetensors", url="https://example.org/x"))
    of_download("a", queued("again", preset_id="a"), d.DownloadPaused(download_id="again"))
    of_others = (
        ConversationStarted(conversation_id="c", title="Talk"),
        MessageSent(conversation_id="c", message_id="1", tokens=7),
        TrainingStarted(job_id="j", worker="w"),
        TrainingProgressed(job_id="j", percent=40.0),
        ProjectCreated(project_id="p", name="Film"),
        SceneAdded(project_id="p", scene_id="s"),
    )
    told.extend((studio.subject("test", event), event) for event in of_others)
    return told


async def test_what_was_recorded_is_what_the_past_answers(product: Product) -> None:
    bus = product.services.bus
    await bus.publish_reading(host_subject("box"), sample(datetime.now(UTC), 50, interval_s=60))
    await eventually(lambda: has_resources(product))
    recorded: dict[int, dict[str, Any]] = {}
    for subject, event in story():
        await product.services.append(subject, event)
        await eventually(lambda: caught_up(product.app, product.services))
        recorded[product.app.live.position.seq] = {path: await read(product, path) for path in PATHS}
    assert len({str(states) for states in recorded.values()}) == len(recorded), "every fact shows somewhere"
    order = list(recorded)
    random.Random(3).shuffle(order)
    for seq in order:
        for path, then in recorded[seq].items():
            assert await read(product, path, at=seq) == then, (path, seq)


async def test_resources_of_the_past_are_those_that_were_read_then(product: Product) -> None:
    bus, now = product.services.bus, datetime.now(UTC)
    moments = [now - timedelta(seconds=s) for s in (600, 300, 60, 30)]
    recorded = []
    for number, at in enumerate(moments):
        await bus.publish_reading(host_subject("box"), sample(at, 10.0 + number))
        await eventually(lambda n=number: has_resources(product, 10.0 + n))  # type: ignore[misc]
        recorded.append(await read(product, "/system/resources"))
    for at, then in zip(moments, recorded, strict=True):
        text = at.isoformat()
        past = await read(product, "/system/resources", at=text)
        assert without_stale(past) == without_stale(then)
        assert "stale" not in past
        health = (await read(product, "/dashboard/widgets/disk-health", at=text))["data"]
        assert health["percentage"] == then["disk"]["percent"]
    silent = await read(product, "/system/resources", at=(now - timedelta(seconds=200)).isoformat())
    assert (silent["cpu_percent"], silent["stale"]) == (11.0, True)
    before = {"at": (now - timedelta(seconds=3500)).isoformat()}
    for path in ("/system/resources", "/dashboard/widgets/disk-health"):
        answer = await product.http.get(f"/api/v1{path}", params=before)
        assert (answer.status_code, answer.json()["code"]) == (422, "not_kept")
    states = (await product.http.get("/api/v1/state", params=before)).json()
    assert "queue" in states
    assert "resources" not in states


async def test_a_time_that_was_shown_means_all_of_its_millisecond(product: Product) -> None:
    await product.http.post("/api/presets/a/install")
    await product.http.post("/api/presets/a/pause")
    facts = (await product.http.get("/api/events?after=2")).json()["events"]
    assert (await read(product, "/presets/a", at=facts[-1]["time"]))["status"] == "paused"


async def read(product: Product, path: str, *, at: object = None) -> Any:
    answer = await product.http.get(f"/api/v1{path}", params={} if at is None else {"at": str(at)})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    if path.endswith("active-tasks"):  # of what runs it is reckoned by the clock: of the past, by the fact's
        for task in body["data"]:
            task.pop("elapsed_seconds", None)
    return body


async def has_resources(product: Product, cpu_percent: float | None = None) -> bool:
    answer = await product.http.get("/api/v1/system/resources")
    return answer.status_code == 200 and cpu_percent in {None, answer.json()["cpu_percent"]}


def without_stale(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_stale(item) for key, item in value.items() if key != "stale"}
    return value
