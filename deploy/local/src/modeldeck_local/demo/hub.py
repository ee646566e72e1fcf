"""The demo's hub: the generated files as repositories, with the routes that huggingface_hub asks.

    GET      /api/models/{repo}[/revision/{rev}]?blobs=true   the repository; ETag, 304 on If-None-Match
    GET      /api/models/{repo}/tree/{rev}[/{folder}]         its files
    HEAD/GET /{repo}/resolve/{rev}/{file}                     a file, with X-Repo-Commit, X-Linked-ETag (SHA-256)

Nobody can sign in, so a gated repository is described, card and all, and its files are refused. Each has one commit.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from modeldeck_local.demo import hub_shapes as shapes
from modeldeck_local.demo.content import GeneratedFile
from modeldeck_local.demo.shelf import Stated

README = "README.md"
_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


class Found(NamedTuple):
    """A file of a repository: where the origin serves it, and what the hub says before its bytes."""

    path: str
    headers: Mapping[str, str]


class Repository:
    """A repository of generated files: `paths` are those under which the origin serves them, by their names."""

    def __init__(self, name: str, stated: Stated) -> None:
        self.name = name
        self.stated = stated
        self.paths: dict[str, str] = {}
        self.revisions = {"main"}

    @property
    def commit(self) -> str:
        """The one commit's name."""
        return shapes.commit_id([self.name, sorted(self.paths)])

    def has(self, revision: str) -> bool:
        """Tell whether there is a branch, tag or commit of this name."""
        return revision in self.revisions or revision == self.commit


class Hub:
    """Repositories over the origin's files, path to file."""

    def __init__(self, files: Mapping[str, GeneratedFile], stated: Mapping[str, Stated]) -> None:
        self._files = files
        self._repositories = _repositories(files, stated)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add what only a hub answers."""
        router.add_get("/api/models/{org}/{name}", self._describe)
        router.add_get("/api/models/{org}/{name}/revision/{revision}", self._describe)
        router.add_get("/api/models/{org}/{name}/tree/{revision}", self._list)
        router.add_get("/api/models/{org}/{name}/tree/{revision}/{folder:.+}", self._list)

    async def find(self, request: web.Request) -> Found | web.Response:
        """Return the file that is asked for, or the hub's answer: a refusal, a README; other paths pass unchanged."""
        match = _FILE.fullmatch(request.path)
        if match is None:
            return Found(request.path, {})
        repository = self._repository(match["repo"], match["revision"])
        if isinstance(repository, web.Response):
            return repository
        if repository.stated.gated and match["file"] != README:
            return shapes.repository_gated(repository.name, signed_in=False)
        path = repository.paths.get(match["file"])
        if path is not None:
            content = await asyncio.to_thread(_blob, self._files[path])
            return Found(path, shapes.file_headers(repository.commit, content))
        if match["file"] == README:
            readme = repository.stated.readme
            headers = shapes.file_headers(repository.commit, shapes.blob(README, readme))
            return web.Response(body=readme, headers=headers)
        return shapes.refusal(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": repository.commit})

    def _repository(self, name: str, revision: str) -> Repository | web.Response:
        found = self._repositories.get(name)
        if found is None:
            return shapes.repository_missing(signed_in=False)
        if not found.has(revision):
            return shapes.refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    async def _describe(self, request: web.Request) -> web.Response:
        repository = self._asked(request)
        if isinstance(repository, web.Response):
            return repository
        blobs = "blobs" in request.query
        files = await asyncio.to_thread(self._content, repository) if blobs else self._names(repository)
        stated = repository.stated
        facts = {"gated": stated.gated, **stated.facts}
        told = shapes.model(repository.name, repository.commit, files, blobs=blobs, facts=facts)
        return shapes.json_answer(request, told)

    async def _list(self, request: web.Request) -> web.Response:
        repository = self._asked(request)
        if isinstance(repository, web.Response):
            return repository
        folder = request.match_info.get("folder", "")
        files = await asyncio.to_thread(self._content, repository)
        within = [file for file in files if not folder or file[0].startswith(f"{folder}/")]
        return shapes.json_answer(request, shapes.tree(within))

    def _asked(self, request: web.Request) -> Repository | web.Response:
        asked = request.match_info
        return self._repository(f"{asked['org']}/{asked['name']}", asked.get("revision", "main"))

    def _names(self, repository: Repository) -> list[tuple[str, shapes.Blob]]:
        return [(name, shapes.Blob(0, "")) for name in sorted([README, *repository.paths])]

    def _content(self, repository: Repository) -> list[tuple[str, shapes.Blob]]:
        """Return all files with their hashes; some 20 ms for 10 MB that were not hashed yet."""
        files = [(name, _blob(self._files[path])) for name, path in repository.paths.items()]
        return sorted([*files, (README, shapes.blob(README, repository.stated.readme))])


def _blob(file: GeneratedFile) -> shapes.Blob:
    return shapes.lfs_blob(file.size_bytes, file.sha256)


def _repositories(files: Mapping[str, GeneratedFile], stated: Mapping[str, Stated]) -> dict[str, Repository]:
    found: dict[str, Repository] = {}
    for path in files:
        match = _FILE.fullmatch(path)
        if match is not None:
            name = match["repo"]
            repository = found.setdefault(name, Repository(name, stated.get(name, Stated())))
            repository.paths[match["file"]] = path
            repository.revisions.add(match["revision"])
    return found
