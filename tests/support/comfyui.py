"""A stand-in for ComfyUI: it makes no pictures, and speaks the documented part of ComfyUI's protocol.

What it keeps to (ComfyUI's `server.py`, `execution.py`, `comfy_execution/progress.py`, its API examples): the routes
`/prompt`, `/queue`, `/history`, `/history/{id}`, `/system_stats` and `/ws`, the shape of their answers, who gets which
message (the queue's state: everybody; a job's events: the client that submitted it, or everybody when it gave no client
id; `progress_state`: everybody), one job at a time, the history in memory only and in the order in which jobs ended.
"""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]

PROMPT: Json = {
    "3": {
        "class_type": "KSampler",
        "inputs": {"seed": 5, "model": ["4", 0]},
        "is_changed": [float("nan")],
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sdxl\\base.safetensors"}},
    "5": {"class_type": "LoraLoader", "inputs": {"lora_name": "detail.safetensors", "model": ["4", 0]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["3", 0]}},
}
"""A workflow of four nodes; its NaN is what ComfyUI itself puts there for nodes that always run again."""
PREVIEW = b"\x00\x00\x00\x01\x00\x00\x00\x01not really a picture"


@dataclass
class Submitted:
    """One job. `fails` names an exception; `interrupted` ends it as a person would."""

    id: str
    prompt: Json
    extra: Json
    steps: int = 2
    fails: str = ""
    interrupted: bool = False

    def item(self) -> list[Any]:
        return [0, self.id, self.prompt, self.extra, ["9"]]


@dataclass
class FakeComfyui:
    """One ComfyUI process after the other on the same port: `crash` loses queue and history, as it really does."""

    base_path: str = ""
    step_s: float = 0.0
    offsets: bool = True
    """False: as before 2025, when the history knew no offset."""
    port: int = 0
    pending: list[Submitted] = field(default_factory=list)
    running: Submitted | None = None
    history: dict[str, Json] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    """The ids of every job that ever ended, through all crashes."""
    sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    _worker: asyncio.Task[None] | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _allowed: float = math.inf
    _allowed_more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base_path}"

    async def start(self) -> None:
        app = web.Application()
        for path, handler in (
            ("/ws", self._ws),
            ("/prompt", self._prompt),
            ("/queue", self._queue),
            ("/history", self._history),
            ("/history/{id}", self._entry),
            ("/system_stats", self._stats),
        ):
            app.router.add_get(self.base_path + path, handler)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        if not self.port:
            self.port = self._runner.addresses[0][1]
        self._worker = asyncio.create_task(self._work())

    async def crash(self) -> list[Submitted]:
        """End at once; return the jobs that waited, which nobody will ever run unless they are submitted again."""
        left, self.pending, self.running = self.pending, [], None
        self.history.clear()
        await self._end()
        return left

    async def stop(self) -> None:
        """Go away and come back later with everything: as when the network between was cut."""
        await self._end(worker=False)

    async def _end(self, *, worker: bool = True) -> None:
        if worker and self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        for socket in list(self.sockets.values()):
            await socket.close()
        self.sockets.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def come_back(self) -> None:
        """Undo `stop`."""
        worker = self._worker
        await self.start()
        assert self._worker is not None
        self._worker.cancel()
        self._worker = worker

    def allow(self, count: float = math.inf) -> None:
        """Let so many jobs end in all; the next one waits before its last step."""
        self._allowed = count
        self._allowed_more.set()

    def hold(self) -> None:
        """Let no more jobs end."""
        self.allow(len(self.ended))

    def submit(self, *, name: str = "", client_id: str = "", **job: Any) -> str:
        """Queue a job; return its id."""
        extra: Json = {"extra_pnginfo": {"workflow": {"id": "w", "nodes": [], **({"name": name} if name else {})}}}
        if client_id:
            extra["client_id"] = client_id
        submitted = Submitted(str(uuid.uuid4()), PROMPT, extra, **job)
        self.pending.append(submitted)
        self._wake.set()
        return submitted.id

    def again(self, jobs: list[Submitted]) -> None:
        """Queue jobs that a crash lost, under their old ids: clients may choose ids."""
        self.pending += jobs
        self._wake.set()

    async def broadcast(self, kind: str, data: object, client_id: str = "") -> None:
        for sid, socket in list(self.sockets.items()):
            if not client_id or sid == client_id:
                await self._send(socket.send_json({"type": kind, "data": data}))

    async def broadcast_raw(self, frame: str | bytes) -> None:
        for socket in list(self.sockets.values()):
            await self._send(socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))

    @staticmethod
    async def _send(sending: Any) -> None:
        try:
            await sending
        except ConnectionError:
            return

    async def _tell_queue(self) -> None:
        await self.broadcast("status", {"status": self._exec_info()})

    def _exec_info(self) -> Json:
        return {"exec_info": {"queue_remaining": len(self.pending) + (self.running is not None)}}

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.pending:
                self.running = self.pending.pop(0)
                await self._tell_queue()
                status, outputs = await self._execute(self.running)
                job, self.running = self.running, None
                self.history[job.id] = {"prompt": job.item(), "outputs": outputs, "status": status, "meta": {}}
                self.ended.append(job.id)
                await self._tell_queue()

    async def _execute(self, job: Submitted) -> tuple[Json, Json]:
        client_id = job.extra.get("client_id", "")
        messages: list[Any] = []

        async def tell(kind: str, **data: Any) -> None:
            data |= {"prompt_id": job.id, "timestamp": int(time.time() * 1000)}
            messages.append([kind, data])
            await self.broadcast(kind, data, client_id)

        await tell("execution_start")
        await tell("execution_cached", nodes=["4"])
        for node in ("5", "3"):
            await self.broadcast("executing", {"node": node, "prompt_id": job.id}, client_id)
        for step in range(1, job.steps + 1):
            if step == job.steps:
                while len(self.ended) >= self._allowed:
                    self._allowed_more.clear()
                    await self._allowed_more.wait()
            await asyncio.sleep(self.step_s)
            state = {"value": step, "max": job.steps, "state": "running", "node_id": "3", "prompt_id": job.id}
            await self.broadcast("progress_state", {"prompt_id": job.id, "nodes": {"3": state}})
            progress = {"value": step, "max": job.steps, "node": "3", "prompt_id": job.id}
            await self.broadcast("progress", progress, client_id)
            await self.broadcast_raw(PREVIEW)
        if job.interrupted:
            await tell("execution_interrupted", node_id="3", node_type="KSampler", executed=[])
            return {"status_str": "error", "completed": False, "messages": messages}, {}
        if job.fails:
            broken = {"exception_message": job.fails, "exception_type": "RuntimeError", "traceback": ["File ..."]}
            await tell("execution_error", node_id="3", node_type="KSampler", **broken)
            return {"status_str": "error", "completed": False, "messages": messages}, {}
        images = [
            {"filename": f"ComfyUI_{len(self.ended):05}_.png", "subfolder": "", "type": "output"},
            {"filename": "seen.png", "subfolder": "", "type": "temp"},
        ]
        await self.broadcast("executed", {"node": "9", "output": {"images": images}, "prompt_id": job.id}, client_id)
        await tell("execution_success")
        await self.broadcast("executing", {"node": None, "prompt_id": job.id}, client_id)
        return {"status_str": "success", "completed": True, "messages": messages}, {"9": {"images": images}}

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sid = request.query.get("clientId") or uuid.uuid4().hex
        self.sockets[sid] = socket
        try:
            await socket.send_json({"type": "status", "data": {"status": self._exec_info(), "sid": sid}})
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            if self.sockets.get(sid) is socket:
                del self.sockets[sid]
        return socket

    async def _prompt(self, _request: web.Request) -> web.Response:
        return web.json_response(self._exec_info())

    async def _queue(self, _request: web.Request) -> web.Response:
        self.requests.append("queue")
        running = [self.running.item()] if self.running else []
        return web.json_response({"queue_running": running, "queue_pending": [job.item() for job in self.pending]})

    async def _history(self, request: web.Request) -> web.Response:
        self.requests.append(f"history {dict(request.query)}")
        entries = list(self.history.items())
        count = int(request.query.get("max_items", len(entries)))
        offset = int(request.query.get("offset", -1)) if self.offsets else -1
        start = max(0, len(entries) - count) if offset < 0 else offset
        return web.json_response(dict(entries[start : start + count]))

    async def _entry(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        return web.json_response({key: self.history[key]} if key in self.history else {})

    async def _stats(self, _request: web.Request) -> web.Response:
        return web.json_response({"system": {"comfyui_version": "0.33.0"}, "devices": []})


@asynccontextmanager
async def running_comfyui(**options: Any) -> AsyncIterator[FakeComfyui]:
    """Run one."""
    comfyui = FakeComfyui(**options)
    await comfyui.start()
    try:
        yield comfyui
    finally:
        await comfyui.crash()
