"""Words for a person: whatever comes from a server becomes plain text, numbers get units."""

from __future__ import annotations

import unicodedata

_DROPPED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_SPACES = {"\t", "\n", "\r", "\u2028", "\u2029", "\x85"}
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
    value = float(count_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


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
