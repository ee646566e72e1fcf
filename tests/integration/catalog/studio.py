"""A running catalog service on a real nats-server, with a real web server as the catalog's source."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from catalog.app import build
from catalog.settings import Settings
from modeldeck_events import bus, downloads
from modeldeck_events.bus import Bus
from modeldeck_events.downloads import DownloadFileCompleted
from modeldeck_events.message import Event
from modeldeck_events.runtime import Service
from modeldeck_events.store import Meta


@dataclass
class Upstream:
    """A web server that serves one file; its log says what was asked."""

    data: bytes = b""
    status: int = 200
    url: str = ""
    answers: list[int] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        etag = f'"{hashlib.sha256(self.data).hexdigest()}"'
        status = 304 if self.status == 200 and request.headers.get("If-None-Match") == etag else self.status
        self.answers.append(status)
        return web.Response(status=status, body=None if status == 304 else self.data, headers={"ETag": etag})


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """Run the web server."""
    origin = Upstream()
    app = web.Application()
    app.router.add_get("/presets.yaml", origin.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin.url = f"http://127.0.0.1:{runner.addresses[0][1]}/presets.yaml"
    try:
        yield origin
    finally:
        await runner.cleanup()


@dataclass
class UpstreamFolder:
    """A web server that serves a folder's files; the one named `broken` gives a 500."""

    files: dict[str, str] = field(default_factory=dict)
    broken: str = ""
    url: str = ""
    asked: list[int] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        name = request.path.removeprefix("/folder/")
        text = self.files.get(name)
        etag = f'"{hashlib.sha256((text or "").encode()).hexdigest()}"'
        same = request.headers.get("If-None-Match") == etag
        status = 500 if name == self.broken else 404 if text is None else 304 if same else 200
        self.asked.append(status)
        return web.Response(status=status, text=text if status == 200 else None, headers={"ETag": etag})


@asynccontextmanager
async def upstream_folder() -> AsyncIterator[UpstreamFolder]:
    """Run the web server; its URL is that of the folder."""
    folder = UpstreamFolder()
    app = web.Application()
    app.router.add_get("/folder/{tail:.*}", folder.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    folder.url = f"http://127.0.0.1:{runner.addresses[0][1]}/folder/"
    try:
        yield folder
    finally:
        await runner.cleanup()


class Studio:
    """One catalog process's worth of service, and a client beside it."""

    def __init__(self, client: Bus, settings: Settings) -> None:
        self.client = client
        self.settings = settings
        self.service: Service | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        """Run the service."""
        service = build(self.settings)
        await service.start()
        try:
            async with asyncio.timeout(10):
                await service.ready()
            yield service
        finally:
            await service.stop()

    async def events(self, after: int = 0) -> list[Event]:
        """Return the facts of the log after a sequence."""
        records = await self.client.store.read(after=after, limit=10_000)
        return [record.event for record in records if record.event is not None]

    async def wait_for(self, true: Callable[[list[Event]], bool], timeout_s: float = 10) -> list[Event]:
        """Return the facts once the condition holds for them."""
        async with asyncio.timeout(timeout_s):
            while not true(found := await self.events()):  # noqa: ASYNC110 - the log is asked, it does not call
                await asyncio.sleep(0.02)
        return found

    async def finish_download(self, path: str, size_bytes: int) -> None:
        """Append what the downloader appends when a file stands under its final name."""
        subject = downloads.subject(self.settings.pool, f"file:{path}")
        fact = DownloadFileCompleted(
            download_id="d1", attempt=1, path=path, url="https://h.example/f", size_bytes=size_bytes, verified="size"
        )
        await self.client.store.append(subject, (fact,), expected_seq=0, meta=Meta("downloader"))


@asynccontextmanager
async def studio(nats_url: str, folder: Path, **settings: object) -> AsyncIterator[Studio]:
    """Give a studio whose data and models lie in `folder`."""
    (folder / "models").mkdir(exist_ok=True)
    chosen = Settings(data_dir=folder / "data", models_dir=folder / "models", nats_url=nats_url, **settings)  # type: ignore[arg-type]
    client = await bus.connect(nats_url, "test")
    try:
        yield Studio(client, chosen)
    finally:
        await client.close()
