"""Facts for tests, as records of a log."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from modeldeck_events import downloads as d
from modeldeck_events import envelope
from modeldeck_events.generations import GenerationEvent
from modeldeck_events.generations import subject as generation_subject
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import (
    InventorySurveyed,
    ModelFileDeleted,
    ModelFileFound,
    ModelFileGone,
    ModelFileHashed,
    ModelFileLinked,
    ModelMetadata,
    ModelRoot,
    NeededBy,
    Provenance,
    inventory_subject,
)
from modeldeck_events.modelfiles import subject as modelfile_subject
from modeldeck_events.pools import PoolConfigured
from modeldeck_events.pools import subject as pool_subject
from modeldeck_events.presets import (
    CATALOG_SUBJECT,
    PresetDefinition,
    PresetPublished,
    PresetUninstalled,
    PresetWithdrawn,
)
from modeldeck_events.presets import subject as preset_subject
from modeldeck_events.readings import DiskSample, DownloadProgress, HostSample
from modeldeck_events.store import Meta, Record
from modeldeck_events.templates import TemplateGone, TemplateReference, TemplateScanned
from modeldeck_events.templates import subject as template_subject
from modeldeck_events.users import UserEvent
from modeldeck_events.users import subject as user_subject

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
META = Meta(source="test", actor="local")


Action = Literal["downloaded", "present", "linked"]


def preset(preset_id: str, *files: d.FileSpec, category: str = "Video") -> PresetDefinition:
    return PresetDefinition(
        id=preset_id,
        name=preset_id.upper(),
        category=category,
        type="video",
        files=files or (file(f"checkpoints/{preset_id}.safetensors"),),
        size_bytes=sum(f.size_bytes or 0 for f in files) or 100,
    )


def file(path: str, size_bytes: int | None = 100, *, optional: bool = False) -> d.FileSpec:
    return d.FileSpec(path=path, url=f"https://example.org/{path}", size_bytes=size_bytes, optional=optional)


def queued(download_id: str, *files: d.FileSpec, preset_id: str | None = "a", priority: int = 0) -> d.DownloadQueued:
    target_id = f"preset:{preset_id}" if preset_id else f"file:{download_id}"
    kind = "preset" if preset_id else "file"
    target = d.Target(id=target_id, kind="preset" if kind == "preset" else "file", name=target_id, preset_id=preset_id)
    return d.DownloadQueued(
        download_id=download_id, pool="default", target=target, files=files or (file("m.bin"),), priority=priority
    )


def file_completed(
    download_id: str, path: str, size_bytes: int, attempt: int = 1, *, url: str = "", action: Action = "downloaded"
) -> d.DownloadFileCompleted:
    return d.DownloadFileCompleted(
        download_id=download_id,
        attempt=attempt,
        path=path,
        url=url or f"https://example.org/{path}",
        size_bytes=size_bytes,
        verified="sha256",
        action=action,
    )


def found(
    path: str,
    size_bytes: int = 100,
    *,
    whole: bool | None = True,
    pool: str = "default",
    metadata: ModelMetadata | None = None,
) -> ModelFileFound:
    return ModelFileFound(
        pool=pool, path=path, size_bytes=size_bytes, modified_at=START, whole=whole, metadata=metadata
    )


MTIME_NS = int(START.timestamp()) * 10**9


def hashed(path: str, sha256: str, size_bytes: int = 100, *, inode: int = 0, changed: bool = False) -> ModelFileHashed:
    return ModelFileHashed(
        pool="default",
        path=path,
        size_bytes=size_bytes,
        mtime_ns=MTIME_NS + changed * 10**9,
        inode=inode,
        sha256=sha256,
    )


def deleted(path: str, size_bytes: int = 100, *, url: str | None = None) -> ModelFileDeleted:
    return ModelFileDeleted(
        pool="default",
        path=path,
        size_bytes=size_bytes,
        freed_bytes=size_bytes,
        provenance=Provenance(url=url, size_bytes=size_bytes) if url else None,
        needed_by=(NeededBy(kind="preset", id="a"),),
    )


def linked(path: str, from_path: str, *, symlink: bool = False) -> ModelFileLinked:
    method: Literal["hardlink", "symlink"] = "symlink" if symlink else "hardlink"
    return ModelFileLinked(pool="default", path=path, from_path=from_path, method=method)


def surveyed(mounts: dict[str, str], places: dict[str, tuple[str, ...]] | None = None) -> InventorySurveyed:
    roots = tuple(ModelRoot(prefix=prefix, folder=f"/folders/{prefix}") for prefix in ("", *mounts) if prefix != "x")
    return InventorySurveyed(pool="default", roots=tuple(dict.fromkeys(roots)), places=places or {}, mounts=mounts)


def reference(path: str, *, active: bool = True, form: Literal["file", "folder"] = "file") -> TemplateReference:
    directory, _, filename = path.partition("/")
    return TemplateReference(path=path, directory=directory, filename=filename, active=active, form=form)


def scanned(template_id: str, *references: TemplateReference, name: str = "") -> TemplateScanned:
    return TemplateScanned(
        pool="default",
        template_id=template_id,
        name=name or template_id,
        size_bytes=1,
        modified_at=START,
        references=references,
    )


def host_sample(*disks: DiskSample, host: str = "box", pool: str = "default", at_s: float = 0) -> HostSample:
    return HostSample(
        host=host,
        pool=pool,
        at=START + timedelta(seconds=at_s),
        interval_s=2,
        cpu_percent=None,
        cpu_count=1,
        memory=None,
        disks=disks,
    )


def progress(
    download_id: str, done: int, total: int | None = 100, *, attempt: int = 1, at_s: float = 0
) -> DownloadProgress:
    return DownloadProgress(
        pool="default",
        target_id="preset:a",
        download_id=download_id,
        attempt=attempt,
        stage="downloading",
        downloaded_bytes=done,
        total_bytes=total,
        speed_bps=45_200_000.0,
        eta_s=204.0,
        file_path="m.bin",
        file_kind="checkpoints",
        file_index=1,
        file_count=1,
        at=START + timedelta(seconds=at_s),
    )


def subject_of(event: Event, targets: dict[str, str]) -> str:
    match event:
        case d.DownloadQueued():
            targets[event.download_id] = event.target.id
            return d.subject(event.pool, event.target.id)
        case d.DownloadEvent():
            return d.subject("default", targets.get(event.download_id, "preset:unknown"))
        case PoolConfigured():
            return pool_subject(event.pool)
        case PresetPublished():
            return preset_subject(event.preset.id)
        case PresetWithdrawn() | PresetUninstalled():
            return preset_subject(event.preset_id)
        case GenerationEvent():
            return generation_subject(event.source, event.generation_id)
        case UserEvent():
            return user_subject(event.user_id)
        case _:
            return subject_on_disk(event)


def subject_on_disk(event: Event) -> str:
    match event:
        case ModelFileFound() | ModelFileGone() | ModelFileHashed() | ModelFileDeleted() | ModelFileLinked():
            return modelfile_subject(event.pool, event.path)
        case InventorySurveyed():
            return inventory_subject(event.pool)
        case TemplateScanned() | TemplateGone():
            return template_subject(event.pool, event.template_id)
        case _:
            return CATALOG_SUBJECT


def records(events: Iterable[Event], *, after: int = 0) -> Iterator[Record]:
    """The events as a log has them: through their JSON, so that nothing that is not written can be relied on."""
    targets: dict[str, str] = {}
    for seq, event in enumerate(events, start=after + 1):
        subject = subject_of(event, targets)
        headers, data = envelope.pack(
            subject, event, event_id=f"id-{seq}", time=START + timedelta(seconds=seq), meta=META
        )
        yield envelope.unpack(seq, subject, headers, data)
