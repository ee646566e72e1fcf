"""The activity feed: the newest entries, all of them page by page, and hiding what was seen."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from modeldeck_events.users import ActivityCleared
from pydantic import Field

from gateway.boards import activity
from gateway.boards.board import Json
from gateway.context import Gateway, PrincipalDep, ReadyDep, read_answer
from gateway.past import ViewDep
from gateway.problems import ProblemError
from gateway.routes.shapes import ActivityEntry, Shape

_WINDOW = 1000
_MAX_WINDOWS = 20

router = APIRouter(prefix="/activity", tags=["activity"])


class Recent(Shape):
    """The newest entries, newest first."""

    activities: list[ActivityEntry]


class Hidden(Shape):
    """What the caller cleared from the feed."""

    up_to_seq: int = Field(description="entries up to this position of the log are not shown")
    at: str = Field(description="when that was")


class ActivityPage(Recent):
    """One page; without `next_cursor` it is the last."""

    next_cursor: str | None = None
    hidden: Hidden | None = Field(None, description="absent while nothing is hidden; POST /activity/restore shows it")


@router.get("/recent", response_model=Recent)
async def recent(
    request: Request, view: ViewDep, principal: PrincipalDep, limit: Annotated[int, Query(ge=1, le=200)] = 5
) -> Response:
    """Return the newest entries."""
    found = view.boards.activity.newest(principal.name, limit=limit)
    return read_answer(request, {"activities": [item.data for item in found]})


@router.get("", response_model=ActivityPage)
async def page(  # noqa: PLR0913, PLR0917 - the query parameters of the contract
    request: Request,
    gateway: ReadyDep,
    view: ViewDep,
    principal: PrincipalDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    category: Annotated[str | None, Query(max_length=50)] = None,
    project_id: Annotated[str | None, Query(max_length=200)] = None,
    text: Annotated[
        str | None, Query(max_length=200, description="words that an entry has to say, all of them, in any case")
    ] = None,
) -> Response:
    """Return one page, newest first; the cursor stays right while new entries come."""
    before = _position(cursor) if cursor else None
    board, wanted = view.boards.activity, activity.only(category, project_id, text)
    cleared = board.cleared(principal.name)
    found = [(e.seq, e.data) for e in board.newest(principal.name, limit=limit + 1, before=before, wanted=wanted)]
    oldest: int | None = None
    if len(found) <= limit and board.complete_after > cleared.up_to_seq:
        start = min(before or board.complete_after + 1, board.complete_after + 1)
        older, oldest = await _older(gateway, start, limit + 1 - len(found), wanted, cleared.up_to_seq)
        found += older
    body: Json = {"activities": [data for _, data in found[:limit]]}
    if len(found) > limit:
        body["next_cursor"] = _cursor(found[limit - 1][0])
    elif oldest is not None:
        body["next_cursor"] = _cursor(oldest)
    if cleared.up_to_seq:
        body["hidden"] = cleared._asdict()
    return read_answer(request, body)


@router.delete("/clear", status_code=204)
async def clear(gateway: ReadyDep, principal: PrincipalDep) -> Response:
    """Hide everything up to now for the caller; nothing is deleted."""
    event = ActivityCleared(user_id=principal.name, up_to_seq=gateway.live.position.seq)
    await gateway.user_facts.append(event, actor=principal.actor)
    return Response(status_code=204)


@router.post("/restore", status_code=204)
async def restore(gateway: ReadyDep, principal: PrincipalDep) -> Response:
    """Show the caller again what he hid."""
    if gateway.boards.activity.cleared(principal.name).up_to_seq:
        await gateway.user_facts.append(ActivityCleared(user_id=principal.name, up_to_seq=0), actor=principal.actor)
    return Response(status_code=204)


async def _older(
    gateway: Gateway, before: int, limit: int, wanted: activity.Wanted, hidden: int
) -> tuple[list[tuple[int, Json]], int | None]:
    """Read entries older than `before` from the log, newest first, and how far was looked when more may come."""
    found: list[tuple[int, Json]] = []
    around = gateway.boards.activity.around
    for _ in range(_MAX_WINDOWS):
        start = max(hidden, before - 1 - _WINDOW)
        records = await gateway.store.read(after=start, limit=_WINDOW, subjects=activity.SUBJECTS)
        for record in reversed([r for r in records if r.seq < before]):
            data = activity.entry(record, around(record))
            if data is not None and wanted(data):
                found.append((record.seq, data))
                if len(found) == limit:
                    return found, None
        before = start + 1
        if start <= hidden:
            return found, None
    return found, before


def _cursor(seq: int) -> str:
    return base64.urlsafe_b64encode(f"a{seq}".encode()).decode().rstrip("=")


def _position(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        return int(text.removeprefix("a"))
    except (binascii.Error, ValueError) as error:
        raise ProblemError(422, "bad_cursor", "This cursor was not given out by this route.") from error
