"""Files that a person hands to a command: read whole, never more than the product takes."""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from modeldeck_events.templates import MAX_WORKFLOW_BYTES

STDIN = Path("-")


def read_document(path: Path, hint: str) -> bytes:
    """Return the file's bytes, of standard input for `-`; what cannot be read or is too large is a usage error."""
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(MAX_WORKFLOW_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_WORKFLOW_BYTES + 1)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror or error}", param_hint=hint) from None
    if len(data) > MAX_WORKFLOW_BYTES:
        limit = f"{MAX_WORKFLOW_BYTES // 1024 // 1024} MiB"
        raise typer.BadParameter(f"{path} has more than {limit}, the most that is taken", param_hint=hint)
    return data
