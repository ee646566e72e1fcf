"""A pool's library on a store in memory and a real models folder: everything but the bus."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from catalog.library.change_handlers import ChangeHandlers
from catalog.library.deleting import Deleter
from catalog.library.linking import Linker
from catalog.library.locking import Locking
from catalog.library.needs import Needs
from catalog.library.plan_handlers import PlanHandlers
from catalog.library.planning import Planner
from catalog.library.provenance import OriginsFold
from catalog.library.repositories import RepositoriesFold
from catalog.library.sources import Sources
from catalog.root_marker import RootMarker
from catalog.roots import RootsFile
from catalog.stamps import stamp_of
from catalog.states import ModelFilesFold, PresetsFold
from catalog.templates import LoaderTable, Scan, scan
from catalog.watch import Watch
from catalog.workflows.fold import TemplatesFold
from modeldeck_events import downloads, modelfiles, presets, repositories, templates
from modeldeck_events import downloads as d
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.memory import MemoryStore
from modeldeck_events.message import Command, Event, Reply
from modeldeck_events.modelfiles import InventorySurveyed, ModelFileHashed, ModelRoot
from modeldeck_events.presets import PresetDefinition, PresetPublished, PresetWithdrawn
from modeldeck_events.projector import Projector
from modeldeck_events.repositories import Repository, RepositoryDescribed
from modeldeck_events.store import Meta
from modeldeck_events.templates import TemplateReference, TemplateScanned

POOL = "p"
OLD_NS = 1_600_000_000 * 10**9
NOW = datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
C = TypeVar("C", bound=Command)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def url_of(path: str) -> str:
    return f"https://h.example/o/r/resolve/main/{path.rpartition('/')[2]}"


def spec(path: str, **stated: Any) -> d.FileSpec:
    return d.FileSpec(path=path, **{"url": url_of(path)} | stated)


def preset(preset_id: str, *files: d.FileSpec | str) -> PresetDefinition:
    specs = tuple(spec(file) if isinstance(file, str) else file for file in files)
    return PresetDefinition(id=preset_id, name=preset_id.title(), category="c", type="image", files=specs)


def reference(path: str, **more: Any) -> TemplateReference:
    directory, _, filename = path.partition("/")
    return TemplateReference(path=path, directory=directory, filename=filename, **more)


def target(target_id: str) -> d.Target:
    kind, _, name = target_id.partition(":")
    return d.Target(
        id=target_id,
        kind="preset" if kind == "preset" else "file",
        name=name,
        preset_id=name if kind == "preset" else None,
    )


class Bench:
    """Real files in `root`; `wanted` are the paths that were asked to be hashed."""

    def __init__(self, store: MemoryStore, root: Path, marker: Path) -> None:
        self.root = root
        self.store = store
        self.wanted: list[str] = []
        self.files, self.presets = ModelFilesFold(POOL), PresetsFold()
        self.templates, self.origins = TemplatesFold(POOL), OriginsFold(POOL)
        self.repositories = RepositoriesFold()
        self.folds = (self.files, self.presets, self.templates, self.origins, self.repositories)
        self.projector = Projector(store, self.folds)
        self.watch = Watch(
            store, self.files, RootsFile(root, None), named=self.presets.paths, marker=RootMarker(marker)
        )
        self.sources = Sources(self.presets, self.repositories, self.origins)
        self.planner = Planner(self.files, self.templates, self.origins, self.sources)
        self.needs = Needs(self.files, self.presets, self.templates, self.origins)
        self.changes = ChangeHandlers(
            store,
            files=self.files,
            published=self.presets,
            origins=self.origins,
            needs=self.needs,
            deleter=Deleter(store, self.files, self.origins, self.planner, str(root)),
            linker=Linker(store, self.files, str(root), look_at=self.watch.look_at),
        )
        self.plans = PlanHandlers(
            templates=self.templates,
            planner=self.planner,
            locking=Locking(self.files, self.planner, self.sources),
            scan=self._scan,
            want=self.wanted.append,
            clock=lambda: NOW,
        )

    async def _scan(self, data: bytes) -> tuple[Scan, tuple[TemplateReference, ...]]:
        found = scan(data, LoaderTable.builtin())
        return found, tuple(
            TemplateReference(**{name: getattr(one, name) for name in one.__struct_fields__})
            for one in found.references
        )

    async def put(self, path: str, data: bytes | None = None, *, hashed: bool = False) -> Path:
        """Write a file (its content is its path, unless given) and have it in the inventory, maybe with its hash."""
        file = self.write(path, data)
        await self.see()
        if hashed:
            await self.hash(path)
        return file

    def write(self, path: str, data: bytes | None = None) -> Path:
        """Write a file that stands still, as the inventory sees it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(path.encode() if data is None else data)
        os.utime(file, ns=(OLD_NS, OLD_NS))
        return file

    async def see(self) -> None:
        """Have the inventory look at the folder."""
        await self.watch.check()
        await self.settle()

    async def hash(self, path: str, file: Path | None = None) -> str:
        """Say the hash of a file as the background hashing does."""
        file = file or self.root / path
        size_bytes, mtime_ns, inode = stamp_of(file.stat())
        digest = sha(file.read_bytes())
        fact = ModelFileHashed(
            pool=POOL, path=path, size_bytes=size_bytes, mtime_ns=mtime_ns, inode=inode, sha256=digest
        )
        await self.say(modelfiles.subject(POOL, path), fact)
        return digest

    async def say(self, subject: str, *facts: Event) -> None:
        """Append facts, and have them folded."""
        seq = await self.store.last_seq(subject)
        await self.store.append(subject, facts, expected_seq=seq, meta=Meta("test"))
        await self.settle()

    async def settle(self) -> None:
        assert await self.projector.wait_for((await self.store.head()).seq)

    async def publish(self, *definitions: PresetDefinition) -> None:
        for one in definitions:
            await self.say(presets.subject(one.id), PresetPublished(preset=one))

    async def withdraw(self, preset_id: str) -> None:
        await self.say(presets.subject(preset_id), PresetWithdrawn(preset_id=preset_id))

    async def template(self, template_id: str, *references: TemplateReference | str, **more: Any) -> None:
        named = tuple(reference(one) if isinstance(one, str) else one for one in references)
        fact = TemplateScanned(
            pool=POOL,
            template_id=template_id,
            name=template_id.removesuffix(".json"),
            size_bytes=1,
            modified_at=NOW,
            references=named,
            **{"sha256": sha(template_id.encode())} | more,
        )
        await self.say(templates.subject(POOL, template_id), fact)

    async def describe(self, repository: Repository) -> None:
        subject = repositories.subject(repository.hub, repository.repo)
        await self.say(subject, RepositoryDescribed(repository=repository))

    async def queue(self, target_id: str, *files: d.FileSpec, download_id: str = "d1") -> None:
        fact = d.DownloadQueued(download_id=download_id, pool=POOL, target=target(target_id), files=files)
        await self.say(downloads.subject(POOL, target_id), fact)

    async def downloading(self, target_id: str, *facts: d.DownloadEvent) -> None:
        await self.say(downloads.subject(POOL, target_id), *facts)

    async def fetch(self, path: str, data: bytes | None = None, **stated: Any) -> None:
        """Download a file: the bytes, and all the facts of it."""
        data = path.encode() if data is None else data
        one = spec(path, **stated)
        await self.queue(f"file:{path}", one, download_id=f"d-{path}")
        await self.put(path, data)
        done = self.completed(one, data, download_id=f"d-{path}")
        await self.downloading(
            f"file:{path}", done, d.DownloadCompleted(download_id=f"d-{path}", attempt=1, total_bytes=len(data))
        )

    def completed(self, one: d.FileSpec, data: bytes, *, download_id: str = "d1") -> d.DownloadFileCompleted:
        return d.DownloadFileCompleted(
            download_id=download_id,
            attempt=1,
            path=one.path,
            url=one.url,
            size_bytes=len(data),
            sha256=sha(data),
            verified="sha256",
            etag='"e"',
            mtime_ns=OLD_NS,
        )

    async def survey(self, *extra: ModelRoot, places: dict[str, tuple[str, ...]] | None = None) -> None:
        roots = (ModelRoot(prefix="", folder=str(self.root)), *extra)
        fact = InventorySurveyed(pool=POOL, roots=roots, places=places or {})
        await self.say(modelfiles.inventory_subject(POOL), fact)

    def on_disk(self) -> set[str]:
        return {str(file.relative_to(self.root)) for file in self.root.rglob("*") if not file.is_dir()}

    async def facts(self, kind: type[Event]) -> list[Any]:
        records = await self.store.read(after=0, limit=100_000)
        return [record.event for record in records if isinstance(record.event, kind)]


async def ask(handler: Callable[[C], Awaitable[Reply]], command: C) -> Reply:
    """Return the answer as it comes over the bus, refusals too."""
    try:
        return msgspec.json.decode(msgspec.json.encode(await handler(command)), type=Reply)
    except CommandNotAllowedError as error:
        return Reply(ok=False, code=error.code, message=str(error), status=error.status)


@asynccontextmanager
async def bench_in(folder: Path) -> AsyncIterator[Bench]:
    """Give a library whose models lie in `folder`/models."""
    (folder / "models").mkdir()
    bench = Bench(MemoryStore(), folder / "models", folder / "marker.json")
    task = asyncio.create_task(bench.projector.run())
    await bench.projector.caught_up.wait()
    try:
        yield bench
        assert bench.projector.errors == 0
    finally:
        task.cancel()
