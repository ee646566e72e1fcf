"""Signing in for a cookie, with the local token or at an issuer; who I am; signing out."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from modeldeck_events.users import Scope, SessionEnded
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.auth import address_of, is_page
from gateway.boards import words
from gateway.context import Gateway, GatewayDep, PrincipalDep, ReadyDep, json_answer
from gateway.problems import MEDIA_TYPE, ProblemError, not_found
from gateway.rights import Principal, in_order
from gateway.routes.shapes import NOT_FOUND, Problem, Shape

router = APIRouter(prefix="/session", tags=["session"])

_ISSUER_CODES = {
    400: {"model": Problem, "description": "This browser began no such sign-in"},
    **NOT_FOUND,
}


def _page(path: str) -> str:
    if not is_page(path):
        raise ValueError("must be the path of a page here, percent-encoded")
    return path


class SignIn(BaseModel):
    """The local token."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=1000)


class Session(Shape):
    """Who asks, and what he may do. `token_name` stands there for a personal token."""

    user_id: str
    display_name: str | None = None
    kind: Literal["cookie", "token", "none"]
    token_name: str | None = None
    scopes: list[Scope]
    expires_at: str | None = None


@router.get("", response_model=Session)
async def who_am_i(principal: PrincipalDep) -> Response:
    """Tell the caller who he is here."""
    found = {
        "user_id": principal.name,
        "display_name": principal.display_name or None,
        "kind": "cookie" if principal.by_cookie else "none" if principal.session == "none" else "token",
        "token_name": principal.token_name or None,
        "scopes": in_order(principal.rights),
        "expires_at": _time(principal) if principal.expires_at else None,
    }
    return json_answer({name: value for name, value in found.items() if value is not None})


@router.post("", status_code=204)
async def sign_in(request: Request, gateway: GatewayDep, body: SignIn) -> Response:
    """Exchange the local token for an HttpOnly cookie."""
    cookie = gateway.auth.sign_in(body.token, request.scope)
    return Response(status_code=204, headers={"Set-Cookie": cookie.decode("ascii")})


@router.delete("", status_code=204)
async def sign_out(gateway: ReadyDep, principal: PrincipalDep) -> Response:
    """End the session: every gateway refuses its cookie from now on and closes its open streams."""
    if principal.by_cookie:
        until = datetime.fromtimestamp(principal.expires_at or 0.0, UTC)
        event = SessionEnded(user_id=principal.name, session_id=principal.session, expires_at=until)
        await gateway.user_facts.append(event, actor=principal.actor)
        gateway.streams.end_session(principal.session)
    return Response(status_code=204, headers={"Set-Cookie": gateway.cookies.removal().decode("ascii")})


@router.get("/oidc/start", status_code=303, response_class=Response, responses=NOT_FOUND)
async def start_at_issuer(
    request: Request,
    gateway: GatewayDep,
    return_to: Annotated[
        str, Query(max_length=500, description="the page to come back to, a path"), AfterValidator(_page)
    ] = "/",
) -> Response:
    """Send the browser to the configured issuer (MODELDECK_AUTH=oidc), with PKCE; 404 when there is none."""
    if gateway.login is None:
        return _refusal(request, _no_issuer())
    gateway.auth.backoff.check(address_of(request.scope))
    try:
        location, cookie = await gateway.login.start(_base_url(request, gateway), return_to)
    except ProblemError as problem:
        return _refusal(request, problem)
    return Response(status_code=303, headers={"Location": location, "Set-Cookie": cookie.decode("ascii")})


@router.get("/oidc/callback", status_code=303, response_class=Response, responses=_ISSUER_CODES)
async def back_from_issuer(request: Request, gateway: GatewayDep) -> Response:
    """Take the browser back from the issuer: its code is exchanged for a session's cookie.

    The page behind the redirect needs no cookie itself, and what it fetches is of this site: so the cookie can be
    SameSite=Strict although the browser comes from elsewhere.
    """
    if gateway.login is None:
        return _refusal(request, _no_issuer())
    address = address_of(request.scope)
    gateway.auth.backoff.check(address)
    cookie = request.headers.get("cookie", "").encode("latin-1")
    query = dict(request.query_params)
    try:
        principal, return_to = await gateway.login.finish(query, _base_url(request, gateway), cookie)
    except ProblemError as problem:
        if problem.status < 500:
            gateway.auth.backoff.failed(address)
        return _refusal(request, problem)
    answer = Response(status_code=303, headers={"Location": return_to})
    for value in (gateway.cookies.start_for(principal), gateway.cookies.end_login()):
        answer.headers.append("Set-Cookie", value.decode("ascii"))
    return answer


def _base_url(request: Request, gateway: Gateway) -> str:
    """Return where browsers find this gateway; the Host header, which was checked, unless it is configured."""
    return gateway.settings.public_url.rstrip("/") or f"http://{request.headers['host']}"


def _no_issuer() -> ProblemError:
    return not_found("No issuer is configured here (MODELDECK_AUTH=oidc); sign in with the token.", "no_issuer")


def _refusal(request: Request, problem: ProblemError) -> Response:
    """Answer a problem; to a person before a browser, as a page."""
    if "text/html" not in request.headers.get("accept", ""):
        return Response(problem.body(), problem.status, problem.headers, media_type=MEDIA_TYPE.decode())
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>Sign-in failed</title><h1>Sign-in failed</h1>"
        f"<p>{escape(problem.detail)}</p><p><a href='/'>Back</a></p>"
    )
    return Response(page, problem.status, problem.headers, media_type="text/html")


def _time(principal: Principal) -> str:
    return words.time(datetime.fromtimestamp(principal.expires_at or 0.0, UTC))
