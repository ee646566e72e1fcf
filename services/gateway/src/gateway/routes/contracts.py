"""The contract of the bus over HTTP: the AsyncAPI document, and the JSON Schema of every message by its type."""

from __future__ import annotations

import functools
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from modeldeck_events import schemas

from gateway.context import read_answer
from gateway.problems import not_found
from gateway.routes.shapes import NOT_FOUND, Shape

router = APIRouter(tags=["events"])


class AsyncApi(Shape):
    """An AsyncAPI 3.0 document: every channel of the bus and what travels there."""

    asyncapi: str
    channels: dict[str, Any]
    operations: dict[str, Any]
    components: dict[str, Any]


class SchemaList(Shape):
    """The names of all message types."""

    types: list[str]


@functools.cache
def _asyncapi() -> dict[str, Any]:
    return schemas.asyncapi()


@functools.cache
def _schemas() -> dict[str, dict[str, Any]]:
    found = {schemas.type_name(message): schemas.schema(message) for message in schemas.messages()}
    return {name.replace("{service}", "any"): schema for name, schema in found.items()}


@router.get("/asyncapi.json", response_model=AsyncApi)
async def asyncapi(request: Request) -> Response:
    """Return the AsyncAPI document of the bus."""
    return read_answer(request, _asyncapi())


@router.get("/schemas", response_model=SchemaList)
async def list_schemas(request: Request) -> Response:
    """List every type of event, command and reading."""
    return read_answer(request, {"types": sorted(_schemas())})


@router.get("/schemas/{type}", response_model=dict[str, Any], responses=NOT_FOUND)
async def schema(request: Request, type: Annotated[str, Path(max_length=200)]) -> Response:  # noqa: A002
    """Return the JSON Schema of the body of a type, such as `modeldeck.download.queued.v1`."""
    found = _schemas().get(type)
    if found is None:
        raise not_found(f"There is no message type {type[:100]!a}; /schemas lists them.", "unknown_type")
    return read_answer(request, found)
