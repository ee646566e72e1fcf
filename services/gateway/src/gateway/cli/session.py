"""What every command has in common: its options, a client, and one calm line when something goes wrong."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Annotated

import typer
from modeldeck_events.settings import SettingsError

from gateway.cli.client import ApiError, Client, Json, UnreachableError
from gateway.cli.exits import Exit
from gateway.cli.library import OddPathError
from gateway.cli.output import Output
from gateway.cli.settings import find_gateway

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="The gateway; else MODELDECK_URL, else http://127.0.0.1:8420."),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="Credentials; else MODELDECK_TOKEN, else the token file in the data directory of this machine.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """A client of one gateway and the output of one command."""

    client: Client
    out: Output


@contextlib.contextmanager
def session(url: str | None, token: str | None, *, as_json: bool) -> Iterator[Session]:
    """Open a session; errors of the API become a line on stderr (with --json also a document) and an exit code."""
    out = Output(as_json=as_json)
    try:
        with Client(find_gateway(url, token)) as client:
            yield Session(client, out)
    except ApiError as error:
        out.json({"error": problem(error)})
        out.note(f"error: {explain(error)}")
        raise typer.Exit(Exit.FAILED) from None
    except UnreachableError as error:
        out.json({"error": {"code": "unreachable", "detail": str(error)}})
        out.note(f"error: {error}")
        raise typer.Exit(Exit.UNREACHABLE) from None
    except (SettingsError, OddPathError) as error:
        for line in str(error).splitlines():
            out.note(f"error: {line}")
        raise typer.Exit(Exit.USAGE) from None


def problem(error: ApiError) -> Json:
    """Return the problem document of an answer, with the fields every one has."""
    return {**error.body, "status": error.status, "code": error.code, "detail": error.detail}


def explain(error: ApiError) -> str:
    """Return what was refused in one line, and what to do where that is known."""
    said = f"{error.detail.rstrip('.')} ({error.code})"
    match error.status:
        case 401:
            return f"{said}; give the token with --token or MODELDECK_TOKEN, `modeldeck up` prints it in its link"
        case 403:
            return f"{said}; this token may not do that"
        case 503 if error.code == "hash_pending":
            return f"{said}; --wait waits for it"
        case 503:
            return f"{said}; try again in a moment"
        case _:
            return said
