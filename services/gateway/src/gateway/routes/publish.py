"""Facts of other services over HTTP: CloudEvents in binary, structured and batch mode (api.md, Events)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from modeldeck_events.store import Stamp

from gateway import ingest
from gateway.context import Gateway, PrincipalDep, ReadyDep, json_answer
from gateway.ingest import BATCH, STRUCTURED, Refused, Taken
from gateway.pace import Pace
from gateway.problems import ProblemError
from gateway.rights import Principal
from gateway.routes.shapes import Problem, Shape

RATE = 200.0
BURST = 2000
WINDOW = 64
VISIBLE_S = 2.0
_PACE = Pace(rate=RATE, burst=BURST)
USER_RATE = 1000.0
_USER_PACE = Pace(rate=USER_RATE, burst=10_000)
"""Of a user, whatever sources he names; 60,000 facts a minute are six times what the whole product is built for."""

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
async def publish(request: Request, gateway: ReadyDep, principal: PrincipalDep) -> Response:
    """Publish facts of the types that are open to other services. The same source and id again is the same fact.

    200 when every item stands in the log, 207 when some were refused, 422 when all were. `actor` of a fact is who
    publishes it; somebody else only when `admin` says so, else that name stands behind the publisher's.
    """
    body = await request.body()
    try:
        items = ingest.read(request.headers, body, datetime.now(UTC))
    except ingest.MalformedError as error:
        raise ProblemError(400, "no_cloudevents", f"{error}.") from error
    _take_turn(principal, ingest.sources(items))
    refused = [item for item in items if isinstance(item, Refused)]
    taken = [item for item in items if isinstance(item, Taken)]
    if refused and not taken:
        raise ProblemError(422, refused[0].code, refused[0].message, errors=[error._asdict() for error in refused])
    taken = [item._replace(stamp=_signed(item.stamp, principal)) for item in taken]
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


def _take_turn(principal: Principal, counts: Mapping[str, int]) -> None:
    """Raise ProblemError 429 for a source, or for a user, that publishes too fast."""
    wait_s, who, rate = _PACE.take(counts), "A source", RATE
    if not wait_s:
        wait_s, who, rate = _USER_PACE.take({principal.name: sum(counts.values())}), "A user", USER_RATE
    if wait_s:
        raise ProblemError(
            429,
            "rate_limited",
            f"{who} may publish {rate:g} facts a second in the long run; try again in {math.ceil(wait_s)} s.",
            headers={"Retry-After": str(math.ceil(wait_s))},
        )


def _signed(stamp: Stamp, principal: Principal) -> Stamp:
    """Return the stamp with who really publishes; nobody speaks in another's name without the right to everything."""
    if not stamp.actor:
        return replace(stamp, actor=principal.actor)
    if stamp.actor == principal.actor or principal.may("admin"):
        return stamp
    return replace(stamp, actor=f"{principal.actor}/{stamp.actor}")


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
