"""How commands that queue downloads end: wait when asked to, say what became of each, choose the exit code."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import typer

from gateway.cli.client import ApiError, Json
from gateway.cli.exits import Exit
from gateway.cli.output import Output
from gateway.cli.session import Session
from gateway.cli.text import plain
from gateway.cli.waiting import Watched
from gateway.cli.watching import watch

_HASHING_WAIT_S = 2.0


def settle(
    on: Session, watched: list[Watched], *, wait: bool, document: Json | None = None, unresolved: Sequence[Json] = ()
) -> None:
    """Follow the downloads to their end, or tell that they are queued; exits with 1 when something did not work.

    `document` is what else a script gets; `unresolved` are files for which nothing could be queued.
    """
    if wait:
        try:
            watch(on.client, on.out, watched)
        except KeyboardInterrupt:
            _say_left(on.out, watched, document)
            raise typer.Exit(Exit.INTERRUPTED) from None
    else:
        for one in watched:
            if one.status != "refused":
                on.out.line(f"{one.label}: {one.status}")
    on.out.json({**(document or {}), "downloads": [one.outcome() for one in watched]})
    bad = [one for one in watched if (not one.good if wait else one.status == "refused")]
    for one in bad:
        on.out.note(f"error: {one.label}: {one.status}{f': {one.error}' if one.error else ''}")
    tell_unresolved(on.out, unresolved)
    if bad or unresolved:
        raise typer.Exit(Exit.FAILED)


def accepted(label: str, answer: Json) -> Watched:
    """Return the download that an answer of the gateway tells of."""
    return Watched(
        label=plain(label),
        preset_id=answer.get("preset_id"),
        download_id=answer.get("download_id"),
        status=plain(answer.get("status")) or "queued",
    )


def settle_missing(on: Session, ask: Callable[[], Json], *, wait: bool, document: Json | None = None) -> None:
    """Ask to install what is missing, and settle the `{queued, linked, unresolved}` that is answered."""
    try:
        answer = patiently(on.out, ask, wait=wait)
    except ApiError as error:
        tell_unresolved(on.out, error.body.get("unresolved") or [])
        raise
    queued = [accepted(item.get("path") or "", item) for item in answer.get("queued") or []]
    for link in answer.get("linked") or []:
        on.out.line(f"{plain(link.get('path'))}: linked to {plain(link.get('from_path'))}")
    unresolved = answer.get("unresolved") or []
    if not queued and not unresolved and not answer.get("linked"):
        on.out.line("Nothing is missing.")
    settle(on, queued, wait=wait, document={**(document or {}), "installed": answer}, unresolved=unresolved)


def patiently(out: Output, ask: Callable[[], Json], *, wait: bool) -> Json:
    """Return what is answered; with `wait`, ask again while the catalog still hashes files that matter to it."""
    told = False
    while True:
        try:
            return ask()
        except ApiError as error:
            if error.code != "hash_pending" or not wait:
                raise
            if not told:
                out.note(f"waiting: {error.detail}")
                told = True
        time.sleep(_HASHING_WAIT_S)  # the catalog only says that it is not done yet


def tell_unresolved(out: Output, unresolved: Sequence[Json]) -> None:
    """Say for which files nothing could be done, why, and what can be chosen from."""
    for item in unresolved:
        said = plain(item.get("message")) or "no source is known"
        choice = ", ".join(plain(path) for path in item.get("candidates") or [])
        out.note(
            f"error: {plain(item.get('path'))}: {said.rstrip('.')}{f': {choice}' if choice else ''}"
            f" ({plain(item.get('code')) or 'no_source'})"
        )


def _say_left(out: Output, watched: list[Watched], document: Json | None) -> None:
    left = [one.label for one in watched if not one.ended]
    out.json({**(document or {}), "downloads": [one.outcome() for one in watched], "interrupted": True})
    out.note(f"Not waiting any longer; the download goes on: {', '.join(left)}. `modeldeck queue` shows it.")
