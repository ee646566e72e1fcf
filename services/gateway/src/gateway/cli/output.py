"""Where words go: results to stdout, everything else to stderr; nothing a server says is taken as markup."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.text import plain

Row = Sequence[object]
_WRAPPING = {"NAME", "CATEGORY", "WARNINGS", "REASON", "FILE", "VOLUME", "ACTION", "NEEDED BY", "MISSES", "WHERE"}
"""Columns of words; the others hold ids and numbers, which are copied and compared, so they stay whole."""


class Output:
    """One command's output. With `as_json` stdout carries JSON only, in ASCII, and `line` and `table` are silent."""

    def __init__(self, *, as_json: bool) -> None:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # a terminal of another encoding shows ? instead of dying
        self.as_json = as_json
        self.console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)

    @property
    def live(self) -> bool:
        """Whether bars that move may be drawn."""
        return self.console.is_terminal and not self.as_json and os.environ.get("TERM") != "dumb"

    def json(self, document: Any) -> None:
        """Print one JSON document, when JSON was asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, indent=2 if self.console.is_terminal else None) + "\n")
            sys.stdout.flush()

    def json_line(self, document: Any) -> None:
        """Print one JSON document on one line, at once."""
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()

    def line(self, text: str = "") -> None:
        """Print one line for a person, at once, also into a pipe."""
        if not self.as_json:
            self.console.print(Text(plain(text)))
            self.console.file.flush()

    def note(self, text: str) -> None:
        """Say something beside the result, on stderr."""
        sys.stderr.write(plain(text) + "\n")
        sys.stderr.flush()

    def table(self, headers: Sequence[str], rows: Sequence[Row]) -> None:
        """Print rows: drawn on a terminal without empty columns, aligned with all of them elsewhere."""
        if self.as_json:
            return
        cells = [[plain(cell) for cell in row] for row in rows]
        if self.console.is_terminal:
            shown = [index for index in range(len(headers)) if any(row[index] for row in cells)]
            table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
            for index in shown:
                wraps = headers[index] in _WRAPPING
                table.add_column(Text(headers[index]), overflow="fold", no_wrap=not wraps)
            for row in cells:
                table.add_row(*(Text(row[index]) for index in shown))
            self.console.print(table, soft_wrap=False)
            return
        lines = [list(headers), *cells]
        widths = [max(len(row[column]) for row in lines) for column in range(len(headers))]
        for row in lines:
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
