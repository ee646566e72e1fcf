"""A small gateway that speaks the HTTP contract over a real socket, scripted by the test that holds it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.support.merge_patch import merge

TOKEN = "let-me-in-0123456789"
WAIT_S = 10


def problem(status: int, code: str, detail: str) -> JSONResponse:
    body = {"type": "about:blank", "title": "x", "status": status, "code": code, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


class BrokenResponse(Response):
    """Promises a body and ends the connection before it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionAbortedError


class Deck:
    """Presets, a queue, a log and their stream. `drop` cuts open streams, `down` and `up` take it off its port.

    `answers` are what else it says to "METHOD /path", one after the other, the last one for ever.
    """

    def __init__(self) -> None:
        self.presets: dict[str, dict[str, Any]] = {}
        self.downloads: dict[str, dict[str, Any]] = {}
        self.queue: dict[str, Any] = {
            "current": None,
            "active": {},
            "queue": {},
            "completed": {},
            "active_downloads": 0,
            "paused": False,
            "max_concurrent": 1,
            "bandwidth_limit_bps": None,
            "seq": 0,
        }
        self.log: list[dict[str, Any]] = []
        self.epoch = "one"
        self.ready = True
        self.resources: dict[str, Any] | None = None
        self.refusals: dict[str, JSONResponse] = {}
        self.answers: dict[str, list[Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.breaks = 0
        self.keys: list[str | None] = []
        self.streams_opened = 0
        self.resumed_from: list[str | None] = []
        self._changed = threading.Condition()
        self._mailboxes: set[asyncio.Queue[bytes | None]] = set()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    # -- as the test sees it -----------------------------------------------------------------------------------------

    def up(self) -> None:
        started = threading.Event()
        app = Starlette(routes=self._routes())
        config = uvicorn.Config(app, "127.0.0.1", self.port, log_config=None, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            task = asyncio.create_task(self._server.serve())
            while not self._server.started and not task.done():  # noqa: ASYNC110  # uvicorn tells it in no other way
                await asyncio.sleep(0.005)
            started.set()
            await task

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()))
        self._thread.start()
        assert started.wait(WAIT_S)
        assert self._server.started

    def down(self) -> None:
        self.drop()
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    def drop(self) -> None:
        """Close every open stream."""
        self._post(None)

    def wait_for_streams(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.streams_opened >= count, WAIT_S)

    def wait_for_request(self, path: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: any(path in r[1] for r in self.requests), WAIT_S)

    def patch_queue(self, **patch: Any) -> None:
        """Change the queue, as a delta to whoever listens."""
        self.queue = merge(self.queue, patch)
        self._post(frame("delta", {"topic": "queue", "data": patch}, f"{self.epoch}-{len(self.log)}"))

    def append(self, kind: str, **data: Any) -> None:
        """Append to the log, as an entry to whoever listens."""
        entry = self._entry(kind, data)
        self._post(frame("event", entry, f"{self.epoch}-{entry['seq']}"))

    def append_unseen(self, kind: str, **data: Any) -> None:
        """Append to the log without telling the open streams, as when they are cut just then."""
        self._entry(kind, data)

    def send(self, event: str, data: Any) -> None:
        self._post(frame(event, data, None))

    def changes(self) -> list[tuple[str, str, dict[str, str], Any]]:
        """Every request that was not a GET: method, path, query, body."""
        return [request for request in self.requests if request[0] != "GET"]

    # -- as the client sees it ---------------------------------------------------------------------------------------

    def _entry(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        seq = len(self.log) + 1
        entry = {"seq": seq, "id": f"e{seq}", "type": kind, "time": "2026-01-01T00:00:00.000Z", "data": data}
        self.log.append(entry)
        return entry

    def _post(self, item: bytes | None) -> None:
        def deliver() -> None:
            for mailbox in self._mailboxes:
                mailbox.put_nowait(item)

        if self._server.started and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(deliver)

    def _routes(self) -> list[Route]:
        api = [
            ("/presets/", self._get_presets),
            ("/presets/categories", self._get_categories),
            ("/presets/queue/status", self._get_queue),
            ("/presets/refresh", self._refresh),
            ("/presets/{id}", self._get_preset),
            ("/presets/{id}/{verb}", self._change_preset),
            ("/downloads", self._post_download),
            ("/downloads/plan", self._plan),
            ("/downloads/settings", self._configure),
            ("/downloads/{id}", self._get_download),
            ("/downloads/{id}/{verb}", self._change_download),
            ("/system/resources", self._get_resources),
            ("/system/health", self._health),
            ("/events", self._get_events),
            ("/stream", self._stream),
            ("/{rest:path}", self._nothing),
        ]
        routes = [Route(f"/api/v1{path}", self._guarded(handler), methods=METHODS) for path, handler in api]
        return [Route("/readyz", self._readyz), *routes]

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: Request) -> Response:
            body = await request.body()
            seen = (request.method, request.scope["path"].removeprefix("/api/v1"), dict(request.query_params))
            with self._changed:
                self.requests.append((*seen, _read(body)))
                self._changed.notify_all()
            if request.method != "GET":
                self.keys.append(request.headers.get("idempotency-key"))
            if self.breaks:
                self.breaks -= 1
                return BrokenResponse()
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return problem(401, "unauthenticated", "credentials are needed")
            refusal = self.refusals.get(f"{seen[0]} {seen[1]}")
            if refusal is not None:
                return refusal
            answers = self.answers.get(f"{seen[0]} {seen[1]}")
            if answers:
                said = answers.pop(0) if len(answers) > 1 else answers[0]
                return said if isinstance(said, Response) else JSONResponse(said)
            answer: Response = await handler(request)
            return answer

        return guarded

    async def _readyz(self, _: Request) -> Response:
        services = {"downloader": {"ok": self.ready}, "catalog": {"ok": True}}
        body = {"status": "ready" if self.ready else "degraded", "services": services}
        return JSONResponse(body, 200 if self.ready else 503)

    async def _get_presets(self, request: Request) -> Response:
        limit, offset = int(request.query_params.get("limit", 50)), int(request.query_params.get("offset", 0))
        every = list(self.presets.values())
        return JSONResponse({"presets": every[offset : offset + limit], "total": len(every)})

    async def _get_categories(self, _: Request) -> Response:
        return JSONResponse({"categories": {}})

    async def _get_queue(self, _: Request) -> Response:
        lists = {name: list(self.queue[name].values()) for name in ("active", "queue", "completed")}
        return JSONResponse(self.queue | lists | {"current": self.queue["active"].get(self.queue["current"])})

    async def _refresh(self, _: Request) -> Response:
        return JSONResponse({"status": "success", "message": "2 presets", "total_presets": 2, "version": "1.0"})

    async def _get_preset(self, request: Request) -> Response:
        preset = self.presets.get(request.path_params["id"])
        return JSONResponse(preset) if preset else problem(404, "unknown_preset", "there is no such preset")

    async def _change_preset(self, request: Request) -> Response:
        preset = self.presets.get(request.path_params["id"])
        if preset is None:
            return problem(404, "unknown_preset", "there is no such preset")
        words = {
            "install": "queued",
            "pause": "paused",
            "resume": "resumed",
            "cancel": "cancelled",
            "retry": "retrying",
        }
        if preset["status"] == "installed":
            return JSONResponse({"preset_id": preset["id"], "status": "installed"})
        status = words.get(request.path_params["verb"], "moved")
        return JSONResponse({"preset_id": preset["id"], "status": status, "download_id": f"d-{preset['id']}"})

    async def _post_download(self, _: Request) -> Response:
        return JSONResponse(
            {"status": "queued", "download_id": "d-file"}, 201, {"Location": "/api/v1/downloads/d-file"}
        )

    async def _plan(self, _: Request) -> Response:
        volume = {"path": "/models", "needed_bytes": 5_000_000_000, "present_bytes": 0, "shared_bytes": 0}
        volume |= {"reserved_bytes": 0, "free_bytes": 1_000_000_000, "fits": False}
        return JSONResponse({"volumes": [volume], "files": [{"path": "vae/x", "size_bytes": 5, "action": "download"}]})

    async def _configure(self, request: Request) -> Response:
        self.queue |= {k: v for k, v in (await request.json()).items() if k != "bandwidth_limit"}
        return JSONResponse({})

    async def _get_download(self, request: Request) -> Response:
        download = self.downloads.get(request.path_params["id"])
        return JSONResponse(download) if download else problem(404, "unknown_download", "there is no such download")

    async def _change_download(self, request: Request) -> Response:
        return JSONResponse({"download_id": request.path_params["id"], "status": "paused"})

    async def _get_resources(self, _: Request) -> Response:
        if self.resources is None:
            return problem(503, "no_samples", "nothing was measured yet")
        return JSONResponse(self.resources)

    async def _get_events(self, request: Request) -> Response:
        after, limit = int(request.query_params["after"]), int(request.query_params["limit"])
        page = [e for e in self.log if e["seq"] > after][:limit]
        seq = page[-1]["seq"] if page else len(self.log)
        return JSONResponse({"events": page, "seq": seq, "id": f"{self.epoch}-{seq}", "more": seq < len(self.log)})

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ready", "epoch": self.epoch, "seq": len(self.log), "services": {}})

    async def _nothing(self, _: Request) -> Response:
        return problem(404, "not_found", "there is nothing here")

    async def _stream(self, request: Request) -> Response:
        last_id = request.headers.get("last-event-id")
        topics = request.query_params["topics"].split(",")
        return StreamingResponse(self._frames(topics, last_id), media_type="text/event-stream")

    async def _frames(self, topics: list[str], last_id: str | None) -> AsyncIterator[bytes]:
        epoch, _, seq = (last_id or "").partition("-")
        resumed = epoch == self.epoch
        mailbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        # Registering and reading the present state happen without an await between them: nothing can fall between.
        self._mailboxes.add(mailbox)
        first = [b"retry: 50\n\n", frame("hello", {"v": 1, "epoch": self.epoch, "heartbeat_s": 10, "resumed": resumed})]
        now = f"{self.epoch}-{len(self.log)}"
        if last_id is not None and not resumed:
            first.append(frame("reset", {"epoch": self.epoch}))
        if "queue" in topics:
            first.append(frame("snapshot", {"topic": "queue", "data": self.queue}, now))
        if "events" in topics and resumed:
            first += [frame("event", e, f"{self.epoch}-{e['seq']}") for e in self.log[int(seq) :]]
        with self._changed:
            self.streams_opened += 1
            self.resumed_from.append(last_id)
            self._changed.notify_all()
        try:
            for part in first:
                yield part
            while (item := await mailbox.get()) is not None:
                yield item
        finally:
            self._mailboxes.discard(mailbox)


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body


METHODS = ["GET", "POST", "PATCH", "DELETE"]


def frame(event: str, data: Any, event_id: str | None = None) -> bytes:
    lines = [f"id: {event_id}"] if event_id is not None else []
    return "\n".join([*lines, f"event: {event}", f"data: {json.dumps(data, ensure_ascii=False)}", "", ""]).encode()


@contextlib.contextmanager
def running_deck() -> Iterator[Deck]:
    deck = Deck()
    deck.up()
    try:
        yield deck
    finally:
        if deck._thread.is_alive():
            deck.down()
