"""Facts of other services over HTTP: CloudEvents in binary, structured and batch mode (api.md, Events)."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from gateway import ingest
from gateway.context import Gateway, ReadyDep, json_answer
from gateway.ingest import BATCH, STRUCTURED, Refused, Taken
from gateway.pace import Pace
from gateway.problems import ProblemError
from gateway.routes.shapes import Problem, Shape

RATE = 200.0
BURST = 2000
WINDOW = 64
VISIBLE_S = 2.0
_PACE = Pace(rate=RATE, burst=BURST)

router = APIRouter(tags=["events"])


class Published(Shape):
    """A fact that stands in the log at `seq`; a duplicate stood there before, and its position may not be known."""

    position: int
    id: str
    status: Literal["accepted", "duplicate"]
    seq: int | None = None


class NotPublished(Shape):
    """An item that was refused; `code` is stable."""

    position: int
    id: str
    code: str
    message: str


class Publication(Shape):
    """What became of each item, by its place in the request."""

    accepted: int
    duplicates: int
    events: list[Published]
    errors: list[NotPublished]


_EVENT = {"type": "object", "required": ["specversion", "id", "source", "type"], "additionalProperties": True}


@router.post(
    "/events",
    response_model=Publication,
    responses={
        207: {"model": Publication, "description": "Some items were refused"},
        400: {"model": Problem, "description": "No CloudEvents"},
        413: {"model": Problem, "description": "Too large"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "object", "description": "the data; attributes in ce- headers"}
                },
                STRUCTURED: {"schema": _EVENT},
                BATCH: {"schema": {"type": "array", "items": _EVENT, "maxItems": ingest.MAX_BATCH}},
            },
        }
    },
)
async def publish(request: Request, gateway: ReadyDep) -> Response:
    """Publish facts of the types that are open to other services. The same source and id again is the same fact.

    200 when every item stands in the log, 207 when some were refused, 422 when all were.
    """
    body = await request.body()
    try:
        items = ingest.read(request.headers, body, datetime.now(UTC))
    except ingest.MalformedError as error:
        raise ProblemError(400, "no_cloudevents", f"{error}.") from error
    wait_s = _PACE.take(ingest.sources(items))
    if wait_s:
        raise ProblemError(
            429,
            "rate_limited",
            f"A source may publish {RATE:g} facts a second in the long run; try again in {math.ceil(wait_s)} s.",
            headers={"Retry-After": str(math.ceil(wait_s))},
        )
    refused = [item for item in items if isinstance(item, Refused)]
    taken = [item for item in items if isinstance(item, Taken)]
    if refused and not taken:
        raise ProblemError(422, refused[0].code, refused[0].message, errors=[error._asdict() for error in refused])
    published = await _publish(gateway, taken)
    await gateway.live.wait_for(max((one.get("seq", 0) for one in published), default=0), VISIBLE_S)
    duplicates = sum(one["status"] == "duplicate" for one in published)
    answer = {
        "accepted": len(published) - duplicates,
        "duplicates": duplicates,
        "events": published,
        "errors": [error._asdict() for error in refused],
    }
    return json_answer(answer, 207 if refused else 200)


async def _publish(gateway: Gateway, items: list[Taken]) -> list[dict[str, Any]]:
    """Append in order for each subject, many subjects at once; one that cannot be appended fails the request.

    What stood in the log by then stays: repeating the request is safe.
    """
    published: list[dict[str, Any]] = [{} for _ in items]
    lanes: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        lanes.setdefault(item.subject, []).append(number)
    limit = asyncio.Semaphore(WINDOW)

    async def one_lane(numbers: list[int]) -> None:
        async with limit:
            for number in numbers:
                published[number] = await _publish_one(gateway, items[number])

    outcomes = await asyncio.gather(*map(one_lane, lanes.values()), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return published


async def _publish_one(gateway: Gateway, item: Taken) -> dict[str, Any]:
    known: dict[str, Any] = {"position": item.position, "id": item.stamp.id}
    if gateway.boards.studio.seen.knows(item.stamp.source, item.stamp.id):
        return known | {"status": "duplicate"}
    head = gateway.live.position.seq
    seq = await gateway.store.publish(item.subject, item.event, item.stamp)
    return known | {"status": "accepted" if seq > head else "duplicate", "seq": seq}
