"""Subjects: how a fact, a reading, a permit or a command is addressed on the bus.

User data never reaches a subject unescaped: `token` maps any text to one subject token and back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from modeldeck_events.errors import PoisonError

_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")
_TOKEN = re.compile(r"(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")
MAX_TOKEN_CHARS = 1024
"""Longer keys are refused: a subject has to fit into a protocol line (nats-server: 4096 bytes)."""


def token(text: str) -> str:
    """Return `text` as one subject token: bytes outside `[A-Za-z0-9_-]` become `=XX`; injective.

    Raises ValueError for an empty or too long text.
    """
    escaped = _UNSAFE.sub(lambda m: b"=%02X" % m[0][0], text.encode()).decode()
    if not escaped or len(escaped) > MAX_TOKEN_CHARS:
        raise ValueError(f"a key must have 1 to {MAX_TOKEN_CHARS} characters once escaped, this one has {len(escaped)}")
    return escaped


def untoken(value: str) -> str:
    """Return the text that `token` was given; raises PoisonError for what `token` never returns."""
    if not _TOKEN.fullmatch(value):
        raise PoisonError(f"not an escaped subject token: {value!r}")
    raw = re.sub(rb"=([0-9A-F]{2})", lambda m: bytes((int(m[1], 16),)), value.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise PoisonError(f"not UTF-8 once unescaped: {value!r}") from error


def event(aggregate: str, *keys: str) -> str:
    """Subject of one aggregate's facts: `evt.<aggregate>.<key...>`."""
    return ".".join(("evt", aggregate, *(token(key) for key in keys)))


def reading(kind: str, *keys: str) -> str:
    """Subject of a reading: `rdg.<kind>.<key...>`."""
    return ".".join(("rdg", kind, *(token(key) for key in keys)))


def permit(pool: str) -> str:
    """Subject of the permits of one pool."""
    return f"job.download.{token(pool)}"


def command(service: str, verb: str, key: str = "") -> str:
    """Subject on which a service answers a command: `cmd.<service>.<verb>`, for a key (its pool) `...<verb>.<key>`."""
    return ".".join(("cmd", service, verb, *([token(key)] if key else [])))


def dead_letter(durable: str) -> str:
    """Subject under which a durable's unhandled messages are kept."""
    return f"dead.{token(durable)}"


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a test whether a subject is one of `patterns` (`*` one token, `>` all the rest)."""
    if any(pattern == "evt.>" for pattern in patterns):
        return lambda subject: subject.startswith("evt.")
    alternatives = (
        r"\.".join({"*": r"[^.]+", ">": r".+"}.get(part) or re.escape(part) for part in pattern.split("."))
        for pattern in patterns
    )
    return re.compile("|".join(f"(?:{alternative})" for alternative in alternatives)).fullmatch  # type: ignore[return-value]
