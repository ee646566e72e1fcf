"""House rules that no linter knows; each message says what went wrong before the rule was there."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from modeldeck_events.settings import KNOWN_NAMES, PREFIX
from modeldeck_local import settings_table

ROOT = Path(__file__).resolve().parents[2]
# Spelt in pieces, so that this file does not break its own rule.
REGISTRY_HOSTS = tuple(
    f"{name}.{end}"
    for name, end in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("proxy.golang", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
    )
)
WRITTEN_BY_TOOLS = {"uv.lock"}
"""uv writes the index into its lock file and offers no other form; `uv sync` follows the configured index anyway."""
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|tmp/boot|home/[a-z]+)/")
NOT_YET_READ: dict[str, str] = {}
"""Names of the contract whose readers come with a later capability; accepted, so one environment fits all versions."""


def tracked(suffix: str = "") -> list[Path]:
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name.endswith(suffix) and (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""  # a picture


def test_every_known_setting_is_read_and_every_read_one_is_known() -> None:
    """A name that is read and not known is refused at start; one that is known and not read does nothing in silence."""
    declared = {name for name, _ in settings_table.fields() if name.startswith(PREFIX)}
    read = declared | set(settings_table.READ_ELSEWHERE)
    assert read - KNOWN_NAMES == set()
    assert KNOWN_NAMES - read == set(NOT_YET_READ)


def test_a_setting_has_one_default_wherever_it_is_declared() -> None:
    """Two services with two defaults for one name agree only as long as the name is set."""
    defaults: dict[str, set[str]] = defaultdict(set)
    for kind in settings_table.classes():
        for name, field in kind.model_fields.items():
            value = field.get_default(call_default_factory=True, validated_data={})
            defaults[settings_table.variable_name(name, field)].add(repr(value))
    assert {name: found for name, found in defaults.items() if len(found) > 1}.keys() <= {
        "HF_ENDPOINT",  # None in the downloader: addresses of the hub stay as they are, which is the same hub
    }


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in settings_table.fields() if not field.description] == []


def test_the_readme_tells_the_settings_as_they_are() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    hint = "out of date; run .venv/bin/python -m modeldeck_local.settings_table README.md"
    assert settings_table.with_table(text) == text, hint


def test_no_file_names_a_package_registry() -> None:
    """Packages come from the index that the machine is configured for; a name in a file goes around it."""
    found = {
        f"{path.relative_to(ROOT)}: {host}"
        for path in tracked()
        if path.name not in WRITTEN_BY_TOOLS
        for host in REGISTRY_HOSTS
        if host in text_of(path)
    }
    assert found == set()


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if path.name not in WRITTEN_BY_TOOLS and path != Path(__file__)
        for match in MACHINE_PATHS.finditer(text_of(path))
    }
    assert found == set()


def test_catching_everything_needs_a_reason_or_a_raise() -> None:
    """A bare `except Exception` hid the defect behind "0 templates found" in an ancestor of this product."""
    found = []
    for path in tracked(".py"):
        source = text_of(path)
        found += [f"{path.relative_to(ROOT)}:{line}" for line in swallowing_lines(source)]
    assert found == []


def swallowing_lines(source: str) -> list[int]:
    lines = source.splitlines()
    broad = {"Exception", "BaseException"}
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or any(isinstance(n, ast.Name) and n.id in broad for n in ast.walk(node.type)))
        and not any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
        and not re.search(r"noqa: BLE001\W+\w+ \w+", lines[node.lineno - 1])
    ]


@pytest.mark.parametrize(
    ("handler", "is_found"),
    [
        ("except Exception:\n    pass", True),
        ("except (ValueError, Exception):  # noqa: BLE001\n    pass", True),
        ("except:\n    log()", True),
        ("except Exception:  # noqa: BLE001 - the outermost loop\n    log()", False),
        ("except BaseException:\n    close()\n    raise", False),
        ("except ValueError:\n    pass", False),
    ],
)
def test_the_rule_itself(handler: str, is_found: bool) -> None:
    assert bool(swallowing_lines(f"try:\n    work()\n{handler}\n")) is is_found
