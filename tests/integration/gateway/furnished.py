"""A gateway with something of everything to show: facts and readings of every other service."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events import generations as g
from modeldeck_events.message import Command, Event, Reply
from modeldeck_events.modelfiles import (
    DeleteModelFile,
    LinkModelFile,
    ModelMetadata,
    PlanRestore,
    Quantization,
    inventory_subject,
)
from modeldeck_events.modelfiles import subject as modelfile_subject
from modeldeck_events.presets import PresetPublished, UninstallPreset
from modeldeck_events.presets import subject as preset_subject
from modeldeck_events.readings import DiskSample, GpuSample, HostSample, MemorySample, host_subject, progress_subject
from modeldeck_events.repositories import (
    FEATURED_SUBJECT,
    DescribeRepository,
    FeaturedModel,
    FeaturedPublished,
    Repository,
    RepositoryDescribed,
    Variant,
)
from modeldeck_events.repositories import subject as repository_subject
from modeldeck_events.store import Stamp
from modeldeck_events.studio import conversations as c
from modeldeck_events.studio import datasets as ds
from modeldeck_events.studio import projects as p
from modeldeck_events.studio import registered as m
from modeldeck_events.studio import servers as s
from modeldeck_events.studio import subject as studio_subject
from modeldeck_events.studio import training as t
from modeldeck_events.templates import LockWorkflow, PlanLock, PlanMissing, ScanWorkflow, TemplateReference
from modeldeck_events.templates import subject as template_subject

from tests.integration.gateway.conftest import Product, caught_up
from tests.integration.gateway.fakes import eventually
from tests.unit.gateway.facts import (
    deleted,
    file,
    file_completed,
    found,
    hashed,
    preset,
    progress,
    queued,
    reference,
    scanned,
    surveyed,
)

GB = 10**9
SHA = "ab" * 32
REPO = "org/llama"
TEMPLATE = "user/portraits/hero.json"
HAVE = "checkpoints/present.safetensors"
GGUF = f"llm/{REPO}/llama-Q4.gguf"
FAILURE = d.FailureInfo(code="forbidden", message="The server refused: 403.")


async def furnish(product: Product) -> None:
    """Append the facts, publish the readings, and wait until the gateway shows them."""
    say = product.services.append
    for subject, *events in (*library(), *repositories(), *downloads()):
        await say(subject, *events)
    for number, (subject, event) in enumerate(studio()):
        stamp = Stamp(id=f"studio-{number}", source="studio", time=datetime.now(UTC))
        await product.services.bus.store.publish(subject, event, stamp)
    bus = product.services.bus
    await bus.publish_reading(host_subject("box"), host())
    running = msgspec.structs.replace(progress("dl-b", 50), target_id="preset:b", at=datetime.now(UTC))
    await bus.publish_reading(progress_subject("default", "preset:b"), running, latest_only=True)
    await eventually(lambda: caught_up(product.app, product.services))

    async def shown() -> bool:
        resources = (await product.http.get("/api/v1/system/resources")).json()
        queue = (await product.http.get("/api/v1/presets/queue/status")).json()
        return bool(resources.get("gpu", {}).get("devices")) and (queue["current"] or {}).get("progress") == 50

    await eventually(shown)
    _answer_commands(product)


def library() -> Iterable[tuple[str, *tuple[Event, ...]]]:
    """Model files, templates and a preset with all that a preset can have."""
    yield preset_subject("rich"), PresetPublished(preset=preset("rich", file(HAVE, 200), file("vae/rich.pt", None)))
    yield inventory_subject("default"), surveyed({"": "/"}, {"checkpoints": ("checkpoints",)})
    metadata = ModelMetadata(architecture="llama", parameters=8 * GB, quantization=Quantization(bits=4, method="Q4_0"))
    for fact in (
        found(HAVE, 200),
        found("checkpoints/a.safetensors"),
        found("loras/twin.safetensors", 200),
        found(GGUF, 4 * GB, metadata=metadata),
    ):
        yield modelfile_subject("default", fact.path), fact
    for path in (HAVE, "loras/twin.safetensors"):
        yield modelfile_subject("default", path), hashed(path, SHA, 200)
    gone = "vae/gone.safetensors"
    yield modelfile_subject("default", gone), found(gone), deleted(gone, url=f"https://example.org/{gone}")
    stated = TemplateReference(
        path="loras/lost.pt",
        directory="loras",
        filename="lost.pt",
        node_type="LoraLoader",
        input_name="lora_name",
        url="https://example.org/lost.pt",
        sha256=SHA,
    )
    yield template_subject("default", TEMPLATE), scanned(TEMPLATE, stated, reference(HAVE))
    yield template_subject("default", "user/whole.json"), scanned("user/whole.json", reference(HAVE))


def repositories() -> Iterable[tuple[str, *tuple[Event, ...]]]:
    """A repository as its hub describes it, and a featured list."""
    yield repository_subject("huggingface", REPO), RepositoryDescribed(repository=REPOSITORY)
    featured = FeaturedModel(
        id="llama",
        name="Llama",
        repo=REPO,
        filename="llama-Q4.gguf",
        size_bytes=4 * GB,
        description="A model.",
        tags=("chat",),
        downloads=10,
        downloads_24h=2,
        likes=5,
        stars=3,
        size_category="M",
        model_type="text",
        family="llama",
        links={"huggingface": f"https://huggingface.co/{REPO}"},
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    published = FeaturedPublished(models=(featured,), last_updated=datetime(2026, 1, 1, tzinfo=UTC), source="bundled")
    yield FEATURED_SUBJECT, published


REPOSITORY = Repository(
    hub="huggingface",
    repo=REPO,
    revision="abc",
    likes=5,
    license="mit",
    tags=("chat",),
    description="A model.",
    links={"huggingface": f"https://huggingface.co/{REPO}"},
    variants=tuple(
        Variant(
            filename=f"llama-Q{bits}.gguf",
            url=f"https://huggingface.co/{REPO}/resolve/abc/llama-Q{bits}.gguf",
            size_bytes=bits * GB,
            quantization=Quantization(bits=bits, method=f"Q{bits}_0"),
            path=f"llm/{REPO}/llama-Q{bits}.gguf",
        )
        for bits in (4, 8)
    ),
)


def downloads() -> Iterable[tuple[str, *tuple[Event, ...]]]:
    """One that runs, one that waits, one that completed, one that failed: presets, and a file of a repository."""

    def of(download_id: str, preset_id: str, *events: Event) -> tuple[str, *tuple[Event, ...]]:
        first: Event = queued(download_id, file(f"checkpoints/{preset_id}.safetensors"), preset_id=preset_id)
        facts = (first, *events)
        return d.subject("default", f"preset:{preset_id}"), *facts

    yield of("dl-b", "b", d.DownloadStarted(download_id="dl-b", attempt=1, worker="w"))
    yield of("dl-waits", "rich")
    path = "checkpoints/a.safetensors"
    yield of(
        "dl-a",
        "a",
        d.DownloadStarted(download_id="dl-a", attempt=1, worker="w"),
        file_completed("dl-a", path, 100),
        d.DownloadCompleted(download_id="dl-a", attempt=1, total_bytes=100),
    )
    yield of(
        "dl-fails",
        "fails",
        d.DownloadStarted(download_id="dl-fails", attempt=1, worker="w"),
        d.DownloadFailed(download_id="dl-fails", attempt=1, failure=FAILURE),
    )
    target = d.Target(id=f"file:llm/{REPO}/llama-Q8.gguf", kind="file", name="llama-Q8.gguf")
    spec = file(f"llm/{REPO}/llama-Q8.gguf", 8 * GB)
    single = d.DownloadQueued(download_id="dl-file", pool="default", target=target, files=(spec,))
    yield d.subject("default", target.id), single, d.DownloadPaused(download_id="dl-file")


def studio() -> Iterable[tuple[str, Event]]:
    """What other services told."""
    now = datetime.now(UTC)
    for event in (
        c.ConversationStarted(conversation_id="1", title="Chat", model="llama"),
        c.MessageSent(conversation_id="1", message_id="q", tokens=10),
        c.MessageSent(conversation_id="1", message_id="a", role="assistant", tokens=90, model="llama"),
        t.TrainingQueued(job_id="1", name="LoRA", job_type="lora", submitted_by="ana"),
        t.TrainingStarted(job_id="1", worker="gpu-2", total_steps=100),
        t.TrainingProgressed(job_id="1", percent=40, step=40, message="learning"),
        t.TrainingQueued(job_id="2", name="Next", submitted_by="ben"),
        t.TrainingStarted(job_id="3", worker="gpu-1"),
        t.TrainingCompleted(job_id="3", duration_s=60),
        ds.DatasetCreated(dataset_id="1", name="Faces"),
        ds.DatasetReady(dataset_id="1", items=100),
        s.ServerStarted(server_id="1", model="llama"),
        m.ModelRegistered(model_id="portrait", name="Portrait"),
        p.ProjectCreated(project_id="film", name="Film"),
        p.SceneAdded(project_id="film", scene_id="1"),
        p.SceneAdded(project_id="film", scene_id="2"),
        p.ReviewApproved(project_id="film", scene_id="1", actor_name="Ana"),
        p.CommentAdded(project_id="film", comment_id="1", text="More light", actor_name="Ben"),
        g.GenerationStarted(source="studio", generation_id="run", workflow="portrait"),
        g.GenerationCompleted(
            source="studio",
            generation_id="done",
            workflow="portrait",
            started_at=now - timedelta(seconds=9),
            finished_at=now,
            outputs=(g.Output(filename="a.png", kind="images"),),
            output_count=1,
        ),
    ):
        yield _studio_subject(event), event


def _studio_subject(event: Event) -> str:
    if isinstance(event, g.GenerationEvent):
        return g.subject(event.source, event.generation_id)
    return studio_subject("studio", event)


def host() -> HostSample:
    """A machine with one GPU."""
    return HostSample(
        host="box",
        pool="default",
        at=datetime.now(UTC),
        interval_s=2,
        cpu_percent=12.5,
        cpu_count=8,
        memory=MemorySample(total_bytes=64 * GB, used_bytes=16 * GB, available_bytes=48 * GB, percent=25.0),
        disks=(DiskSample(path="/", total_bytes=1000 * GB, used_bytes=850 * GB, free_bytes=150 * GB, percent=85.0),),
        gpus=(
            GpuSample(
                index=0,
                name="RTX 4090",
                memory_used_bytes=8 * 1024**3,
                memory_total_bytes=24 * 1024**3,
                utilization_percent=50.0,
            ),
        ),
    )


def _answer_commands(product: Product) -> None:
    """Let the faked catalog answer what the routes of workflows and hubs need to find."""
    stated = {"kind": "workflow", "name": "the workflow", "url": "https://huggingface.co/o/r/resolve/main/lost.pt"}
    plan = [{"path": "loras/lost.pt", "status": "missing", "action": "download", "source": stated}]
    described: dict[str, object] = {
        "repository": msgspec.to_builtins(REPOSITORY),
        "checked_at": "2026-01-02T03:04:05.000Z",
    }
    path = "loras/x.pt"
    files: dict[str, object] = {"files": plan}
    source = {"path": "vae/gone.safetensors", "url": "https://example.org/gone", "size_bytes": 1}
    volume = dict.fromkeys(("needed_bytes", "present_bytes", "shared_bytes", "reserved_bytes", "free_bytes"), 1)
    data: dict[type[Command], dict[str, object]] = {
        PlanMissing: files,
        DescribeRepository: described,
        DeleteModelFile: {"path": path, "size_bytes": 1, "freed_bytes": 1, "restorable": True, "needed_by": []},
        LinkModelFile: {"path": path, "from_path": HAVE, "method": "hardlink"},
        PlanRestore: {"file": source},
        UninstallPreset: {"preset_id": "b", "deleted": [path], "freed_bytes": 1, "kept": []},
        d.PlanFiles: {"volumes": [{"path": "/", "fits": True, **volume}], "files": []},
    }
    for command, answer in data.items():
        product.services.answers[command] = _always(Reply(ok=True, data=answer))
    product.services.answers[ScanWorkflow] = _scan
    product.services.answers[PlanLock] = _plan_lock
    product.services.answers[LockWorkflow] = _lock


def _always(reply: Reply) -> Callable[[object], Awaitable[Reply]]:
    async def answer(_command: object) -> Reply:
        return reply

    return answer


async def _plan_lock(command: PlanLock) -> Reply:
    if not isinstance(_json(command.lock), dict):
        return Reply(ok=False, code="invalid_lock", message="This is no lock file.", status=422)
    return Reply(ok=True, data={"files": []})


async def _lock(command: LockWorkflow) -> Reply:
    if not command.template_id and not isinstance(_json(command.data), dict):
        return Reply(ok=False, code="unreadable", message="The workflow cannot be read.", status=422)
    return Reply(ok=True, data={"lock": {"version": 1}})


async def _scan(command: ScanWorkflow) -> Reply:
    """Answer as the catalog does: what is no JSON object is no workflow."""
    known = "prompt" if isinstance(_json(command.data), dict) else "unreadable"
    return Reply(ok=True, data={"format": known, "complete": True, "references": [], "warnings": []})


def _json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
