"""The `modeldeck` command: `up` and `doctor` of this package beside the client commands of the gateway.

Each imports what it needs when it is run, so that a client command does not wait for the supervisor's parts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

_UP_EXAMPLE = "modeldeck up --port 9000 --models-dir ~/ComfyUI/models"


def run_up(
    host: Annotated[str | None, typer.Option(help="Address to listen on (MODELDECK_HOST, 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (MODELDECK_PORT, 8420); 0: any.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Event store, token, logs (MODELDECK_DATA_DIR).")] = None,
    models_dir: Annotated[Path | None, typer.Option(help="Models folder (MODELDECK_MODELS_DIR).")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Generated model files from a local origin.")] = False,
) -> None:
    """Run the whole product until Ctrl-C: nats-server and the four services."""
    from modeldeck_local.up import up  # noqa: PLC0415

    given = {"HOST": host, "PORT": port, "DATA_DIR": data_dir, "MODELS_DIR": models_dir}
    choices = {name: str(value) for name, value in given.items() if value is not None}
    raise typer.Exit(up(choices, is_demo=demo))


def run_doctor(
    url: Annotated[str | None, typer.Option(help="Address of the gateway (MODELDECK_URL).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Also fold the whole log from zero and compare with the gateway.")
    ] = False,
) -> None:
    """Check settings, nats-server, folders, space, token and the gateway; say what to do."""
    from modeldeck_local.doctor import doctor  # noqa: PLC0415

    raise typer.Exit(doctor(url, as_json=as_json, with_rebuild=rebuild))


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["up"]:
        sys.argv[:2] = ["modeldeck up"]
        alone = typer.Typer(add_completion=False)
        alone.command(epilog=f"Example: {_UP_EXAMPLE}")(run_up)
        alone()
    else:
        whole_command_line()()


def whole_command_line() -> typer.Typer:
    """Return the gateway's client commands with this machine's own beside them."""
    from gateway.cli import app  # noqa: PLC0415

    for name, command, example in (("up", run_up, _UP_EXAMPLE), ("doctor", run_doctor, "modeldeck doctor")):
        app.command(name, rich_help_panel="This machine", epilog=f"Example: {example}")(command)
    return app


if __name__ == "__main__":
    main()
