"""What HTTP headers promise about a file, parsed strictly: what is not understood is None, never a guess."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)
_ENTITY_TAG = re.compile(r'(W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
LAST_MODIFIED_IS_STRONG_AFTER_S = 60
MAX_RETRY_AFTER_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class ContentRange:
    """`bytes first-last/total`; an unsatisfied range has no `first` and `last`, an unknown total is None."""

    first: int | None
    last: int | None
    total: int | None


def parse_content_range(value: str | None) -> ContentRange | None:
    """Parse RFC 9110 14.4; None when absent, of another unit, or contradicting itself."""
    match = _CONTENT_RANGE.fullmatch(value.strip()) if value else None
    if match is None:
        return None
    first, last, total = (None if part in (None, "*") else int(part) for part in match.groups())
    if first is None or last is None:
        return ContentRange(None, None, total) if total is not None else None
    if last < first or (total is not None and last >= total):
        return None
    return ContentRange(first, last, total)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return seconds to wait from either form (RFC 9110 10.2.3), at most a day; a past date is 0."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), MAX_RETRY_AFTER_S)
    moment = parse_http_date(text)
    return None if moment is None else min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def parse_http_date(value: str | None) -> datetime | None:
    """Parse an HTTP date; without a zone it is UTC, as the field says."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def strong_validator(etag: str | None, last_modified: str | None, date: str | None) -> str | None:
    """Return what may stand in If-Range: a strong entity tag, or a date old enough to be strong (RFC 9110 8.8.2.2).

    An origin that sends an entity tag means it: its date is not used in place of a weak or broken tag.
    """
    if etag is not None:
        match = _ENTITY_TAG.fullmatch(etag.strip())
        return etag.strip() if match is not None and match.group(1) is None else None
    modified, sent = parse_http_date(last_modified), parse_http_date(date)
    if modified is None or sent is None or last_modified is None:
        return None
    return last_modified.strip() if (sent - modified).total_seconds() >= LAST_MODIFIED_IS_STRONG_AFTER_S else None


def linked_sha256(linked_etag: str | None) -> str | None:
    """Return the SHA-256 that a Hugging Face answer states: the linked ETag of an LFS file is its hash."""
    if linked_etag is None:
        return None
    bare = linked_etag.strip().removeprefix("W/").strip('"').lower()
    return bare if _SHA256.fullmatch(bare) else None


def parse_length(value: str | None) -> int | None:
    """Parse a length in bytes; None for anything but digits."""
    text = value.strip() if value else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
