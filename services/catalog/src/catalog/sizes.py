"""Sizes as catalogs write them: `4.8GB`, `~15GB`, `9.31GB (9536MB)`, or a plain number of bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

MAX_SIZE_BYTES = 10**15
MAX_TEXT_CHARS = 200
_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_EXACT = re.compile(r"[0-9]{1,18}")
_PLAIN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?([KMGT]?)(i?)B", re.IGNORECASE)
_ODD = re.compile(
    r"(?:~|≈|<|>|about|approx\.?|ca\.?)?\s*" + _PLAIN.pattern + r"\s*(?:\([^()]{0,100}\)|\+)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SizeText:
    """What a size text means. `exact` only for a plain number of bytes; `odd`: understood, but not as it should be."""

    size_bytes: int
    exact: bool = False
    odd: bool = False


def parse(text: str) -> SizeText | None:
    """Return the meaning of `text`, None when it has none (then the size is unknown).

    Units are decimal (1 GB = 10^9 bytes) unless written GiB. Of two sizes the first counts.
    """
    text = text.strip()
    if len(text) > MAX_TEXT_CHARS:
        return None
    if _EXACT.fullmatch(text):
        return _bounded(SizeText(int(text), exact=True))
    if match := _PLAIN.fullmatch(text):
        return _bounded(SizeText(_bytes(match)))
    if match := _ODD.fullmatch(text):
        return _bounded(SizeText(_bytes(match), odd=True))
    return None


def _bytes(match: re.Match[str]) -> int:
    base = 1024 if match[3] else 1000
    return int(Decimal(match[1]) * base ** _UNITS[match[2].upper()])


def _bounded(size: SizeText) -> SizeText | None:
    return size if 0 < size.size_bytes <= MAX_SIZE_BYTES else None


def show(size_bytes: int) -> str:
    """Return the bytes as people read them: `4.8 GB`."""
    value = Decimal(size_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} TB"
