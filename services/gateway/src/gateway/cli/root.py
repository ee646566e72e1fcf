"""The typer application: which commands there are, each with an example."""

from __future__ import annotations

from collections.abc import Callable

import typer

from gateway.cli import change, files, log, read, removal, workflows
from gateway.cli.hub import hub
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
    files.models: "modeldeck models --folder loras --unused",
    removal.rm: "modeldeck rm loras/old.safetensors",
    removal.restore: "modeldeck restore loras/old.safetensors --wait",
    workflows.scan: "modeldeck scan workflow.json --install --wait",
    workflows.templates: "modeldeck templates --missing",
    workflows.lock: "modeldeck lock workflows/portrait.json -o portrait.lock.json",
    hub: "modeldeck hub https://huggingface.co/org/name",
    log.events: "modeldeck events --since 0 --follow --json",
}

for _command, _example in _EXAMPLES.items():
    app.command(epilog=f"Example: {_example}")(_command)
