"""The FastAPI application: the routes, their document, and every error as a problem document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from modeldeck_events.errors import UnavailableError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from gateway import docs_page, openapi, validation
from gateway.context import Gateway
from gateway.problems import MEDIA_TYPE, ProblemError, away, internal
from gateway.routes import (
    activity,
    boards,
    contracts,
    dashboard,
    downloads,
    hub,
    log,
    modelfiles,
    models,
    operations,
    presets,
    publish,
    session,
    storage,
    system,
    tokens,
    unstored,
    user,
    webhooks,
    workflows,
)
from gateway.routes.shapes import PROBLEMS

API = "/api/v1"
MAX_ERRORS = 20
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
GROUPS = (
    presets,
    downloads,
    models,
    storage,
    modelfiles,
    hub,
    workflows,
    unstored,
    dashboard,
    activity,
    system,
    boards,
    publish,
    contracts,
    log,
    session,
    user,
    tokens,
    webhooks,
)
_CODES = {404: "not_found", 405: "method_not_allowed", 400: "bad_request", 413: "too_large"}
_DETAILS = {
    400: "The body cannot be read as JSON.",
    404: "There is no such route.",
    405: "This route does not know that method.",
}


class Api(FastAPI):
    """Tells everything that its answers can be."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.complete(super().openapi())
        return self.openapi_schema


def build(gateway: Gateway | None) -> FastAPI:
    """Return the application; without a gateway it only tells its document."""
    api = Api(title="Modeldeck", version="1", docs_url=None, redoc_url=None, redirect_slashes=False, responses=PROBLEMS)
    api.state.gateway = gateway
    for group in GROUPS:
        api.include_router(group.router, prefix=API)
    api.include_router(operations.router)
    api.add_exception_handler(ProblemError, _problem)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(UnavailableError, _away)
    api.add_exception_handler(Exception, _internal)

    @api.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(docs_page.render(document(api)), media_type="text/html")

    return api


def document(api: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document."""
    return api.openapi()


def _answer(problem: ProblemError) -> Response:
    return Response(problem.body(), problem.status, problem.headers, media_type=MEDIA_TYPE.decode())


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for this class only
    return _answer(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    wrong = validation.explain(error.errors())
    detail = "; ".join(f"{item['where']}: {item['message']}" for item in wrong[:5])
    return _answer(ProblemError(422, "invalid_request", detail, errors=wrong[:MAX_ERRORS]))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 405:
        error.headers = {"Allow": ", ".join(_methods(request))}  # the framework names those of the first route only
    code = _CODES.get(error.status_code, f"http_{error.status_code}")
    detail = _DETAILS.get(error.status_code)
    return _answer(ProblemError(error.status_code, code, detail or str(error.detail), headers=error.headers))


def _methods(request: Request) -> list[str]:
    """Return the methods that the routes of this path know."""

    def known(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return [method for method in _METHODS if known(method)]


async def _away(_request: Request, error: Exception) -> Response:
    return _answer(away(f"The event log does not answer at present: {error}."))


async def _internal(_request: Request, _error: Exception) -> Response:
    return _answer(internal())  # the error itself goes on to `front`, which logs it
