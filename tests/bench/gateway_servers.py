"""Servers to measure, each a process of its own: `python -m tests.bench.gateway_servers WHICH`.

Prints its port; then obeys lines on its input: `publish COUNT PER_SECOND` (prints `done`), ends with the input.
Every message carries the monotonic time of its making.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from gateway.auth import Authenticator, HostCheck
from gateway.boards.fold import Boards
from gateway.boards.queue import queue_object
from gateway.cookies import Cookies
from gateway.front import Front
from gateway.live import Answer, Live
from gateway.server import bind, serve
from gateway.sse import StreamEndpoint
from gateway.web import Dashboard, dist_folder
from modeldeck_events import downloads as d
from modeldeck_events import logs
from modeldeck_events.memory import MemoryStore
from modeldeck_events.projector import Projector
from modeldeck_events.store import Batch, Meta
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config, Server

TOKEN = "bench-token"
META = Meta(source="downloader", actor="local")
BODY_BYTES = 10_000
Publish = Callable[[int], Awaitable[None]]


async def _ours(listener: socket.socket) -> Publish:
    store, boards = MemoryStore(), Boards()
    live = Live(boards)
    projector = Projector(store, [boards])

    def on_batch(batch: Batch) -> None:
        live.on_batch(batch, projector.epoch)

    async def nothing(*_: object) -> None:
        raise RuntimeError("not measured here")

    projector.on_batch = on_batch
    streams = StreamEndpoint(live, store)
    front = Front(
        host_check=HostCheck("127.0.0.1", loopback=True),
        auth=Authenticator(mode="token", token=TOKEN, cookies=Cookies(TOKEN)),
        dashboard=Dashboard(dist_folder()),
        live=live,
        answers={"/queue": Answer(live.topics["queue"], queue_object), "/constant": _constant(live)},
        streams=streams,
        routes=nothing,
    )
    _keep(projector.run(), serve(front, listener, before_end=streams.close))
    await projector.caught_up.wait()
    seqs: dict[str, int] = {}

    async def publish(number: int) -> None:
        subject = d.subject("default", f"file:{number % 50}")
        event = d.DownloadFileCompleted(
            download_id=str(time.monotonic_ns()),
            attempt=1,
            path="p" * 80,
            url="https://example.org/" + "u" * 60,
            size_bytes=1,
            verified="size",
        )
        seqs[subject] = await store.append(subject, [event], expected_seq=seqs.get(subject, 0), meta=META)

    return publish


def _constant(live: Live) -> Answer:
    return Answer(live.topics["queue"], lambda _state: {"text": "x" * (BODY_BYTES - 11)})


async def _sse_starlette(listener: socket.socket) -> Publish:
    queues: set[asyncio.Queue[str]] = set()

    async def follow() -> AsyncIterator[ServerSentEvent]:
        queue: asyncio.Queue[str] = asyncio.Queue(1000)
        queues.add(queue)
        try:
            while True:
                yield ServerSentEvent(await queue.get(), event="event", id="1")
        finally:
            queues.discard(queue)

    async def stream(_request: Request) -> Response:
        return EventSourceResponse(follow())

    async def constant(_request: Request) -> Response:
        return Response(b'{"text":"' + b"x" * (BODY_BYTES - 11) + b'"}', media_type="application/json")

    routes = [Route("/api/v1/stream", stream), Route("/api/v1/constant", constant)]
    config = Config(
        Starlette(routes=routes),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    _keep(Server(config).serve(sockets=[listener]))

    async def publish(_number: int) -> None:
        data = f'{{"data":{{"download_id":"{time.monotonic_ns()}","path":"{"p" * 420}"}}}}'
        for queue in queues:
            queue.put_nowait(data)

    return publish


_tasks: list[asyncio.Task[object]] = []


def _keep(*coroutines: object) -> None:
    _tasks.extend(asyncio.ensure_future(coroutine) for coroutine in coroutines)  # type: ignore[call-overload]


async def _main(which: str) -> None:
    listener = bind("127.0.0.1", 0)
    publish = await {"ours": _ours, "sse-starlette": _sse_starlette}[which](listener)
    print(listener.getsockname()[1], flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        _, count, per_second = line.split()
        began = time.monotonic()
        for number in range(int(count)):
            await asyncio.sleep(max(0.0, began + number / float(per_second) - time.monotonic()))
            await publish(number)
        print("done", flush=True)


if __name__ == "__main__":
    logs.configure("bench", "warning")  # as the product logs: to standard error, and no reads
    try:
        asyncio.run(_main(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(0)
