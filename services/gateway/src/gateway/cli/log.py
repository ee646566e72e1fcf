"""`modeldeck events`: the log, from any sequence, to its end or for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from gateway.cli.client import ApiError, Client, Json, UnreachableError
from gateway.cli.exits import Exit
from gateway.cli.live import Lost, Message
from gateway.cli.live import follow as follow_stream
from gateway.cli.output import Output
from gateway.cli.render import event_line
from gateway.cli.session import AsJson, Token, Url, session

_LAST = 20


def events(
    url: Url = None,
    token: Token = None,
    since: Annotated[
        int | None, typer.Option("--since", min=0, metavar="SEQ", help="Begin after this sequence; 0 is the beginning.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what happens from now on, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the log of everything that happened, each entry once and in order; without --since the last twenty.

    With --json: one document, or with --follow one per line.
    """
    with session(url, token, as_json=as_json) as on:
        after = since if since is not None else max(0, on.client.last_seq() - _LAST)
        if not follow:
            _print_all(on.out, on.client.events(after), after)
            return
        try:
            for entry in LogReader(on.client, on.out, after).entries():
                if as_json:
                    on.out.json_line(entry)
                else:
                    on.out.line(event_line(entry))
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None


def _print_all(out: Output, entries: Iterator[Json], after: int) -> None:
    """Print entries as they come, so that a log of any length passes through."""
    if not out.as_json:
        for entry in entries:
            out.line(event_line(entry))
        return
    typer.echo('{"events": [', nl=False)
    separator = ""
    for entry in entries:
        typer.echo(f"{separator}{json.dumps(entry)}", nl=False)
        separator, after = ",\n", int(entry["seq"])
    typer.echo(f'], "seq": {after}}}')


class LogReader:
    """Reads the log from a sequence for ever, each entry exactly once and in order.

    The stream is opened first and the log read up to its end then, so nothing falls between; whatever the stream
    repeats is known by its sequence. After a break without exact resume the log is read again from the last entry.
    """

    def __init__(self, client: Client, out: Output, after: int) -> None:
        self._client, self._out, self._after = client, out, after
        self._epoch: str | None = None
        self._whole = False

    def entries(self) -> Iterator[Json]:
        """Yield the entries, until the caller stops."""
        for message in follow_stream(self._client, "events"):
            if isinstance(message, Lost):
                if message.first:
                    self._out.note(f"waiting for the gateway: {message.reason}")
                continue
            if message.event == "hello":
                self._greet(message)
            elif message.event == "reset":
                self._whole = False
            if not self._whole:
                yield from self._catch_up()
            if self._whole and message.event == "event" and int(message.data["seq"]) > self._after:
                self._after = int(message.data["seq"])
                yield message.data

    def _greet(self, hello: Message) -> None:
        self._whole = self._whole and bool(hello.data.get("resumed"))
        epoch = hello.data.get("epoch")
        if self._epoch not in {None, epoch}:
            self._out.note("the gateway's log was replaced by another one; it is shown from its beginning")
            self._after, self._whole = 0, False
        self._epoch = epoch

    def _catch_up(self) -> Iterator[Json]:
        try:
            for entry in self._client.events(self._after):
                self._after = int(entry["seq"])
                yield entry
        except UnreachableError:
            return  # the stream will notice, too; reading goes on at the same place
        except ApiError as error:
            if not error.passing:
                raise
            return
        self._whole = True
