"""`modeldeck install`: queue presets, what a template or a lock file needs, or a single file; wait when asked to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.client import ApiError, Client, Json
from gateway.cli.documents import read_document
from gateway.cli.library import Library
from gateway.cli.session import AsJson, Token, Url, explain, session
from gateway.cli.settle import accepted, settle, settle_missing
from gateway.cli.waiting import Watched


def install(  # noqa: PLR0913, PLR0917  # typer makes an option of each
    presets: Annotated[
        list[str] | None, typer.Argument(metavar="[PRESET]...", help="Preset ids; or one URL with --path.")
    ] = None,
    url: Url = None,
    token: Token = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until all have ended; 0 only when all are there.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that came from another source.")] = False,
    path: Annotated[
        str | None, typer.Option("--path", help="For a URL: where the file goes, below the models folder.")
    ] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", help="For a URL: the hash that the file must have.")] = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="ID", help="What this workflow template misses.")
    ] = None,
    choose: Annotated[
        list[str] | None,
        typer.Option("--choose", metavar="MISSING=THERE", help="With --template: which file, or URL, is meant."),
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option("--lock", metavar="FILE", help="What this lock file names, byte for byte; or -."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Queue presets, what a template misses, what a lock file names, or a single file: install URL --path vae/x.bin.

    With --wait, Ctrl-C stops the waiting only: the downloads go on.
    """
    if template is not None or lock is not None:
        other = presets or path is not None or sha256 is not None or force
        if other or (lock is not None and (template is not None or choose)):
            raise typer.BadParameter("give presets, or a URL, or --template, or --lock", param_hint="PRESET")
        data = read_document(lock, "--lock") if lock is not None else b""
        choices = _choices(choose)
        with session(url, token, as_json=as_json) as on:
            library = Library(on.client)
            if template is None:
                settle_missing(on, lambda: library.install_lock(data), wait=wait)
            else:
                settle_missing(on, lambda: library.install_template(template, choices), wait=wait)
        return
    if not presets or choose:
        raise typer.BadParameter("give a preset, a URL with --path, --template or --lock", param_hint="PRESET")
    single = _single_file(presets, path, sha256, force=force)
    with session(url, token, as_json=as_json) as on:
        watched = [_queue_file(on.client, single)] if single else _queue_presets(on.client, presets, force=force)
        settle(on, watched, wait=wait)


def _choices(given: list[str] | None) -> dict[str, str]:
    parts = [one.partition("=") for one in given or []]
    if not all(path and choice for path, _, choice in parts):
        raise typer.BadParameter("write MISSING=THERE, or MISSING=URL", param_hint="--choose")
    return {path: choice for path, _, choice in parts}


def _single_file(presets: list[str], path: str | None, sha256: str | None, *, force: bool) -> Json | None:
    urls = [given for given in presets if "://" in given]
    if not urls:
        if path is not None or sha256 is not None:
            raise typer.BadParameter("--path and --sha256 go with a URL, not with presets", param_hint="PRESET")
        return None
    if len(presets) > 1 or path is None:
        raise typer.BadParameter("give one URL and --path, which says where the file goes", param_hint="PRESET")
    if force:
        raise typer.BadParameter("--force goes with presets, not with a URL", param_hint="--force")
    return {"url": urls[0], "path": path} | ({"sha256": sha256} if sha256 else {})


def _queue_file(client: Client, body: Json) -> Watched:
    return accepted(body["path"], client.install_file(body))


def _queue_presets(client: Client, presets: list[str], *, force: bool) -> list[Watched]:
    """Queue each; what is refused does not keep the others out, and the only one asked for is an error as such."""
    watched = []
    for preset_id in dict.fromkeys(presets):
        try:
            watched.append(accepted(preset_id, client.install(preset_id, force=force)))
        except ApiError as error:
            if len(presets) == 1 or error.status == 401:
                raise
            watched.append(Watched(label=preset_id, preset_id=preset_id, status="refused", error=explain(error)))
    return watched
