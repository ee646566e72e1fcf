"""What the boards stand for, to be compared with a rebuild of the log from zero (`modeldeck doctor --rebuild`)."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Response

from gateway import proof
from gateway.context import Gateway, ReadyDep, json_answer
from gateway.problems import not_found
from gateway.routes.shapes import NOT_FOUND, Shape

router = APIRouter(prefix="/system/boards", tags=["system"])


class BoardDigests(Shape):
    """Digests (SHA-256, hex) of what each board folded and of each topic as it was published, as of one position.

    `form` is the version of what they are taken of: only digests of one form can be compared.
    """

    epoch: str
    seq: int
    pool: str
    form: str
    digests: dict[str, str]


class BoardContent(Shape):
    """One of them in full."""

    epoch: str
    seq: int
    name: str
    content: object


@router.get("", response_model=BoardDigests)
async def digests(gateway: ReadyDep) -> Response:
    """Return the digests, all as of one position of the log; the fold waits meanwhile."""
    async with gateway.folding:
        found = await proof.digests(gateway.boards, _shown(gateway))
        position = gateway.live.position
    boards = gateway.boards
    return json_answer(
        {"epoch": position.epoch, "seq": position.seq, "pool": boards.pool, "form": boards.schema, "digests": found}
    )


@router.get("/{name}", response_model=BoardContent, responses=NOT_FOUND)
async def content(gateway: ReadyDep, name: str) -> Response:
    """Return what the digest of that name is taken of."""
    async with gateway.folding:
        found = await proof.content(gateway.boards, _shown(gateway), name)
        position = gateway.live.position
    if found is None:
        raise not_found("There is no such board.")
    return json_answer({"epoch": position.epoch, "seq": position.seq, "name": name, "content": msgspec.Raw(found)})


def _shown(gateway: Gateway) -> dict[str, dict[str, object]]:
    return {name: gateway.live.topics[name].published for name in proof.SHOWN}
