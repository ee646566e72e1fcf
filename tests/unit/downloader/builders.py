"""Short ways to say what the downloader's tests are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from downloader import domain
from downloader.domain import Download
from modeldeck_events import downloads as d
from modeldeck_events.message import Event
from modeldeck_events.store import Record

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POOL = "default"
FILES = (
    d.FileSpec(path="vae/a.safetensors", url="https://hub.example/a", size_bytes=100, kind="vae"),
    d.FileSpec(path="loras/b.safetensors", url="https://hub.example/b", size_bytes=200, kind="loras"),
    d.FileSpec(path="loras/c.safetensors", url="https://hub.example/c", approx_size_bytes=50, optional=True),
)
FAILURE = d.FailureInfo(code="gone", message="The file is gone.", host="hub.example", status=410)


def target(name: str = "wan") -> d.Target:
    return d.Target(id=f"preset:{name}", kind="preset", name=name.title(), preset_id=name)


def install(name: str = "wan", files: Sequence[d.FileSpec] = FILES, **more: object) -> d.QueueDownload:
    return d.QueueDownload(pool=POOL, target_id=f"preset:{name}", target=target(name), files=tuple(files), **more)  # type: ignore[arg-type]


def completed(spec: d.FileSpec, download_id: str, attempt: int = 1, **more: object) -> d.DownloadFileCompleted:
    fields: dict[str, object] = {"sha256": "ab" * 32, "verified": "sha256", "size_bytes": spec.size_bytes or 50} | more
    return d.DownloadFileCompleted(
        download_id=download_id,
        attempt=attempt,
        path=spec.path,
        url=spec.url,
        **fields,  # type: ignore[arg-type]
    )


def after(*events: d.DownloadEvent, start: Download | None = None, seq: int = 1) -> Download:
    state = start or Download()
    for number, event in enumerate(events):
        state = domain.evolve(state, event, seq + number)
    return state


def queued(name: str = "wan", seq: int = 1, files: Sequence[d.FileSpec] = FILES, **more: object) -> Download:
    (event,) = domain.decide(domain.Accept(install(name, files, **more), NOW), Download())
    return after(event, seq=seq)


def running(name: str = "wan", **more: object) -> Download:
    state = queued(name, **more)  # type: ignore[arg-type]
    (event,) = domain.decide(domain.Claim(state.download_id, "w1", 7), state)
    return after(event, start=state, seq=2)


def record(seq: int, subject: str, event: Event, *, causation_id: str = "") -> Record:
    return Record(
        seq,
        subject,
        f"id-{seq}",
        type(event).TYPE,
        "test",
        NOW,
        b"",
        event,
        "",
        "",
        causation_id,
    )


def rank(text: str) -> Decimal:
    return Decimal(text)
