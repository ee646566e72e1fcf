"""The README's table of settings, made from the settings classes, so that it never says anything else.

python -m modeldeck_local.settings_table README.md     write it between its two markers
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modeldeck_events.settings import PREFIX, ServiceSettings, SettingsError, parse_bytes
from pydantic import AliasChoices, BeforeValidator
from pydantic.fields import FieldInfo

BEGIN, END = "<!-- settings:begin -->", "<!-- settings:end -->"
MODULES = (
    "modeldeck_events.settings",
    "gateway.settings",
    "downloader.settings",
    "catalog.settings",
    "telemetry.settings",
    "modeldeck_local.settings",
    "gateway.cli.settings",
)
READ_ELSEWHERE = {"MODELDECK_CONFIG": "a YAML file of `name: value` lines, used for what the environment leaves open"}
"""Names that are read before the settings classes, with what they mean."""
BETWEEN_PROCESSES = {"MODELDECK_PARENT_PIPE"}
"""Set by the supervisor for its services, never by a person."""
_SHOWN_ITEMS = 2
_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB"))


def fields() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting once, by the name of its environment variable; the first class that has it describes it."""
    seen: set[str] = set()
    for kind in classes():
        for name, field in kind.model_fields.items():
            variable = variable_name(name, field)
            if variable not in seen:
                seen.add(variable)
                yield variable, field


def classes() -> Iterator[type[ServiceSettings]]:
    """Yield the settings classes, what every service reads first."""
    for name in MODULES:
        module = importlib.import_module(name)
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, ServiceSettings) and kind.__module__ == name:
                yield kind


def variable_name(name: str, field: FieldInfo) -> str:
    """Return the environment variable of a field; an alias is a name that the ecosystem gave."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return alias if isinstance(alias, str) else PREFIX + name.upper()


def table() -> str:
    """Return the table in Markdown."""
    rows = [
        (name, _default(field), field.description or "") for name, field in fields() if name not in BETWEEN_PROCESSES
    ]
    rows += [(name, "none", meaning) for name, meaning in READ_ELSEWHERE.items()]
    lines = ["| name | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {default} | {meaning.replace('|', '&#124;')} |" for name, default, meaning in rows]
    return "\n".join(lines)


def with_table(text: str) -> str:
    """Return the text with the present table between its markers; raises SettingsError when they are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SettingsError(f"the text needs the lines {BEGIN} and {END}, the table goes between them")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ("", (), {}):
        return "none"
    return f"`{_words(value, field)}`"


def _words(value: Any, field: FieldInfo) -> str:
    if isinstance(value, tuple | list):
        shown = ", ".join(str(item) for item in value[:_SHOWN_ITEMS])
        more = len(value) - _SHOWN_ITEMS
        return f"{shown} and {more} more" if more > 0 else shown
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    if BeforeValidator(parse_bytes) in field.metadata:
        return next((f"{value // size}{unit}" for size, unit in _UNITS if value and value % size == 0), str(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def main(path: Path) -> None:
    """Write the table into a file."""
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
