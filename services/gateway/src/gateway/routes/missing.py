"""Getting what a workflow misses: the catalog plans, the downloader fetches, here both are asked (a file each).

The error of one file never stops the others: it is told beside it. A service that is away is asked once, not once per
file, so that the answer comes within seconds.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec
from modeldeck_events import downloads as d
from modeldeck_events.message import Command, Reply
from modeldeck_events.modelfiles import LinkModelFile
from modeldeck_events.templates import PlanLock, PlanMissing
from msgspec.structs import replace

from gateway.boards.board import known
from gateway.context import Gateway, Writer
from gateway.problems import ProblemError, away

LINK_S = 30.0
"""Linking across a slow volume may take its time."""


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a missing file can be had: by the workflow's own word, from a preset that has it, a known repository, an
    earlier download, or the person's own URL.
    """

    kind: str
    url: str
    name: str = ""
    sha256: str | None = None
    size_bytes: int | None = None
    repo: str | None = None
    revision: str | None = None


class PlannedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What can be done about one missing file."""

    path: str
    action: Literal["download", "link", "choose", "none"]
    status: str = "missing"
    source: Source | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    from_path: str | None = None
    candidates: tuple[str, ...] = ()
    alternatives: tuple[Source, ...] = ()
    code: str | None = None
    message: str | None = None

    @property
    def spec(self) -> d.FileSpec | None:
        """The download that brings it, None when there is none."""
        if self.action != "download" or self.source is None:
            return None
        return d.FileSpec(
            path=self.path,
            url=self.source.url,
            kind=self.path.partition("/")[0] if "/" in self.path else "",
            size_bytes=self.size_bytes if self.size_bytes is not None else self.source.size_bytes,
            sha256=self.sha256 or self.source.sha256,
        )

    def chosen(self, choice: str) -> PlannedFile:
        """Return the same file with a person's decision: a URL to fetch, else a file that is there, to link.

        Bytes whose hash the workflow states must have it, wherever they come from. A name without extension gets that
        of the choice.
        """
        path = self.path
        if "." not in posixpath.basename(path):
            path += posixpath.splitext(urlsplit(choice).path)[1]
        if choice.startswith(("https://", "http://")):
            stated = self.sha256 if self.source is None or self.source.kind == "workflow" else None
            own = Source(kind="choice", url=choice, sha256=stated)
            source = next((other for other in self.alternatives if other.url == choice), own)
            known_of_it = {"size_bytes": source.size_bytes, "sha256": source.sha256}
            return replace(self, path=path, action="download", source=source, from_path=None, **known_of_it)
        return replace(self, path=path, action="link", from_path=choice, source=None)


class _Plan(msgspec.Struct):
    files: tuple[PlannedFile, ...]


class _Outcome:
    """What became of each file."""

    def __init__(self) -> None:
        self.queued: list[dict[str, Any]] = []
        self.linked: list[dict[str, Any]] = []
        self.unresolved: list[dict[str, Any]] = []
        self.first_problem: ProblemError | None = None

    def refused(self, file: PlannedFile, problem: ProblemError) -> None:
        """Note that a service refused, or did not answer."""
        self.first_problem = self.first_problem or problem
        self.unresolved.append({"path": file.path, "code": problem.code, "message": problem.detail})

    def open(self, file: PlannedFile) -> None:
        """Note what nobody can do without a person."""
        choose = file.action == "choose"
        text = "Several files have this name; say which one is meant." if choose else "No source of it is known."
        self.unresolved.append(
            known(
                path=file.path,
                code="choose" if choose else file.code or "no_source",
                message=file.message or text,
                candidates=list(file.candidates) or None,
            )
        )


async def plan(writer: Writer, command: PlanMissing | PlanLock) -> tuple[PlannedFile, ...]:
    """Return what can be done about each missing file; raises ProblemError with the catalog's refusal."""
    reply = await writer.run(command)
    try:
        return msgspec.convert(reply.data, _Plan).files
    except msgspec.ValidationError as error:
        raise away(f"The service catalog answered something else than a plan: {error}.") from error


class TemplatesPlan(NamedTuple):
    """What templates miss: what is to be fetched, what can be linked, and what nobody can do without a person."""

    specs: list[d.FileSpec]
    linked: list[dict[str, Any]]
    unresolved: list[dict[str, Any]]


async def plan_templates(gateway: Gateway, writer: Writer, template_ids: Iterable[str]) -> TemplatesPlan:
    """Return what getting all that these templates miss would do; raises ProblemError with the catalog's refusal."""
    found = TemplatesPlan([], [], [])
    for template_id in dict.fromkeys(template_ids):
        ids = writer.ids_of(f"plan {template_id}")
        for file in await plan(writer, PlanMissing(pool=gateway.settings.pool, template_id=template_id, **ids)):
            if file.spec is not None:
                found.specs.append(file.spec)
            elif file.action == "link":
                found.linked.append(known(path=file.path, action="link", from_path=file.from_path))
            else:
                candidates = list(file.candidates) or None
                found.unresolved.append(
                    known(
                        template_id=template_id,
                        path=file.path,
                        action=file.action,
                        message=file.message,
                        candidates=candidates,
                    )
                )
    return found


async def fetch(
    gateway: Gateway, writer: Writer, files: tuple[PlannedFile, ...], choices: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Queue and link what the plan says; return `{queued, linked, unresolved}`.

    What is in the queue already answers with its present download. Raises ProblemError when nothing could be done: the
    first refusal, or 409 `no_source`.
    """
    done = _Outcome()
    asked = _Asked(writer)
    for planned in files:
        choice = (choices or {}).get(planned.path)
        file = planned.chosen(choice) if choice else planned
        try:
            if file.spec is not None:
                done.queued.append(await _queue(gateway, asked, file, file.spec))
            elif file.action == "link" and file.from_path:
                done.linked.append(await _link(gateway, asked, file, file.from_path))
            else:
                done.open(file)
        except ProblemError as problem:
            done.refused(file, problem)
    if done.unresolved and not done.queued and not done.linked:
        text = "For none of the missing files a source is known."
        why = done.first_problem or ProblemError(409, "no_source", text)
        why.more["unresolved"] = done.unresolved
        raise why
    return {"queued": done.queued, "linked": done.linked, "unresolved": done.unresolved}


class _Asked:
    """Runs the commands of one request; a service that was away once is not asked again."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._away: dict[str, ProblemError] = {}

    def ids(self, path: str) -> dict[str, Any]:
        """Return who asks and the id of the command about one file."""
        return self._writer.ids_of(path)

    async def run(self, command: Command, **options: Any) -> Reply:
        problem = self._away.get(command.SERVICE)
        if problem is not None:
            raise problem
        try:
            return await self._writer.run(command, **options)
        except ProblemError as error:
            if error.status == 503:
                self._away[command.SERVICE] = error
            raise


async def _queue(gateway: Gateway, asked: _Asked, file: PlannedFile, spec: d.FileSpec) -> dict[str, Any]:
    target = d.Target(id=f"file:{spec.path}", kind="file", name=posixpath.basename(spec.path))
    reply = await asked.run(
        d.QueueDownload(
            pool=gateway.settings.pool, target_id=target.id, target=target, files=(spec,), **asked.ids(spec.path)
        )
    )
    return known(path=spec.path, source=file.source) | reply.data


async def _link(gateway: Gateway, asked: _Asked, file: PlannedFile, from_path: str) -> dict[str, Any]:
    command = LinkModelFile(
        pool=gateway.settings.pool, path=file.path, from_path=from_path, **asked.ids(f"link {file.path}")
    )
    await asked.run(command, timeout_s=LINK_S)
    return {"path": file.path, "from_path": from_path}
