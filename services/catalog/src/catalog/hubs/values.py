"""Reading what a hub answered: a value of the wrong shape counts as not said, and everything has an end. Pure."""

from __future__ import annotations

import html
import re

MAX_TEXT_CHARS = 1000
MAX_TAGS = 64
MAX_TAG_CHARS = 100
MAX_NUMBER = 2**60
_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"\s+")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def text(value: object, max_chars: int = MAX_TEXT_CHARS) -> str | None:
    """Return a text without its surrounding space, cut to `max_chars`; None for an empty one and for anything else."""
    if not isinstance(value, str):
        return None
    clean = value[: 4 * max_chars].encode(errors="replace").decode().strip()
    return clean[:max_chars] or None


def plain(value: object, max_chars: int = MAX_TEXT_CHARS) -> str | None:
    """Return the words of a text with HTML in it, on one line, cut to `max_chars`."""
    found = text(value, 16 * max_chars)
    return text(_SPACE.sub(" ", html.unescape(_TAG.sub(" ", found))), max_chars) if found else None


def number(value: object) -> int | None:
    """Return a count or a size: a whole number, not negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_NUMBER:
        return None
    return value


def texts(value: object) -> tuple[str, ...]:
    """Return the short texts of a list, at most 64, each once."""
    if not isinstance(value, list):
        return ()
    found = [text(item, MAX_TAG_CHARS + 1) for item in value[: 4 * MAX_TAGS]]
    return tuple(dict.fromkeys(item for item in found if item and len(item) <= MAX_TAG_CHARS))[:MAX_TAGS]


def sha256(value: object) -> str | None:
    """Return a SHA-256 in lower case; None for anything else."""
    found = value.lower() if isinstance(value, str) else ""
    return found if _SHA256.fullmatch(found) else None
