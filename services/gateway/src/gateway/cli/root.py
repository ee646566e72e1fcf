"""The typer application: one module of commands for reading, one for changing, one for the log."""

from __future__ import annotations

from collections.abc import Callable

import typer

from gateway.cli import change, log, read
from gateway.cli.install import install

app = typer.Typer(
    name="modeldeck",
    help="Install model files safely and watch them arrive.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals hold the token
)

_EXAMPLES: dict[Callable[..., None], str] = {
    read.status: "modeldeck status",
    read.presets: "modeldeck presets --search flux --status available",
    read.plan: "modeldeck plan SDXL_BASE SD15_BASE",
    install: "modeldeck install SDXL_BASE --wait",
    read.queue: "modeldeck queue",
    change.pause: "modeldeck pause SDXL_BASE",
    change.resume: "modeldeck resume --all",
    change.cancel: "modeldeck cancel SDXL_BASE --discard",
    change.retry: "modeldeck retry SDXL_BASE",
    change.move: "modeldeck move SDXL_BASE top",
    change.settings: "modeldeck settings --max-concurrent 2 --bandwidth-limit 50MB/s",
    change.refresh: "modeldeck refresh",
    log.events: "modeldeck events --since 0 --follow --json",
}

for _command, _example in _EXAMPLES.items():
    app.command(epilog=f"Example: {_example}")(_command)
