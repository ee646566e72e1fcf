"""A day in a studio, published from outside as other services do: what the widgets beside the downloads show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.product import Product

BATCH = "application/cloudevents-batch+json"
SOURCE = "studio"
PROJECTS = {"p1": ("Harbour lights", 10, 8), "p2": ("Museum tour", 12, 7), "p3": ("Winter spot", 6, 2)}
Told = tuple[str, float, dict[str, Any]]


async def publish_day(product: Product) -> None:
    """Publish the day, up to now; the same again changes nothing."""
    now = datetime.now(UTC)
    events = [
        {
            "specversion": "1.0",
            "id": str(number),
            "source": SOURCE,
            "type": f"modeldeck.{kind}.v1",
            "time": (now - timedelta(minutes=minutes)).isoformat(),
            "data": data,
        }
        for number, (kind, minutes, data) in enumerate(_day())
    ]
    async with product.client() as http:
        answer = await http.post("/api/v1/events", json=events, headers={"content-type": BATCH})
    assert answer.status_code == 200, answer.text
    assert answer.json()["errors"] == [], answer.text


def _day() -> Iterator[Told]:
    yield from _projects()
    for number in range(24):
        chat = {"conversation_id": f"c{number}"}
        yield "conversation.started", 300 - number, {**chat, "title": f"Shot list {number}", "model": "llama-3.3-70b"}
        yield (
            "conversation.message-sent",
            299 - number,
            {**chat, "message_id": "a", "role": "assistant", "tokens": 5210},
        )
    for number in range(4):
        yield "dataset.created", 280, {"dataset_id": f"d{number}", "name": f"Stills {number}", "items": 1200}
    for number in range(3):
        yield "dataset.ready", 270, {"dataset_id": f"d{number}", "name": f"Stills {number}", "items": 1200}
    for number in range(2):
        yield "server.started", 260, {"server_id": f"s{number}", "name": f"llama {number}", "model": "llama-3.3-70b"}
    yield "server.started", 260, {"server_id": "t0", "kind": "training", "name": "trainer"}
    yield from _trainings()
    for number in range(7):
        made = {"source": SOURCE, "generation_id": f"g{number}", "workflow": "Harbour, wide shot"}
        yield "generation.completed", 90 - number, {**made, "output_count": 4, "duration_s": 42.0}
    yield (
        "generation.failed",
        40,
        {"source": SOURCE, "generation_id": "gx", "workflow": "Museum, lobby", "error": "CUDA out of memory"},
    )
    yield "generation.started", 1, {"source": SOURCE, "generation_id": "g9", "workflow": "Harbour, wide shot"}


def _projects() -> Iterator[Told]:
    for project_id, (name, scenes, approved) in PROJECTS.items():
        project = {"project_id": project_id}
        yield "project.created", 320, {**project, "name": name, "actor_name": "Ana"}
        for scene in range(scenes):
            yield "project.scene-added", 315, {**project, "scene_id": f"s{scene}"}
        for scene in range(approved):
            yield "project.review-approved", 200 - scene, {**project, "scene_id": f"s{scene}", "actor_name": "Ben"}
    yield (
        "project.review-rejected",
        30,
        {"project_id": "p3", "scene_id": "s5", "actor_name": "Ben", "reason": "Too dark"},
    )
    yield "project.status-changed", 29, {"project_id": "p3", "status": "blocked"}


def _trainings() -> Iterator[Told]:
    lora = {"job_id": "job-7", "name": "Portrait LoRA", "job_type": "training"}
    yield "training.queued", 60, {**lora, "submitted_by": "Ana"}
    yield "training.started", 55, {**lora, "worker": "gpu-2", "total_steps": 1000}
    yield "training.progressed", 1, {**lora, "percent": 64.0, "step": 640, "total_steps": 1000, "loss": 0.081}
    yield "training.queued", 20, {"job_id": "job-8", "name": "Skyline style", "submitted_by": "Ben"}
    yield "training.started", 200, {"job_id": "job-5", "name": "Fabric LoRA", "worker": "gpu-2"}
    yield (
        "training.failed",
        160,
        {"job_id": "job-5", "name": "Fabric LoRA", "error": "CUDA out of memory", "duration_s": 2400.0},
    )
    yield "training.started", 150, {"job_id": "job-6", "name": "Harbour mood", "worker": "gpu-1"}
    yield (
        "training.completed",
        70,
        {"job_id": "job-6", "name": "Harbour mood", "model_id": "harbour-mood-v3", "duration_s": 4800.0},
    )
    yield "model.registered", 69, {"model_id": "harbour-mood-v3", "name": "Harbour mood v3", "base_model": "SDXL"}
