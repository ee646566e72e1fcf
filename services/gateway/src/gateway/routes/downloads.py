"""Downloads: the queue (R-167), single files, what can be done with one download, the pool's settings, plans."""

from __future__ import annotations

import posixpath
import re
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Query, Request, Response
from modeldeck_events import downloads as d
from modeldeck_events.paths import check_model_path
from modeldeck_events.pools import ConfigurePool
from modeldeck_events.repositories import default_path
from modeldeck_events.settings import parse_bytes
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.boards.downloads import Download
from gateway.boards.fold import Boards
from gateway.boards.queue import queue_object
from gateway.context import Gateway, ReadyDep, Writer, WriterDep, json_answer, read_answer
from gateway.history import timeline
from gateway.past import ViewDep
from gateway.problems import ProblemError, not_found
from gateway.routes import missing
from gateway.routes.shapes import CONFLICT, NOT_FOUND, AfterSeq, Outcome, Plan, QueueObject, Shape

MAX_URL_CHARS = 4096
BOTTOM = 1_000_000_000
MAX_BPS = 10**12
_REPO_OF_URL = re.compile(r"https?://[^/]+/([^/]+/[^/]+)/(?:resolve|blob)/")

router = APIRouter(prefix="/downloads", tags=["downloads"])

ModelPath = Annotated[str, AfterValidator(check_model_path)]


def _rate(given: object) -> int:
    """Return bytes per second, 0 for no limit; raises ValueError for what is not a rate."""
    if given is None or (isinstance(given, str) and given.strip().lower() in {"", "none", "off"}):
        return 0
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise ValueError(  # noqa: TRY004 - what pydantic turns into an answer
            "write for example 50MB/s, a number of bytes per second, or null for no limit"
        )
    limit_bps = parse_bytes(given)
    if not 0 <= limit_bps <= MAX_BPS:
        raise ValueError("must be between 0 and 1TB/s")
    return limit_bps


Rate = Annotated[int | None, BeforeValidator(_rate, json_schema_input_type=str | int | None)]


class NewDownload(BaseModel):
    """Either a file of a hub's repository, or a URL with the path that it goes to."""

    model_config = ConfigDict(extra="forbid")

    repo: str | None = Field(None, pattern=r"^[A-Za-z0-9][\w.-]{0,95}/[\w][\w.-]{0,95}$")
    filename: ModelPath | None = None
    revision: str | None = Field(None, pattern=r"^[\w][\w./-]{0,127}$")
    url: str | None = Field(None, max_length=MAX_URL_CHARS)
    path: ModelPath | None = Field(
        None,
        description="below the models folder; without it a file of a repository goes to the folder that its own "
        "folders name (`split_files/vae/x` to `vae/x`), else to `llm/REPO/FILENAME` (GGUF) "
        "or `downloads/REPO/FILENAME`",
    )
    sha256: str | None = Field(None, pattern=r"^[0-9a-fA-F]{64}$")
    size_bytes: int | None = Field(None, ge=0, le=2**50)
    pool: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$")

    @model_validator(mode="after")
    def _either(self) -> NewDownload:
        if (self.url is None) == (self.repo is None):
            raise ValueError("give either `repo` and `filename`, or `url` and `path`")
        if self.repo is not None and self.filename is None:
            raise ValueError("`repo` needs a `filename`")
        if self.url is not None:
            if self.path is None:
                raise ValueError("`url` needs a `path` below the models folder")
            _check_url(self.url)
        return self

    def file(self, hub: str) -> d.FileSpec:
        """Return what is to be fetched; `hub` is the address of the hub that knows `repo`."""
        name = self.filename or ""
        path = check_model_path(self.path or default_path(self.repo or "", name))
        url = self.url or f"{hub.rstrip('/')}/{self.repo}/resolve/{quote(self.revision or 'main')}/{quote(name)}"
        return d.FileSpec(
            path=path,
            url=url,
            kind=path.partition("/")[0] if "/" in path else "",
            size_bytes=self.size_bytes,
            sha256=self.sha256.lower() if self.sha256 else None,
        )


class Move(BaseModel):
    """Where to: a position (1 is the top), an end of the list, or before another waiting download."""

    model_config = ConfigDict(extra="forbid")

    position: int | None = Field(None, ge=1, le=BOTTOM)
    to: Literal["top", "bottom"] | None = None
    before: str | None = Field(None, max_length=300)

    @model_validator(mode="after")
    def _one(self) -> Move:
        if [self.position, self.to, self.before].count(None) != 2:
            raise ValueError("give exactly one of `position`, `to` and `before`")
        return self


class PoolSettings(BaseModel):
    """What changes; the rest stays. `bandwidth_limit` is text such as "50MB/s", a number of bytes per second, or null
    for none.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    max_concurrent: int | None = Field(None, ge=1, le=64)
    bandwidth_limit: Rate = None
    paused: bool | None = None


class PlanRequest(BaseModel):
    """What to plan for."""

    model_config = ConfigDict(extra="forbid")

    presets: list[str] = Field(default_factory=list, max_length=200)
    templates: list[str] = Field(default_factory=list, max_length=50)
    files: list[NewDownload] = Field(default_factory=list, max_length=1000)

    @model_validator(mode="after")
    def _something(self) -> PlanRequest:
        if not self.presets and not self.templates and not self.files:
            raise ValueError("name `presets`, `templates` or `files`")
        return self


class DownloadDetails(Shape):
    """One download with its files."""

    download_id: str
    preset_id: str | None = None
    name: str
    status: str
    progress: float | None = None
    downloaded_bytes: int
    total_bytes: int | None = None
    error: str | None = None
    error_code: str | None = Field(None, description="stable, such as path_conflict")
    pool: str
    target_id: str
    files: list[dict[str, Any]]


class HistoryEntry(Shape):
    """One fact about the download."""

    seq: int
    time: str
    type: str
    actor: str | None = None
    attempt: int | None = None
    reason: str | None = None
    host: str | None = None
    bytes: int | None = None


class Attempt(Shape):
    """One run of the download: on which worker, from which hosts, how it ended and why."""

    attempt: int
    worker: str
    started_at: str
    ended_at: str | None = None
    outcome: Literal["running", "interrupted", "paused", "completed", "failed", "cancelled"]
    reason: str | None = None
    hosts: list[str] | None = None
    files: int | None = None
    retries: int | None = None
    fetched_bytes: int | None = None


class History(Shape):
    """Everything that happened to the download, oldest first: its attempts, and every fact."""

    download_id: str
    attempts: list[Attempt]
    events: list[HistoryEntry]


class QueueSettings(Shape):
    """The pool's settings."""

    max_concurrent: int
    bandwidth_limit_bps: int | None
    paused: bool


def download_queue(state: dict[str, Any], boards: Boards) -> dict[str, Any]:
    """Return the queue object with the fields of R-054 on each item beside its own."""
    found = queue_object(state)
    for name in ("active", "queue", "completed"):
        found[name] = [_with_file_fields(item, boards) for item in found[name]]
    return found


@router.get("/queue", response_model=QueueObject)
async def get_queue(request: Request, view: ViewDep) -> Response:
    """Return the queue object; each item also has `id`, `repo`, `filename` and `size` where they are known."""
    return read_answer(request, download_queue(view.topic("queue"), view.boards))


@router.post("", response_model=Outcome, status_code=201, responses=CONFLICT)
async def create(gateway: ReadyDep, writer: WriterDep, body: NewDownload) -> Response:
    """Queue one file; 200 when it is there or in the queue already."""
    spec = _spec(body, gateway)
    target = d.Target(id=f"file:{spec.path}", kind="file", name=posixpath.basename(spec.path))
    command = d.QueueDownload(
        pool=body.pool or gateway.settings.pool, target_id=target.id, target=target, files=(spec,), **writer.ids
    )
    reply = await writer.run(command)
    download_id = reply.data.get("download_id")
    headers = {"Location": f"/api/v1/downloads/{quote(str(download_id))}"} if download_id else {}
    return json_answer({"path": spec.path} | reply.data, 201 if reply.seq else 200, headers)


@router.patch("/settings", response_model=QueueSettings)
async def configure(gateway: ReadyDep, writer: WriterDep, body: PoolSettings) -> Response:
    """Change the pool's settings, also while downloads run."""
    command = ConfigurePool(
        pool=gateway.settings.pool,
        max_concurrent=body.max_concurrent,
        bandwidth_limit_bps=body.bandwidth_limit,
        paused=body.paused,
        **writer.ids,
    )
    await writer.run(command)
    settings = gateway.boards.queue.settings
    return json_answer(
        {
            "max_concurrent": settings.max_concurrent,
            "bandwidth_limit_bps": settings.bandwidth_limit_bps,
            "paused": settings.paused,
        }
    )


@router.post("/plan", response_model=Plan, responses=NOT_FOUND)
async def plan(gateway: ReadyDep, writer: WriterDep, body: PlanRequest) -> Response:
    """Return what fetching all of it would need, per volume; nothing is changed. Of templates, what they miss."""
    files: list[d.FileSpec] = []
    for preset_id in dict.fromkeys(body.presets):
        found = gateway.boards.presets.to_install(preset_id)
        if not found:
            raise not_found(f"There is no preset {preset_id[:100]!a}.", "preset_not_found")
        files += found
    templates = await missing.plan_templates(gateway, writer, body.templates)
    files += [*templates.specs, *(_spec(file, gateway) for file in body.files)]
    data: dict[str, Any] = {"volumes": [], "files": []}
    if files:  # else all that is asked for is there, or cannot be had
        data = (await writer.run(d.PlanFiles(pool=gateway.settings.pool, files=tuple(files), **writer.ids))).data
    if body.templates:
        data = data | {"files": [*data["files"], *templates.linked], "unresolved": templates.unresolved}
    return json_answer(data)


@router.get("/{download_id}", response_model=DownloadDetails, responses=NOT_FOUND)
async def get_download(request: Request, view: ViewDep, download_id: str) -> Response:
    """Return one download."""
    return read_answer(request, view.boards.downloads.full(_download(view.boards, download_id)))


@router.delete("/{download_id}", status_code=204, responses=NOT_FOUND | CONFLICT)
async def delete_download(
    gateway: ReadyDep, writer: WriterDep, download_id: str, *, keep_partial: bool = True
) -> Response:
    """Cancel the download."""
    command = d.CancelDownload(**_target(gateway, download_id), keep_partial=keep_partial, **writer.ids)
    await _act(writer, command)
    return Response(status_code=204)


@router.post("/{download_id}/pause", response_model=Outcome, responses=NOT_FOUND | CONFLICT)
async def pause(gateway: ReadyDep, writer: WriterDep, download_id: str) -> Response:
    """Pause the download."""
    return _outcome(
        download_id, "paused", await _act(writer, d.PauseDownload(**_target(gateway, download_id), **writer.ids))
    )


@router.post("/{download_id}/resume", response_model=Outcome, responses=NOT_FOUND | CONFLICT)
async def resume(gateway: ReadyDep, writer: WriterDep, download_id: str) -> Response:
    """Resume the paused download."""
    return _outcome(
        download_id, "resumed", await _act(writer, d.ResumeDownload(**_target(gateway, download_id), **writer.ids))
    )


@router.post("/{download_id}/cancel", response_model=Outcome, responses=NOT_FOUND | CONFLICT)
async def cancel(gateway: ReadyDep, writer: WriterDep, download_id: str, *, keep_partial: bool = True) -> Response:
    """Cancel the download; partial bytes are kept unless `keep_partial=false`."""
    command = d.CancelDownload(**_target(gateway, download_id), keep_partial=keep_partial, **writer.ids)
    return _outcome(download_id, "cancelled", await _act(writer, command))


@router.post("/{download_id}/retry", response_model=Outcome, responses=NOT_FOUND | CONFLICT)
async def retry(gateway: ReadyDep, writer: WriterDep, download_id: str, *, force: bool = False) -> Response:
    """Queue the failed or cancelled download again; bytes still valid are kept unless `force`."""
    command = d.RetryDownload(**_target(gateway, download_id), force=force, **writer.ids)
    return _outcome(download_id, "retrying", await _act(writer, command))


@router.post("/{download_id}/move", response_model=Outcome, responses=NOT_FOUND | CONFLICT)
async def move(gateway: ReadyDep, writer: WriterDep, download_id: str, body: Move) -> Response:
    """Move the waiting download within the queue."""
    command = d.MoveDownload(
        **_target(gateway, download_id), position=_position(gateway, download_id, body), **writer.ids
    )
    await _act(writer, command)
    item = gateway.live.topics["queue"].published.get("queue", {}).get(download_id, {})
    return json_answer({"download_id": download_id, "status": item.get("status", "queued")} | _place(item))


@router.get("/{download_id}/history", response_model=History, responses=NOT_FOUND)
async def history(
    gateway: ReadyDep, download_id: str, limit: Annotated[int, Query(ge=1, le=200)] = 200, after: AfterSeq = 0
) -> Response:
    """Return every fact about the download, oldest first; `after` goes on after a position of the log."""
    download = _download(gateway.boards, download_id)
    told = await timeline(gateway.store, download, after=after, limit=limit)
    return json_answer({"download_id": download_id, "attempts": told.attempts, "events": told.events})


async def _act(writer: Writer, command: d.DownloadCommand) -> dict[str, Any]:
    """Run the command; that there is nothing to do on a download that exists is a matter of its state: 409."""
    try:
        return (await writer.run(command)).data
    except ProblemError as problem:
        if problem.status == 404 and problem.code.startswith("nothing_"):
            raise ProblemError(409, problem.code, problem.detail) from problem
        raise


def _outcome(download_id: str, status: str, _data: dict[str, Any]) -> Response:
    return json_answer({"download_id": download_id, "status": status})


def _place(item: dict[str, Any]) -> dict[str, Any]:
    return {"position": item["position"]} if "position" in item else {}


def _download(boards: Boards, download_id: str) -> Download:
    found = boards.downloads.by_id.get(download_id)
    if found is None:
        raise not_found(f"There is no download {download_id[:100]!a}.", "download_not_found")
    return found


def _target(gateway: Gateway, download_id: str) -> dict[str, Any]:
    download = _download(gateway.boards, download_id)
    return {"pool": download.pool, "target_id": download.target.id, "download_id": download_id}


def _position(gateway: Gateway, download_id: str, body: Move) -> int:
    if body.position is not None:
        return body.position
    if body.before is None:
        return 1 if body.to == "top" else BOTTOM
    others = [item for item in gateway.boards.queue.state()["queue"] if item != download_id]
    if body.before not in others:
        raise not_found(f"No waiting download has the id {body.before[:100]!a}.", "download_not_found")
    return others.index(body.before) + 1


def _spec(body: NewDownload, gateway: Gateway) -> d.FileSpec:
    try:
        return body.file(gateway.settings.hf_endpoint)
    except ValueError as error:
        raise ProblemError(422, "invalid_request", str(error)) from error


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"`url` cannot be read: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("`url` must be http(s)://HOST/...")
    if parts.username is not None or parts.password is not None:
        raise ValueError("`url` must not carry credentials; set HF_TOKEN or CIVITAI_TOKEN instead")
    if not url.isprintable() or " " in url:
        raise ValueError("`url` contains characters that a URL cannot have; percent-encode them")


def _with_file_fields(item: dict[str, Any], boards: Boards) -> dict[str, Any]:
    download = boards.downloads.by_id.get(item["download_id"])
    found = item | {"id": item["download_id"]}
    if "total_bytes" in item:
        found["size"] = item["total_bytes"]
    if download is not None and len(download.files) == 1:
        spec = download.files[0]
        found["filename"] = posixpath.basename(spec.path)
        repo = _REPO_OF_URL.match(spec.url)
        if repo:
            found["repo"] = repo[1]
    return found
