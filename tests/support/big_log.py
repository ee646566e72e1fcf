"""A long and varied log, as years of a busy studio write it: for measurements and faults, made by arithmetic alone."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from modeldeck_events import downloads as d
from modeldeck_events import envelope, generations, modelfiles, presets, templates
from modeldeck_events.bus import Bus
from modeldeck_events.message import Event
from modeldeck_events.store import Meta, Record
from modeldeck_events.studio import conversations, datasets, projects, registered, servers, training
from modeldeck_events.subjects import event as subject_of
from nats.js.api import PubAck

START = datetime(2025, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=20)
POOL = "default"
FOLDERS = ("checkpoints", "diffusion_models", "loras", "vae", "text_encoders", "controlnet", "upscale_models")
_HOST = "https://huggingface.co/owner"
_AT_ONCE = 2_000


class Size(NamedTuple):
    """How much there is of each; every file is found and hashed, every download fetches three files."""

    files: int = 20_000
    templates: int = 644
    presets: int = 56
    downloads: int = 10_000
    studio: int = 100_000

    def scaled(self, events: int) -> "Size":
        """Return the same mixture with about so many events in all."""
        whole = 2 * self.files + self.templates + self.presets + 6 * self.downloads + self.studio
        return Size(*(max(1, number * events // whole) for number in self))


class Fact(NamedTuple):
    """One event and its subject."""

    subject: str
    event: Event


def facts(size: Size) -> Iterator[Fact]:
    """Yield the whole log: the catalog first, then files, downloads and the studio's day by turns."""
    yield from _catalog(size)
    streams = [(_files(size), 2 * size.files), (_downloads(size), 6 * size.downloads), (_studio(size), size.studio)]
    whole = sum(count for _, count in streams)
    given = [0] * len(streams)
    for number in range(1, whole + 1):  # each at its own share of the way
        behind = [number * count / whole - done for (_, count), done in zip(streams, given, strict=True)]
        chosen = behind.index(max(behind))
        fact = next(streams[chosen][0], None)
        given[chosen] += 1
        if fact is not None:
            yield fact


def records(made: Iterable[Fact], *, after: int = 0) -> Iterator[Record]:
    """Yield the facts as the log has them."""
    for seq, (subject, headers, data) in enumerate(messages(made, after=after), start=after + 1):
        yield envelope.unpack_wire(seq, subject, envelope.wire_headers(headers), data)


def messages(made: Iterable[Fact], *, after: int = 0) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Yield subject, headers and body of each."""
    for number, fact in enumerate(made, start=after + 1):
        meta = Meta(source=_source(fact.subject), actor="local", command_id=f"{number:032x}")
        headers, data = envelope.pack(
            fact.subject, fact.event, event_id=f"{number:032x}", time=START + number * STEP, meta=meta
        )
        yield fact.subject, headers, data


async def fill(bus: Bus, made: Iterable[Fact], *, after: int = 0) -> int:
    """Put the facts into EVENTS without guards, in order; return the last sequence."""
    seq = after
    pending: list[asyncio.Future[PubAck]] = []
    for subject, headers, data in messages(made, after=after):
        pending.append(await bus.js.publish_async(subject, data, headers=headers))
        seq += 1
        if len(pending) == _AT_ONCE:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)
    return seq


def _source(subject: str) -> str:
    return {"download": "downloader", "modelfile": "catalog", "template": "catalog"}.get(
        subject.split(".")[1], "studio"
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _path(number: int) -> str:
    return f"{FOLDERS[number % len(FOLDERS)]}/maker-{number % 97}/model-{number}-fp16.safetensors"


def _spec(number: int) -> d.FileSpec:
    path = _path(number)
    return d.FileSpec(
        path=path, url=f"{_HOST}/repo-{number // 5}/resolve/main/{path}", kind=path.partition("/")[0], size_bytes=number
    )


def _catalog(size: Size) -> Iterator[Fact]:
    for n in range(size.presets):
        definition = presets.PresetDefinition(
            id=f"PRESET_{n}",
            name=f"Preset {n}",
            category=f"Category {n % 6}",
            type="video",
            description="What it is good for, in a sentence or two. " * 3,
            files=tuple(_spec(n * 3 + f) for f in range(3)),
            size_bytes=100,
            tags=("wan", "t2v"),
        )
        yield Fact(presets.subject(definition.id), presets.PresetPublished(preset=definition))
    for n in range(size.templates):
        references = tuple(
            templates.TemplateReference(
                path=_path(n * 7 + r),
                directory=_path(n * 7 + r).partition("/")[0],
                filename=_path(n * 7 + r).partition("/")[2],
                node_type="CheckpointLoaderSimple",
                input_name="ckpt_name",
                active=r != 3,
            )
            for r in range(4)
        )
        scanned = templates.TemplateScanned(
            pool=POOL,
            template_id=f"workflows/template-{n}",
            name=f"Template {n}",
            size_bytes=40_000,
            modified_at=START,
            references=references,
        )
        yield Fact(templates.subject(POOL, scanned.template_id), scanned)


def _files(size: Size) -> Iterator[Fact]:
    metadata = modelfiles.ModelMetadata(architecture="sdxl", family="SDXL", dtype="F16", tensors=1680)
    for n in range(size.files):
        path = _path(n)
        subject = modelfiles.subject(POOL, path)
        yield Fact(
            subject,
            modelfiles.ModelFileFound(
                pool=POOL,
                path=path,
                size_bytes=n + 1,
                modified_at=START,
                format="safetensors",
                whole=True,
                metadata=metadata,
            ),
        )
        yield Fact(
            subject,
            modelfiles.ModelFileHashed(
                pool=POOL,
                path=path,
                size_bytes=n + 1,
                mtime_ns=int(START.timestamp()) * 10**9,
                inode=n + 1,
                sha256=_sha256(f"{n % 19_000}"),
            ),
        )


def _downloads(size: Size) -> Iterator[Fact]:
    for n in range(size.downloads):
        download_id = f"00000000-0000-4000-8000-{n:012d}"
        preset = n % size.presets
        preset_id = f"PRESET_{preset}"
        target = d.Target(id=f"preset:{preset_id}", kind="preset", name=f"Preset {preset}", preset_id=preset_id)
        specs = tuple(_spec(preset * 3 + f) for f in range(3))
        told: list[d.DownloadEvent] = [
            d.DownloadQueued(download_id=download_id, pool=POOL, target=target, files=specs),
            d.DownloadStarted(download_id=download_id, attempt=1, worker="box-1"),
        ]
        told += [
            d.DownloadFileCompleted(
                download_id=download_id,
                attempt=1,
                path=spec.path,
                url=spec.url,
                size_bytes=spec.size_bytes or 0,
                sha256=_sha256(spec.path),
                verified="sha256",
                host="huggingface.co",
            )
            for spec in specs
        ]
        told.append(
            d.DownloadCompleted(download_id=download_id, attempt=1, total_bytes=sum(s.size_bytes or 0 for s in specs))
        )
        for event in told:
            yield Fact(d.subject(POOL, target.id), event)


def _studio(size: Size) -> Iterator[Fact]:
    for n in range(size.studio):
        turn, of = n % 20, n // 20
        project, job = f"project-{of % 50}", f"job-{of // 2}"
        if turn < 10:
            chat = f"chat-{of // 5}"
            event: Event = conversations.MessageSent(
                conversation_id=chat,
                message_id=f"m-{n}",
                role="user" if n % 2 else "assistant",
                tokens=120,
                model="qwen",
            )
            yield Fact(subject_of("conversation", "chatapp", chat), event)
        elif turn < 14:
            event = training.TrainingProgressed(job_id=job, name="lora", percent=turn * 5.0, step=n, loss=0.1)
            yield Fact(subject_of("training", "trainer", job), event)
        elif turn < 17:
            event = generations.GenerationCompleted(
                source="comfy", generation_id=f"g-{n}", duration_s=3.5, output_count=1
            )
            yield Fact(generations.subject("comfy", f"g-{n}"), event)
        else:
            yield _rare(turn + of % 6, n, project, job)


def _rare(kind: int, n: int, project: str, job: str) -> Fact:
    match kind % 6:
        case 0:
            return Fact(
                subject_of("project", "kitsu", project), projects.SceneAdded(project_id=project, scene_id=f"s{n % 999}")
            )
        case 1:
            scene = f"s{n % 999}"
            return Fact(
                subject_of("project", "kitsu", project), projects.ReviewApproved(project_id=project, scene_id=scene)
            )
        case 2:
            return Fact(subject_of("training", "trainer", job), training.TrainingCompleted(job_id=job, loss=0.05))
        case 3:
            dataset = f"set-{n % 500}"
            return Fact(subject_of("dataset", "trainer", dataset), datasets.DatasetReady(dataset_id=dataset, items=40))
        case 4:
            model = f"model-{n % 2000}"
            return Fact(subject_of("model", "trainer", model), registered.ModelRegistered(model_id=model, name=model))
        case _:
            server = f"server-{n % 4}"
            return Fact(subject_of("server", "vllm", server), servers.ServerStarted(server_id=server, model="qwen"))
