"""Personal API tokens: made, listed by their first characters, revoked. What they are stands in the log, as hashes."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from modeldeck_events.users import Scope, TokenIssued, TokenRevoked
from pydantic import BaseModel, ConfigDict, Field

from gateway.accounts import make_token, session_of
from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.users import Token
from gateway.context import Gateway, PrincipalDep, ReadyDep, json_answer, read_answer
from gateway.problems import ProblemError, not_found
from gateway.rights import Principal, check, granted, in_order
from gateway.routes.shapes import CONFLICT, NOT_FOUND, Shape

MAX_TOKENS = 100
MAX_DAYS = 3650
_ID_BYTES = 8

router = APIRouter(prefix="/user/tokens", tags=["user"])


class NewToken(BaseModel):
    """What the token is called in the log, what it may do, and for how long."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]*$")
    scopes: list[Scope] = Field(default=["read"], min_length=1, max_length=4)
    expires_in_days: int | None = Field(None, ge=1, le=MAX_DAYS, strict=True)


class TokenShown(Shape):
    """A token without its secret. `scopes` are as they were asked for; `expired` ones open nothing any more."""

    id: str
    user_id: str
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: str
    expires_at: str | None = None
    expired: bool
    last_used_at: str | None = Field(None, description="at this gateway, since it started; absent when not known")


class TokenMade(TokenShown):
    """A token with its secret, which is shown this once."""

    token: str


class TokenList(Shape):
    """Tokens, the oldest first."""

    tokens: list[TokenShown]
    total: int


@router.get("", response_model=TokenList)
async def list_tokens(  # noqa: PLR0913, PLR0917 - the parts of the request
    request: Request,
    gateway: ReadyDep,
    principal: PrincipalDep,
    everybody: Annotated[bool, Query(alias="all", description="of all users; for `admin`")] = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """Return the caller's tokens that were not revoked, never their secrets."""
    if everybody:
        check(principal, "admin")
    users = gateway.boards.users
    found = users.all_tokens() if everybody else users.tokens(principal.name)
    shown = [_shown(token, gateway.auth.used.get(token.token_id)) for token in found[offset : offset + limit]]
    return read_answer(request, {"tokens": shown, "total": len(found)})


@router.post("", response_model=TokenMade, status_code=201, responses=CONFLICT)
async def create_token(gateway: ReadyDep, principal: PrincipalDep, body: NewToken) -> Response:
    """Make a token; its secret is in this answer and nowhere else. It may do no more than its maker.

    A name is taken once (409 `name_taken`), so that the log tells who did what, and a repeated request makes no second.
    """
    excess = granted(frozenset(body.scopes)) - principal.rights
    if excess:
        missing = in_order(excess)
        raise ProblemError(
            403,
            "no_right",
            f"A token may do no more than who makes it: you do not have {', '.join(missing)}.",
            missing_scope=missing[-1],
        )
    made, token_id = make_token(), secrets.token_hex(_ID_BYTES)
    event = TokenIssued(
        user_id=principal.name,
        token_id=token_id,
        name=body.name,
        prefix=made.prefix,
        sha256=made.sha256,
        scopes=tuple(in_order(body.scopes)),
        expires_at=_ends_at(body, principal),
    )
    await gateway.user_facts.append(
        event, actor=principal.actor, check=lambda: _check_room(gateway, principal, body.name)
    )
    token = gateway.boards.users.token(token_id)
    if token is None:
        raise ProblemError(503, "not_ready", "The token was made, but cannot be shown now: revoke it, make another.")
    headers = {"Location": f"/api/v1/user/tokens/{token_id}", "Cache-Control": "no-store"}
    return json_answer(_shown(token) | {"token": made.secret}, 201, headers)


@router.delete("/{token_id}", status_code=204, responses=NOT_FOUND)
async def revoke_token(gateway: ReadyDep, principal: PrincipalDep, token_id: str) -> Response:
    """Revoke a token: it opens nothing from now on, and its open streams end. `admin` may revoke those of others."""
    token = gateway.boards.users.token(token_id)
    if token is None or (token.user_id != principal.name and not principal.may("admin")):
        raise not_found("There is no such token; it may have been revoked already.", "token_not_found")
    await gateway.user_facts.append(TokenRevoked(user_id=token.user_id, token_id=token_id), actor=principal.actor)
    gateway.streams.end_session(session_of(token_id))
    return Response(status_code=204)


def _ends_at(body: NewToken, principal: Principal) -> datetime | None:
    """Return when the token ends: a token that a token makes does not outlive it."""
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=body.expires_in_days or MAX_DAYS)
    if principal.token_name and principal.expires_at is not None:
        return min(ends, datetime.fromtimestamp(principal.expires_at, UTC))
    return ends if body.expires_in_days else None


def _check_room(gateway: Gateway, principal: Principal, name: str) -> None:
    there = gateway.boards.users.tokens(principal.name)
    if any(token.name == name for token in there):
        raise ProblemError(409, "name_taken", f"You have a token named {name}; revoke it, or take another name.")
    if len(there) >= MAX_TOKENS:
        raise ProblemError(409, "too_many_tokens", f"You have {MAX_TOKENS} tokens; revoke some first.")


def _shown(token: Token, used_at_s: float | None = None) -> Json:
    ends = token.expires_at
    return known(
        id=token.token_id,
        user_id=token.user_id,
        name=token.name,
        prefix=token.prefix,
        scopes=list(token.scopes),
        created_at=words.time(token.created_at),
        expires_at=words.time(ends) if ends else None,
        expired=ends is not None and ends <= datetime.now(UTC),
        last_used_at=words.time(datetime.fromtimestamp(used_at_s, UTC)) if used_at_s is not None else None,
    )
