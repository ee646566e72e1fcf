"""Numbers as people read them: sizes and speeds in decimal units, durations in minutes and seconds."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def size(size_bytes: float) -> str:
    """Return bytes as "45.2 MB" (decimal units, one place after the point from KB on)."""
    value, unit = float(size_bytes), 0
    while round(value, 1) >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def speed(speed_bps: float) -> str:
    """Return bytes per second as "45.2 MB/s"."""
    return f"{size(speed_bps)}/s"


def duration(duration_s: float) -> str:
    """Return seconds as "3m 24s", "1h 02m" or "45s"."""
    whole = max(0, round(duration_s))
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {seconds:02d}s" if minutes else f"{seconds}s"


def time(at: datetime) -> str:
    """Return a time as RFC 3339 in UTC with `Z`, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
