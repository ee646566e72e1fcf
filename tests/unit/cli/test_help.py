from __future__ import annotations

import pytest
import typer
from gateway.cli import app
from typer.testing import CliRunner

COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)


def test_the_commands_are_those_of_the_contract() -> None:
    assert [
        *("cancel", "events", "hub", "install", "lock", "models", "move", "pause", "plan", "presets"),
        *("queue", "refresh", "restore", "resume", "retry", "rm", "scan", "settings", "status", "templates"),
    ] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_tells_what_it_does_with_an_example_and_takes_json(command: str) -> None:
    assert isinstance(app, typer.Typer)
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert shown.exit_code == 0
    assert f"Example: modeldeck {command}" in shown.stdout
    assert "--json" in shown.stdout
    assert "--url" in shown.stdout
