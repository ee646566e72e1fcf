"""What FastAPI cannot know of our answers, put into the OpenAPI document: problem documents, ETags, credentials."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

PROBLEM = "application/problem+json"
_SCHEMA = {"$ref": "#/components/schemas/Problem"}
_OF_CREDENTIALS = ("401", "403", "422", "429")
_OF_BODIES = {"400": "The body cannot be read as JSON", "413": "The body is larger than this route takes"}
_ETAG = {"ETag": {"description": "of this answer; send it as If-None-Match", "schema": {"type": "string"}}}
_CREDENTIALS: list[Json] = [{"token": []}, {"cookie": []}]
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "the local token, or one made for an application"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "modeldeck_session",
        "description": "of the browser; a mark of the gateway follows the name",
    },
}
_OPEN = frozenset(
    {
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("post", "/api/v1/session"),
        ("get", "/api/v1/session/oidc/start"),
        ("get", "/api/v1/session/oidc/callback"),
    }
)
"""What a stranger may ask."""
READ_MODEL = "at"
"""Read models, and no other route, take this parameter."""


def complete(document: Json) -> Json:
    """Return the document with everything in it that an answer can be.

    Errors are problem documents whatever shape they extend; a route with a body refuses what is no JSON or too large; a
    read model has an ETag and answers 304.
    """
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            is_open = (method, path) in _OPEN
            if not is_open:
                operation["security"] = _CREDENTIALS
            _errors(operation, path, is_health=is_open and not path.startswith("/api/"))
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            if method == "get" and READ_MODEL in names:
                operation["responses"]["200"]["headers"] = _ETAG
                operation["responses"]["304"] = {"description": "The caller has it already", "headers": _ETAG}
    document["components"]["securitySchemes"] = _SCHEMES
    return document


def _errors(operation: Json, path: str, *, is_health: bool) -> None:
    responses: Json = operation["responses"]
    for status in _OF_CREDENTIALS if is_health else ():
        responses.pop(status, None)
    if "requestBody" in operation:
        for status, text in _OF_BODIES.items():
            responses.setdefault(status, {"description": text})
    for status, response in responses.items():
        content = response.get("content", {})
        if status >= "400" and (PROBLEM in content or path.startswith("/api/")):
            stated = [part["schema"] for part in content.values() if "schema" in part]
            response["content"] = {PROBLEM: {"schema": stated[0] if stated else _SCHEMA}}
