"""Reading the fields of one mapping: wrong shapes become warnings, never exceptions, never silence."""

from __future__ import annotations

from datetime import UTC, datetime

from modeldeck_events.presets import PresetWarning

from catalog.capped_yaml import Node

MAX_TEXT_CHARS = 4000
MAX_WARNING_CHARS = 1000
"""Warnings quote URLs and paths of any length, and travel together in one message."""
_TRUE = frozenset(("true", "yes", "on"))
_FALSE = frozenset(("false", "no", "off"))


def warning(code: str, message: str) -> PresetWarning:
    """Return a warning, its text cut to a length that people read."""
    short = message if len(message) <= MAX_WARNING_CHARS else message[: MAX_WARNING_CHARS - 3] + "..."
    return PresetWarning(code=code, message=short)


class Fields:
    """One mapping of a catalog; `what` names it in the warnings that gather in `warnings`."""

    def __init__(self, what: str, node: dict[str, Node]) -> None:
        self.what = what
        self.warnings: list[PresetWarning] = []
        self._node = node

    def warn(self, code: str, message: str) -> None:
        """Note an oddity."""
        self.warnings.append(warning(code, f"{self.what}: {message}" if self.what else message))

    def get(self, name: str) -> Node:
        """Return the field as it stands in the file, None when it is absent or null."""
        return self._node.get(name)

    def text(self, name: str, *, max_chars: int = MAX_TEXT_CHARS) -> str:
        """Return the field's text, "" when there is none; a longer one is cut and said so."""
        value = self._node.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.warn("invalid_field", f"`{name}` is not text and not used")
            return ""
        value = value.strip()
        if len(value) > max_chars:
            self.warn("invalid_field", f"`{name}` is longer than {max_chars} characters and cut there")
        return value[:max_chars]

    def time(self, *names: str) -> datetime | None:
        """Return the first of these fields that is there as a time in UTC; a time without a zone is taken as UTC."""
        name = next((name for name in names if self._node.get(name) is not None), names[0])
        stated = self.text(name, max_chars=64)
        if not stated:
            return None
        try:
            moment = datetime.fromisoformat(stated)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.warn("invalid_field", f"{name} {stated!a} is no date")
            return None

    def words(self, name: str, *, max_items: int, max_chars: int) -> dict[str, str]:
        """Return a mapping of names to words; a list in it is joined, a text alone gets the name `note`."""
        value = self._node.get(name)
        stated = value if isinstance(value, dict) else {"note": value}
        found: dict[str, str] = {}
        left_out = 0
        for key, item in stated.items():
            parts = [part for part in item if isinstance(part, str)] if isinstance(item, list) else [item]
            text = ", ".join(part for part in parts if isinstance(part, str)).strip()
            if text and len(text) <= max_chars and len(key) <= max_chars and len(found) < max_items:
                found[key] = text
            elif item not in (None, "", []):
                left_out += 1
        if left_out:
            self.warn("invalid_field", f"{left_out} of `{name}` are no text, too long or too many; left out")
        return found

    def flag(self, name: str) -> bool:
        """Return whether the field says true; absent or not understood means false."""
        value = self._node.get(name)
        word = value.strip().lower() if isinstance(value, str) else ""
        if value is not None and word not in _TRUE | _FALSE:
            self.warn("invalid_field", f"`{name}` must be true or false; it is read as false")
        return word in _TRUE

    def texts(self, name: str, *, max_items: int, max_chars: int) -> tuple[str, ...]:
        """Return a list of texts; what is no text, too long or too many is left out and said so."""
        value = self._node.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.warn("invalid_field", f"`{name}` is no list and not used")
            return ()
        kept = [item.strip() for item in value if isinstance(item, str) and len(item) <= max_chars][:max_items]
        if len(kept) < len(value):
            self.warn(
                "invalid_field", f"{len(value) - len(kept)} of `{name}` are no text, too long or too many; left out"
            )
        return tuple(kept)
