"""Signing in with the token for a cookie, and out again."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.context import GatewayDep, PrincipalDep

router = APIRouter(prefix="/session", tags=["session"])


class SignIn(BaseModel):
    """The local token."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=1000)


@router.post("", status_code=204)
async def sign_in(request: Request, gateway: GatewayDep, body: SignIn) -> Response:
    """Exchange the token for an HttpOnly cookie."""
    cookie = gateway.auth.sign_in(body.token, request.scope)
    return Response(status_code=204, headers={"Set-Cookie": cookie.decode("ascii")})


@router.delete("", status_code=204)
async def sign_out(gateway: GatewayDep, principal: PrincipalDep) -> Response:
    """End the session: its cookie is worthless from now on, and its open streams are closed."""
    cookie = gateway.auth.sign_out(principal)
    if principal.by_cookie:
        gateway.streams.end_session(principal.session)
    return Response(status_code=204, headers={"Set-Cookie": cookie.decode("ascii")})
