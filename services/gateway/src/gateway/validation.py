"""What does not fit in a request, in plain words: where, and what is expected there. Never the input itself, which may
hold a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "json_invalid": "is not JSON: {error}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must have the form {pattern}",
    "string_type": "must be text",
    "string_unicode": "must be text in valid Unicode",
    "too_long": "must have at most {max_length} items",
    "literal_error": "must be {expected}",
    "list_type": "must be a list",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_attributes_type": "must be a JSON object",
}
_SOURCES = {"body": "the body", "query": "the query", "path": "the path", "header": "the headers"}


def explain(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return `{where, message}` for each of pydantic's errors; `where` is the field, or the part of the request."""
    return [{"where": _where(error), "message": _message(error)} for error in errors]


def _where(error: Mapping[str, Any]) -> str:
    source, *fields = error["loc"]
    if not fields or error["type"] == "json_invalid":
        return _SOURCES.get(source, str(source))
    return ".".join(str(field) for field in fields)


def _message(error: Mapping[str, Any]) -> str:
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    return _WORDS.get(error["type"], "has a form that is not understood").format_map(context)
