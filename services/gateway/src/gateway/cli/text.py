"""Words for a person: whatever comes from a server becomes plain text, numbers get units."""

from __future__ import annotations

import unicodedata

_DROPPED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_SPACES = {"\t", "\n", "\r", "\u2028", "\u2029", "\x85"}
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86_400


def plain(value: object) -> str:
    """Return one line of text without control, format or surrogate characters; None becomes ""."""
    if value is None:
        return ""
    return "".join(
        " " if char in _SPACES else char
        for char in str(value)
        if char in _SPACES or unicodedata.category(char) not in _DROPPED
    )


def size(count_bytes: float | None) -> str:
    """Return for example "4.8 GB" (decimal units); unknown is "?"."""
    if count_bytes is None:
        return "?"
    value, unit = float(count_bytes), 0
    while round(value, 1) >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def count(number: int, thing: str) -> str:
    """Return for example "1 file" or "3 files"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def duration(seconds: float | None) -> str:
    """Return for example "3m 24s"; unknown is "?"."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole}s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m {whole % _MINUTE_S:02d}s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S}h {whole % _HOUR_S // _MINUTE_S:02d}m"
    return f"{whole // _DAY_S}d {whole % _DAY_S // _HOUR_S:02d}h"


def percent(value: float | None) -> str:
    """Return for example "42 %"; unknown is "?"; 100 is only shown for all of it."""
    if value is None:
        return "?"
    return f"{min(int(value), 99) if value < 100 else 100} %"
