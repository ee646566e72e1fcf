"""An HTTP origin like a model hub: ranges, strong validators, checksums; one preset's files slow, another's flaky."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from modeldeck_local.demo.content import GeneratedFile
from modeldeck_local.demo.hub import Hub
from modeldeck_local.demo.shelf import Stated

CHUNK_BYTES = 64 * 1024
SPEED_BPS = {"": 2_000_000, "slow": 150_000, "flaky": 1_000_000}
"""Bytes per second for each connection."""
FLAKY_REFUSALS = 1
FLAKY_DROPS = 3
FLAKY_DROP_AFTER_BYTES = 400_000

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Served(NamedTuple):
    """One file and how its server behaves: "", "slow" or "flaky"."""

    file: GeneratedFile
    behaviour: str = ""


def read_manifest(path: Path) -> dict[str, Served]:
    """Return what to serve: URL path to file."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    return {
        url_path: Served(GeneratedFile(entry["name"], entry["size_bytes"]), entry.get("behaviour", ""))
        for url_path, entry in entries.items()
    }


class Origin:
    """Serves generated files. A flaky one refuses its first request, then drops some connections in the middle."""

    def __init__(self, served: Mapping[str, Served], stated: Mapping[str, Stated] | None = None) -> None:
        self._served = served
        self._hub = Hub({path: entry.file for path, entry in served.items()}, stated or {})
        self._refused: dict[str, int] = {}
        self._dropped: dict[str, int] = {}

    def app(self) -> web.Application:
        """Return the application to run."""
        app = web.Application()
        self._hub.add_routes(app.router)
        app.router.add_get("/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        found = await self._hub.find(request)
        if isinstance(found, web.Response):
            return found
        served = self._served.get(found.path)
        if served is None:
            raise web.HTTPNotFound(text=f"The demo has no {request.path}\n")
        if served.behaviour == "flaky" and self._refused.get(request.path, 0) < FLAKY_REFUSALS:
            self._refused[request.path] = self._refused.get(request.path, 0) + 1
            _log(request, 503, "refused on purpose")
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"}, text="busy, on purpose\n")
        sha256 = await asyncio.to_thread(lambda: served.file.sha256)
        etag, size_bytes = f'"{sha256}"', served.file.size_bytes
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
            "ETag": etag,
            "X-Linked-ETag": etag,
            "X-Linked-Size": str(size_bytes),
            **found.headers,
        }
        wanted = _range_of(request, etag, size_bytes)
        if wanted is None:
            start, stop, status = 0, size_bytes, 200
        else:
            start, stop, status = wanted.start, wanted.stop, 206
            if not wanted:
                headers["Content-Range"] = f"bytes */{size_bytes}"
                raise web.HTTPRequestRangeNotSatisfiable(headers=headers)
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size_bytes}"
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = stop - start
        await response.prepare(request)
        _log(request, status, f"{start}-{stop}")
        if request.method != "HEAD":
            await self._send(request, response, served, start, stop)
        return response

    async def _send(
        self, request: web.Request, response: web.StreamResponse, served: Served, start: int, stop: int
    ) -> None:
        """Write the bytes at the behaviour's pace; a flaky file's connection may be cut."""
        drops = served.behaviour == "flaky" and self._dropped.get(request.path, 0) < FLAKY_DROPS
        began, position = time.monotonic(), start
        while position < stop:
            upto = min(position + CHUNK_BYTES, stop)
            await response.write(served.file.read(position, upto))
            position = upto
            if drops and position - start >= FLAKY_DROP_AFTER_BYTES and position < stop:
                self._dropped[request.path] = self._dropped.get(request.path, 0) + 1
                _log(request, response.status, f"dropped on purpose after {position - start} bytes")
                if request.transport is not None:
                    request.transport.abort()
                return
            ahead_s = (position - start) / SPEED_BPS[served.behaviour] - (time.monotonic() - began)
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
        await response.write_eof()


def _range_of(request: web.Request, etag: str, size_bytes: int) -> range | None:
    """Return the bytes asked for; None for all of them, an empty range for one that cannot be had."""
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    if asked is None or request.headers.get("If-Range", etag) != etag:
        return None
    last = min(int(asked[2]), size_bytes - 1) if asked[2] else size_bytes - 1
    return range(int(asked[1]), last + 1)


def _log(request: web.Request, status: int, detail: str) -> None:
    entry = {"level": "info", "event": "request", "method": request.method, "path": request.path, "status": status}
    print(json.dumps({**entry, "detail": detail}), flush=True)  # noqa: T201  # the supervisor keeps it as the origin's log
