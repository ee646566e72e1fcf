"""A real HTTP origin that can misbehave in every way, and writes down every request.

Content is generated from a seed, so ten gigabytes need no disk: a file's bytes are those of `content`. Behaviour is
chosen per file (`origin.add("/a.bin", size=..., stall_after=...)`) or, in a process of its own, by the query:

    python -m tests.support.origin --port 8099 --log requests.jsonl [--tls cert.pem key.pem]
    http://127.0.0.1:8099/any/name.bin?size=1000000&seed=3&rate=2000000&truncate_after=5000

Hugging Face's way is served for paths like /org/repo/resolve/main/file: a redirect to /cdn/..., with X-Linked-ETag,
X-Linked-Size and X-Repo-Commit. With `--hub SIZE` every such path exists, with that size.
Each line of the log: {method, path, range, if_range, status, sent, authorization, host, at}.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import ssl
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

from aiohttp import web

MIB = 1 << 20
SEND_BYTES = 256 << 10


@cache
def _base(seed: int) -> bytes:
    return random.Random(seed).randbytes(MIB)


def content(seed: int, start: int, end: int, prefix: bytes = b"") -> bytes:
    """Return bytes [start, end): a MiB of noise repeated, each beginning with its own number; `prefix` goes first."""
    parts, position = [], start
    while position < end:
        index, inside = divmod(position, MIB)
        block = struct.pack(">QQ", seed, index) + _base(seed)[16:]
        part = block[inside : inside + end - position]
        parts.append(part)
        position += len(part)
    generated = b"".join(parts)
    if start < len(prefix):
        generated = (prefix[start:end] + generated[len(prefix[start:end]) :])[: end - start]
    return generated


def sha256_of(seed: int, size: int, prefix: bytes = b"") -> str:
    """Return the SHA-256 of a generated file."""
    digest = hashlib.sha256()
    for start in range(0, size, 8 * MIB):
        digest.update(content(seed, start, min(size, start + 8 * MIB), prefix))
    return digest.hexdigest()


@dataclass(frozen=True)
class File:
    """One file and its manners. Counters of the form `*_times` apply to the first so many requests."""

    size: int = 0
    seed: int = 1
    prefix: bytes = b""
    etag: str = "strong"  # strong, weak, none, changing, or a literal tag
    last_modified: str = ""
    ranges: str = "yes"  # yes, no, wrong_start, wrong_total, wrong_length, no_header, ignored_after (a second request)
    framing: str = "length"  # length, chunked, close
    rate: int = 0  # bytes per second and connection
    latency_s: float = 0.0
    truncate_after: int = -1  # close each connection after so many body bytes
    truncate_times: int = 1 << 30
    stall_after: int = -1  # go silent after so many body bytes
    stall_times: int = 1 << 30
    lie_about_length: int = 0  # added to the stated length
    change_after: int = -1  # another content and etag once so many bytes were sent in all
    status: int = 0  # answer this instead
    status_times: int = 1 << 30
    retry_after: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/octet-stream"
    body: bytes | None = None  # this instead of generated content
    token: str = ""  # asks for this bearer token
    redirect: str = ""  # Location, 302
    redirect_status: int = 302
    linked: bool = False  # state the SHA-256 the way Hugging Face does, on the redirect
    linked_sha256: str = ""  # state this one
    links_expire_after: int = 0  # a redirect adds a signature that serves so many requests, then answers 403
    encode: str = ""  # Content-Encoding header to lie with

    @property
    def sha256(self) -> str:
        """The true hash."""
        return (
            hashlib.sha256(self.body).hexdigest()
            if self.body is not None
            else sha256_of(self.seed, self.size, self.prefix)
        )

    @property
    def length(self) -> int:
        return len(self.body) if self.body is not None else self.size

    def read(self, start: int, end: int) -> bytes:
        return self.body[start:end] if self.body is not None else content(self.seed, start, end, self.prefix)


@dataclass
class Request:
    """What the log keeps of a request; `sent` counts body bytes handed to the kernel."""

    method: str
    path: str
    range: str | None
    if_range: str | None
    authorization: str | None
    host: str
    at: float
    peer: int = 0
    status: int = 0
    sent: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


class Origin:
    """An HTTP server on a loopback port; an async context manager."""

    def __init__(self, *, port: int = 0, log: Path | None = None, ssl_context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.files: dict[str, File] = {}
        self.hub_size = 0
        self.open_connections = 0
        self._port = port
        self._log = log
        self._ssl = ssl_context
        self._asked: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._signatures: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._ssl)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        return self._port

    @property
    def host(self) -> str:
        """host:port, as MODELDECK_ALLOWED_HOSTS wants it."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._ssl else 'http'}://{self.host}"

    def add(self, path: str, file: File | None = None, **manners: Any) -> File:
        """Serve a file below `path`; return it."""
        self.files[path] = replace(file or File(), **manners)
        return self.files[path]

    def sent(self, path: str | None = None) -> int:
        """Return how many body bytes were sent, of one path or of all."""
        return sum(request.sent for request in self.requests if path in (None, request.path))

    def asked(self, path: str) -> list[Request]:
        """Return the requests for one path."""
        return [request for request in self.requests if request.path == path]

    # Answering

    def _find(self, request: web.Request) -> File | None:
        path = request.path
        if path in self.files:
            return self.files[path]
        if path.startswith("/cdn/") and path[4:] in self.files:
            return replace(self.files[path[4:]], linked=False, linked_sha256="", token="", redirect="")
        if "size" in request.query:
            return _from_query(request)
        if self.hub_size and ("/resolve/" in path):
            served = path.removeprefix("/cdn")
            seed = int.from_bytes(hashlib.sha256(served.encode()).digest()[:4])
            return File(size=self.hub_size, seed=seed, linked=not path.startswith("/cdn/"))
        return None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        entry = Request(
            request.method,
            request.path,
            request.headers.get("Range"),
            request.headers.get("If-Range"),
            request.headers.get("Authorization"),
            request.headers.get("Host", ""),
            time.time(),
            request.transport.get_extra_info("peername")[1] if request.transport else 0,
        )
        self.requests.append(entry)
        file = self._find(request)
        self._asked[request.path] += 1
        try:
            response = await self._respond(request, entry, file)
        finally:
            self._write_log(entry)
        return response

    def _write_log(self, entry: Request) -> None:
        if self._log is not None:
            with self._log.open("a") as log:
                log.write(json.dumps({f.name: getattr(entry, f.name) for f in fields(entry)}) + "\n")

    async def _respond(self, request: web.Request, entry: Request, file: File | None) -> web.StreamResponse:
        if file is None:
            entry.status = 404
            return web.Response(status=404, text="no such file")
        if file.latency_s:
            await asyncio.sleep(file.latency_s)
        early = self._refuse(request, file) or self._redirect(request, file)
        if early is not None:
            entry.status = early.status
            return early
        if 0 <= file.change_after <= self._sent[request.path]:
            file = replace(file, seed=file.seed + 1000, etag='"changed"', change_after=-1)
        return await self._stream(request, entry, file)

    def _refuse(self, request: web.Request, file: File) -> web.Response | None:
        headers = dict(file.headers)
        if file.retry_after:
            headers["Retry-After"] = file.retry_after
        if file.status and self._asked[request.path] <= file.status_times:
            return web.Response(status=file.status, headers=headers, body=file.body or b"refused")
        if file.token and request.headers.get("Authorization") != f"Bearer {file.token}":
            return web.Response(status=401, headers=headers, text="a token is needed")
        signature = request.query.get("signature")
        if signature is not None:
            self._signatures[signature] -= 1
            if self._signatures[signature] < 0:
                return web.Response(status=403, text="the link has expired")
        return None

    def _redirect(self, request: web.Request, file: File) -> web.Response | None:
        if not (file.redirect or file.linked or file.linked_sha256 or file.links_expire_after):
            return None
        if request.query.get("signature"):
            return None
        headers = {"Location": file.redirect or f"/cdn{request.path}"}
        if file.links_expire_after:
            signature = f"{len(self.requests)}"
            self._signatures[signature] = file.links_expire_after
            headers["Location"] += f"?signature={signature}"
        if file.linked or file.linked_sha256:
            headers["X-Linked-ETag"] = f'"{file.linked_sha256 or file.sha256}"'
            headers["X-Linked-Size"] = str(file.length)
            headers["X-Repo-Commit"] = "0" * 40
        return web.Response(status=file.redirect_status, headers=headers)

    def _etag(self, file: File) -> str | None:
        tag = hashlib.sha256(f"{file.seed}/{file.length}".encode()).hexdigest()[:32]
        named = {"strong": f'"{tag}"', "weak": f'W/"{tag}"', "none": None, "changing": f'"{time.time_ns()}"'}
        return named.get(file.etag, file.etag)

    async def _stream(  # noqa: C901  (one place for all manners)
        self, request: web.Request, entry: Request, file: File
    ) -> web.StreamResponse:
        size, etag = file.length, self._etag(file)
        start, end, status = 0, size, 200
        asked = request.headers.get("Range", "")
        ranges = file.ranges
        if ranges == "ignored_after":
            ranges = "yes" if self._asked[request.path] == 1 else "no"
        condition = request.headers.get("If-Range")
        if asked and ranges != "no" and condition in (None, etag, file.last_modified or None):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(size, int(last) + 1 if last else size), 206
            if start >= size:
                entry.status = 416
                return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        headers = {"Content-Type": file.content_type, **dict(file.headers)}
        if etag is not None:
            headers["ETag"] = etag
        if file.last_modified:
            headers["Last-Modified"] = file.last_modified
        if ranges in ("yes", "ignored_after"):
            headers["Accept-Ranges"] = "bytes"
        if file.encode:
            headers["Content-Encoding"] = file.encode
        if status == 206 and ranges != "no_header":
            shift = 4096 if ranges == "wrong_start" else 0
            total = size + 1 if ranges == "wrong_total" and start else size
            cut = 10 if ranges == "wrong_length" else 0
            headers["Content-Range"] = f"bytes {start + shift}-{end - 1 - cut}/{total}"
        if file.framing == "length":
            headers["Content-Length"] = str(end - start + file.lie_about_length)
        response = web.StreamResponse(status=status, headers=headers)
        if file.framing == "chunked":
            response.enable_chunked_encoding()
        elif file.framing == "close":
            response.force_close()
            response._length_check = False
        entry.status = status
        with contextlib.suppress(ConnectionError):  # a client that was killed is what some tests are about
            await response.prepare(request)
            if request.method == "HEAD":
                return response
            await self._send(request, response, entry, file, start, end)
        return response

    async def _send(  # noqa: C901, PLR0917  (one place for all manners)
        self, request: web.Request, response: web.StreamResponse, entry: Request, file: File, start: int, end: int
    ) -> None:
        transport = request.transport
        if transport is None:
            return
        number = self._asked[request.path]
        truncate = file.truncate_after if number <= file.truncate_times else -1
        stall = file.stall_after if number <= file.stall_times else -1
        position, began = start, time.monotonic()
        while position < end:
            size = min(SEND_BYTES if not file.rate else max(1024, min(SEND_BYTES, file.rate // 20)), end - position)
            for edge in (truncate, stall):
                if edge >= 0:
                    size = min(size, max(0, start + edge - position))
            if size:
                await response.write(file.read(position, position + size))
                position += size
                entry.sent += size
                self._sent[request.path] += size
            if position - start == truncate and position < end:
                await asyncio.sleep(0.01)  # let the bytes leave before the connection ends
                transport.close()
                return
            if position - start == stall and position < end:
                await asyncio.Event().wait()
            if file.rate:
                ahead_s = (position - start) / file.rate - (time.monotonic() - began)
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)
        if file.lie_about_length > 0:
            transport.close()
            return
        with contextlib.suppress(ConnectionError):
            await response.write_eof()


def _from_query(request: web.Request) -> File:
    kinds = {f.name: f.type for f in fields(File)}
    manners: dict[str, Any] = {}
    for name, value in request.query.items():
        kind = kinds.get(name)
        if kind == "int":
            manners[name] = int(value)
        elif kind == "float":
            manners[name] = float(value)
        elif kind == "bool":
            manners[name] = value == "1"
        elif kind == "str":
            manners[name] = value
    return File(**manners)


@contextlib.asynccontextmanager
async def origin(**options: Any) -> AsyncIterator[Origin]:
    """Serve on a free loopback port."""
    async with Origin(**options) as server:
        yield server


async def _serve(arguments: argparse.Namespace) -> None:
    context = None
    if arguments.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*arguments.tls)
    async with Origin(port=arguments.port, log=arguments.log, ssl_context=context) as server:
        server.hub_size = arguments.hub
        print(f"origin at {server.url}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--hub", type=int, default=0, metavar="SIZE")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
