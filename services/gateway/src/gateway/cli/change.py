"""Commands that change what downloads: pause, resume, cancel, retry, move, settings, refresh."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.client import ApiError, Json, Target
from gateway.cli.render import queue_summary
from gateway.cli.session import AsJson, Session, Token, Url, session
from gateway.cli.text import plain

Id = Annotated[str, typer.Argument(metavar="ID", help="A preset id or a download id.")]
OptionalId = Annotated[str | None, typer.Argument(metavar="ID", help="A preset id or a download id.")]


def pause(
    target_id: OptionalId = None,
    url: Url = None,
    token: Token = None,
    everything: Annotated[bool, typer.Option("--all", help="Hold the whole queue.")] = False,
    as_json: AsJson = False,
) -> None:
    """Pause a download, or with --all the whole queue. Bytes already there are kept."""
    _check_choice(target_id, everything=everything)
    with session(url, token, as_json=as_json) as on:
        if target_id is None:
            _hold(on, paused=True)
        else:
            _act(on, target_id, "pause")


def resume(
    target_id: OptionalId = None,
    url: Url = None,
    token: Token = None,
    everything: Annotated[bool, typer.Option("--all", help="Let the whole queue go on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Resume a paused download at its old place, or with --all the whole queue.

    Downloads that were paused one by one stay paused when the queue goes on.
    """
    _check_choice(target_id, everything=everything)
    with session(url, token, as_json=as_json) as on:
        if target_id is None:
            _hold(on, paused=False)
        else:
            _act(on, target_id, "resume")


def cancel(
    target_id: Id,
    url: Url = None,
    token: Token = None,
    discard: Annotated[bool, typer.Option("--discard", help="Delete the bytes fetched so far.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel a download. Bytes already there are kept for a retry unless --discard is given."""
    with session(url, token, as_json=as_json) as on:
        _act(on, target_id, "cancel", params={"keep_partial": "false" if discard else "true"})


def retry(target_id: Id, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Queue a failed or cancelled download again; it goes on with the bytes that are still valid."""
    with session(url, token, as_json=as_json) as on:
        _act(on, target_id, "retry")


def move(
    target_id: Id,
    position: Annotated[str, typer.Argument(metavar="POSITION", help="A place in the queue from 1, top, or bottom.")],
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Move a waiting download to another place in the queue."""
    if position in {"top", "bottom"}:
        place: Json = {"to": position}
    elif position.isascii() and position.isdigit() and int(position) > 0:
        place = {"position": int(position)}
    else:
        raise typer.BadParameter("write a number from 1, top, or bottom", param_hint="POSITION")
    with session(url, token, as_json=as_json) as on:
        target = on.client.find(target_id)
        if target.download_id is None:
            raise ApiError(409, "nothing_to_move", f"{target_id} is not in the queue")
        done = on.client.act(Target("downloads", target.download_id), "move", body=place)
        on.out.json(done)
        where = f" at position {plain(done['position'])}" if done.get("position") else ""
        on.out.line(f"{target_id}: {plain(done.get('status')) or 'moved'}{where}")


def settings(
    url: Url = None,
    token: Token = None,
    max_concurrent: Annotated[
        int | None, typer.Option("--max-concurrent", min=1, max=64, help="Downloads at a time.")
    ] = None,
    bandwidth_limit: Annotated[
        str | None,
        typer.Option("--bandwidth-limit", metavar="RATE", help="For all transfers together, as 50MB/s; none lifts it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change how many downloads run at a time and how fast, at once and for running ones too; without options: show."""
    changes: Json = {}
    if max_concurrent is not None:
        changes["max_concurrent"] = max_concurrent
    if bandwidth_limit is not None:
        changes["bandwidth_limit"] = None if bandwidth_limit.lower() in {"none", "off", "0"} else bandwidth_limit
    with session(url, token, as_json=as_json) as on:
        if changes:
            on.client.configure(changes)
        queue = on.client.queue()
        on.out.json({name: queue.get(name) for name in ("max_concurrent", "bandwidth_limit_bps", "paused")})
        on.out.line(queue_summary(queue))


def refresh(url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Fetch the catalog of presets again. Running downloads are not touched."""
    with session(url, token, as_json=as_json) as on:
        done = on.client.refresh()
        on.out.json(done)
        version = f", version {plain(done['version'])}" if done.get("version") else ""
        on.out.line(plain(done.get("message")) or f"{plain(done.get('total_presets'))} presets{version}")


def _check_choice(target_id: str | None, *, everything: bool) -> None:
    if everything == (target_id is not None):
        raise typer.BadParameter("give the id of one download, or --all for the whole queue", param_hint="ID")


def _hold(on: Session, *, paused: bool) -> None:
    on.client.configure({"paused": paused})
    on.out.json({"paused": paused})
    on.out.line("The queue is paused." if paused else "The queue goes on.")


def _act(
    on: Session, target_id: str, verb: str, params: dict[str, str] | None = None, body: Json | None = None
) -> None:
    target = on.client.find(target_id)
    done = on.client.act(target, verb, params, body)
    on.out.json(done)
    on.out.line(f"{target_id}: {plain(done.get('status')) or verb}")
