"""A stand-in for the Hugging Face Hub: a real HTTP server that speaks these routes of the real one.

    GET      /api/models/{repo}[/revision/{rev}]?blobs=true   the repository; ETag, 304 on If-None-Match
    GET      /api/models/{repo}/tree/{rev}[/{folder}]         its files
    HEAD/GET /{repo}/resolve/{rev}/{file}                     a small file; for an LFS file 302 to /cdn/... with
                                                              X-Repo-Commit, X-Linked-Etag (SHA-256), X-Linked-Size
    GET      /cdn/...?signature=                              bytes, ranges; anybody with the signed link; another port

Errors as the hub gives them, in X-Error-Code and X-Error-Message: RepoNotFound (401 without a token, 404 with one),
GatedRepo (401 without a token, 403 with one), RevisionNotFound, EntryNotFound, 401 for a token that it does not know,
429 with Retry-After and RateLimit; 307 for a renamed repository. It can be taken down and brought back on its port.

It is no real hub; the demo's origin, which stands in for it too, has the shapes of the answers from the same place.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from aiohttp import web
from modeldeck_local.demo import hub_shapes as shapes

TOKEN = "hf_the-token-of-a-person"


@dataclass
class Repo:
    """A repository with its history; the newest commit is `main`."""

    name: str
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    gated: str | bool = False
    granted: bool = False  # the token's account has accepted the terms
    closed: bool = False  # gated, and not even described to who has no access
    private: bool = False
    renamed_to: str = ""
    redirect_to: str = ""  # the base of the address that a renamed one redirects to
    corrupt: bool = False  # the bytes sent are not those of the stated hash

    def commit(self, files: dict[str, bytes]) -> str:
        """Add or change files; return the commit."""
        now = {**self.commits.get(self.refs.get("main", ""), {}), **files}
        hashes = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in now.items())
        sha = shapes.commit_id([hashes, len(self.commits)])
        self.commits[sha] = now
        self.refs["main"] = sha
        return sha

    @property
    def head(self) -> str:
        """The newest commit."""
        return self.refs["main"]

    def at(self, revision: str) -> str | None:
        """Return the commit that a branch, tag or commit names."""
        return self.refs.get(revision) or (revision if revision in self.commits else None)


@dataclass(frozen=True)
class Request:
    """One line of the hub's log."""

    method: str
    path: str
    status: int
    authorization: str | None
    if_none_match: str | None
    user_agent: str


class _RefusedError(Exception):
    """The answer that is no success."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Hub:
    """The server; an async context manager. Tests change its attributes while it runs."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.tokens = {TOKEN}
        self.requests: list[Request] = []
        self.hold: asyncio.Event | None = None
        """What every answer waits for."""
        self._trouble: tuple[int, dict[str, str]] | None = None
        self._ports = [0, 0]
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Serve (again) on the same port."""
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/api/models/{org}/{name}", self._describe)
        app.router.add_get("/api/models/{org}/{name}/revision/{revision}", self._describe)
        app.router.add_get("/api/models/{org}/{name}/tree/{revision}", self._tree)
        app.router.add_get("/api/models/{org}/{name}/tree/{revision}/{folder:.+}", self._tree)
        app.router.add_get("/{org}/{name}/resolve/{revision}/{file:.+}", self._resolve)
        app.router.add_get("/cdn/{org}/{name}/{commit}/{file:.+}", self._cdn)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        for port in self._ports:
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self._ports = [address[1] for address in self._runner.addresses]

    async def stop(self) -> None:
        """Be down: connections are refused."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    @property
    def host(self) -> str:
        """host:port, as MODELDECK_ALLOWED_HOSTS wants it."""
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def cdn(self) -> str:
        """host:port from which the bytes of LFS files come: another origin, as in reality."""
        return f"127.0.0.1:{self._ports[1]}"

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://{self.host}"

    def add(self, name: str, files: dict[str, bytes], **what: Any) -> Repo:
        """Have a repository; `what` are the fields of Repo, further ones are facts that the API answers."""
        own = {key: what.pop(key) for key in tuple(what) if key in Repo.__dataclass_fields__}
        repo = Repo(name, facts=what, **own)
        repo.commit(files)
        self.repos[name] = repo
        return repo

    def fail(self, status: int, **headers: str) -> None:
        """Answer everything with this status from now on."""
        self._trouble = (status, {name.replace("_", "-"): value for name, value in headers.items()})

    def slow_down(self, wait_s: int) -> None:
        """Answer everything with 429."""
        self.fail(429, Retry_After=str(wait_s), RateLimit=f'"api";r=0;t={wait_s}')

    def asked(self, path: str) -> list[Request]:
        """Return the requests whose path begins so."""
        return [request for request in self.requests if request.path.startswith(path)]

    # Answering

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.hold is not None:
            await self.hold.wait()
        try:
            answer: web.StreamResponse = await handler(request)
        except _RefusedError as refused:
            answer = refused.answer
        get = request.headers.get
        self.requests.append(
            Request(
                request.method,
                request.path,
                answer.status,
                get("Authorization"),
                get("If-None-Match"),
                get("User-Agent", ""),
            )
        )
        return answer

    def _repo(self, request: web.Request) -> tuple[Repo, str]:
        """Return the repository and the commit that are asked for, or refuse as the hub does."""
        if self._trouble is not None:
            raise _RefusedError(shapes.refusal(self._trouble[0], "", "Trouble", self._trouble[1]))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            raise _RefusedError(shapes.refusal(401, "", "Invalid credentials in Authorization header"))
        repo = self.repos.get(f"{request.match_info['org']}/{request.match_info['name']}")
        if repo is None or (repo.private and not token):
            raise _RefusedError(shapes.repository_missing(signed_in=bool(token)))
        if repo.renamed_to:
            location = repo.redirect_to + request.path_qs.replace(repo.name, repo.renamed_to, 1)
            raise _RefusedError(shapes.refusal(307, "", "Temporary Redirect", {"Location": location}))
        described = request.path.startswith("/api/") and not repo.closed
        if repo.gated and not described and not (token and repo.granted):
            raise _RefusedError(shapes.repository_gated(repo.name, signed_in=bool(token)))
        revision = request.match_info.get("revision", "main")
        commit = repo.at(revision)
        if commit is None:
            raise _RefusedError(shapes.refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}"))
        return repo, commit

    async def _describe(self, request: web.Request) -> web.Response:
        repo, commit = self._repo(request)
        files = [(name, shapes.blob(name, data)) for name, data in sorted(repo.commits[commit].items())]
        facts = {"private": repo.private, "gated": repo.gated, **repo.facts}
        told = shapes.model(repo.name, commit, files, blobs="blobs" in request.query, facts=facts)
        return shapes.json_answer(request, told)

    async def _tree(self, request: web.Request) -> web.Response:
        repo, commit = self._repo(request)
        folder = request.match_info.get("folder", "")
        told = shapes.tree(
            (name, shapes.blob(name, data))
            for name, data in sorted(repo.commits[commit].items())
            if not folder or name.startswith(f"{folder}/")
        )
        return shapes.json_answer(request, told)

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        repo, commit = self._repo(request)
        name = request.match_info["file"]
        data = repo.commits[commit].get(name)
        if data is None:
            raise _RefusedError(shapes.refusal(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit}))
        content = shapes.blob(name, data)
        headers = shapes.file_headers(commit, content)
        if not content.sha256:
            return _ranged(request, data, headers)
        location = f"http://{self.cdn}/cdn/{repo.name}/{commit}/{quote(name)}?signature=of-the-hub"
        return web.Response(status=302, headers=headers | {"Location": location})

    async def _cdn(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("signature") != "of-the-hub":
            return web.Response(status=403, text="<Error>AccessDenied</Error>")
        found = request.match_info
        repo = self.repos[f"{found['org']}/{found['name']}"]
        data = repo.commits[found["commit"]][found["file"]]
        etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        if repo.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        return _ranged(request, data, {"ETag": etag, "Accept-Ranges": "bytes"})


def _ranged(request: web.Request, data: bytes, headers: dict[str, str]) -> web.Response:
    asked = request.headers.get("Range", "")
    if not asked or request.headers.get("If-Range") not in (None, headers["ETag"]):
        return web.Response(body=data, headers=headers, content_type="application/octet-stream")
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start, end = int(first), min(len(data), int(last) + 1 if last else len(data))
    if start >= len(data):
        return web.Response(status=416, headers=headers | {"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return web.Response(status=206, body=data[start:end], headers=headers, content_type="application/octet-stream")


@contextlib.asynccontextmanager
async def hub() -> AsyncIterator[Hub]:
    """Serve on a free loopback port."""
    async with Hub() as server:
        yield server
