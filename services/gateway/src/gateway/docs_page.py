"""The OpenAPI document as one plain page: no script, no style from elsewhere, so it works offline and under the CSP."""

from __future__ import annotations

from html import escape
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")


def render(document: dict[str, Any]) -> str:
    """Return the page."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'><title>Modeldeck API</title>",
        "<h1>Modeldeck API</h1>",
        "<p>Every route below <code>/api/v1</code> answers below <code>/api</code>, too. ",
        "The document for machines is <a href=/openapi.json>openapi.json</a>.</p>",
    ]
    for path, operations in document["paths"].items():
        parts += [_operation(path, method, operations[method]) for method in _METHODS if method in operations]
    parts.append("<h2>Shapes</h2>")
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        parts.append(f"<h3 id='{escape(name)}'>{escape(name)}</h3><p>{escape(schema.get('description', ''))}</p>")
        parts.append(_properties(schema))
    return "".join(parts) + "</html>"


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(p['name'])}</code> ({escape(p['in'])}): {_type(p.get('schema', {}))} "
        f"{escape(p.get('description', ''))}</li>"
        for p in operation.get("parameters", ())
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = "".join(
        f"<li>{escape(status)} {escape(said.get('description', ''))} "
        + " ".join(_type(content.get("schema", {})) for content in said.get("content", {}).values() if content)
        + "</li>"
        for status, said in operation.get("responses", {}).items()
    )
    return (
        f"<h3><code>{method.upper()} {escape(path)}</code></h3><p>{escape(operation.get('description', ''))}</p>"
        + (f"<ul>{parameters}</ul>" if parameters else "")
        + (f"<p>Body: {_type(body)}</p>" if body else "")
        + f"<details><summary>Answers</summary><ul>{answers}</ul></details>"
    )


def _properties(schema: dict[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    rows = "".join(
        f"<li><code>{escape(name)}</code>{'' if name in needed else '?'}: {_type(inner)} "
        f"{escape(inner.get('description', ''))}</li>"
        for name, inner in schema.get("properties", {}).items()
    )
    return f"<ul>{rows}</ul>"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f"<a href='#{name}'>{name}</a>"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " | ".join(_type(inner) for inner in schema[several])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    return escape(str(schema.get("type", "")))
