"""The client commands of `modeldeck`: HTTP only, for people at a terminal and for scripts (`--json`).

`app` is the typer application that the `modeldeck` script mounts. Exit codes are in `exits.Exit`.
"""

from gateway.cli.root import app

__all__ = ["app"]
