"""The webhooks that are configured: how they stand, and letting a parked one go on. For `admin`."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from modeldeck_events.errors import CommandNotAllowedError

from gateway.context import PrincipalDep, ReadyDep, json_answer
from gateway.problems import ProblemError, not_found
from gateway.routes.shapes import CONFLICT, NOT_FOUND, Shape

router = APIRouter(prefix="/webhooks", tags=["operations"])


class Webhook(Shape):
    """A receiver of facts. `behind` is how many facts it has not gone through yet, of any type."""

    name: str
    origin: str
    types: list[str]
    state: Literal["active", "retrying", "parked"]
    behind: int | None = None
    parked_seq: int | None = None
    last_error: str | None = None
    last_seq: int | None = None
    last_delivered_at: str | None = None


class WebhookList(Shape):
    """All of them."""

    webhooks: list[Webhook]


class Resumed(Shape):
    """It goes on; `seq` is where that stands in the log."""

    name: str
    status: Literal["resumed"]
    seq: int


@router.get("", response_model=WebhookList)
async def list_webhooks(gateway: ReadyDep) -> Response:
    """List the webhooks and how they stand."""
    return json_answer({"webhooks": [await worker.describe() for worker in gateway.webhooks.workers.values()]})


@router.post("/{name}/resume", response_model=Resumed, responses=NOT_FOUND | CONFLICT)
async def resume(gateway: ReadyDep, principal: PrincipalDep, name: str, *, skip: bool = False) -> Response:
    """Let a parked webhook go on with the fact at which it stands, with `skip` after it; 409 when it is not parked."""
    worker = gateway.webhooks.workers.get(name)
    if worker is None:
        raise not_found(f"There is no webhook {name[:100]!a}.", "webhook_not_found")
    try:
        seq = await worker.resume(skip=skip, actor=principal.actor)
    except CommandNotAllowedError as error:
        raise ProblemError(error.status, error.code, str(error)) from error
    await gateway.live.wait_for(seq)
    return json_answer({"name": name, "status": "resumed", "seq": seq})
