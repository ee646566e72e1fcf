"""What a model hub offers in one repository, as it is now, and which of it suits this machine (R-194, R-195)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Query, Request, Response
from modeldeck_events.message import Reply
from modeldeck_events.repositories import DescribeRepository, Repository
from pydantic import Field

from gateway.boards.board import Json, known
from gateway.boards.recommend import candidates, machine_of, recommend
from gateway.context import ReadyDep, Writer, WriterDep, json_answer
from gateway.problems import ProblemError, away
from gateway.routes.modelfiles import ModelRepository
from gateway.routes.shapes import NOT_FOUND, Problem, Shape

HUB_S = 13.0
"""The catalog gives a hub 12 s."""
MAX_TEXT_CHARS = 2048

router = APIRouter(prefix="/hub", tags=["models"])


class Recommended(Shape):
    """The variant to take; `fits_in` is absent when nothing is known of the machine or of the sizes."""

    filename: str
    reason: str
    fits_in: Literal["gpu", "memory", "nothing"] | None = None


class Preview(ModelRepository):
    """A repository as its hub describes it; its metadata also stands at the top."""

    license: str | None = None
    tags: list[str]
    likes: int | None = None
    downloads: int | None = None
    description: str | None = None
    links: dict[str, str]
    recommended: Recommended | None = Field(None, description="absent when there is nothing to choose")
    selected: str | None = Field(None, description="the file that the link named")
    stale: str | None = Field(None, description="why this is what the hub said last, at `checked_at`")
    checked_at: str | None = None


class _Description(msgspec.Struct):
    repository: Repository
    checked_at: str | None = None
    selected: str | None = None
    stale: str | None = None


_FAILURES: dict[int | str, dict[str, Any]] = {
    403: {
        "model": Problem,
        "description": "The hub refuses: `gated` (accept its terms), `forbidden`, or `hub_unauthorized` (it wants a "
        "token, or another one: HF_TOKEN, CIVITAI_TOKEN); never about the caller's own credentials",
    },
    502: {"model": Problem, "description": "The hub's answer cannot be read"},
}


@router.get("/{text:path}", response_model=Preview, responses=NOT_FOUND | _FAILURES)
async def preview(
    request: Request,
    gateway: ReadyDep,
    writer: WriterDep,
    text: str,
    revision: Annotated[str, Query(max_length=200, description="where the text names none")] = "",
) -> Response:
    """Ask the hub about `org/repo`, a page, a direct link to a file or a Civitai link (percent-encoded in the path)."""
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "revision"]
    if rest and "://" in text:  # a link that was pasted as it is
        text = f"{text}?{urlencode(rest)}"
    if not text.strip() or len(text) > MAX_TEXT_CHARS:
        raise ProblemError(422, "bad_link", f"Write org/repo or a link, in at most {MAX_TEXT_CHARS} characters.")
    said = _read(await _ask(writer, DescribeRepository(text=text, revision=revision, **writer.ids)))
    shown = gateway.boards.repositories.preview(said.repository)
    metadata = shown["metadata"]
    top = ("license", "tags", "likes", "downloads", "description", "links")
    best = recommend(candidates(said.repository.variants), machine_of(gateway.boards.resources.state()))
    chosen: Json | None = None
    if best is not None:
        chosen = known(filename=best.filename, reason=best.reason, fits_in=best.fits_in)
    return json_answer(
        {name: metadata[name] for name in top if name in metadata}
        | shown
        | known(
            recommended=chosen,
            selected=said.selected,
            stale=said.stale or None,
            checked_at=said.checked_at,
        )
    )


async def _ask(writer: Writer, command: DescribeRepository) -> Reply:
    """Ask the catalog; the hub's own 401 must not look as if the caller had to sign in here."""
    try:
        return await writer.run(command, timeout_s=HUB_S)
    except ProblemError as problem:
        if problem.status == 401:
            raise ProblemError(403, "hub_unauthorized", problem.detail, **problem.more) from problem
        seconds = problem.more.get("retry_after_s")
        if seconds:
            problem.headers["Retry-After"] = str(seconds)
        raise


def _read(reply: Reply) -> _Description:
    try:
        return msgspec.convert(reply.data, _Description)
    except msgspec.ValidationError as error:
        raise away(f"The service catalog answered something else than a repository: {error}.") from error
