"""`modeldeck install`: queue presets or single files, and wait for them when asked to."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.client import ApiError, Client, Json
from gateway.cli.exits import Exit
from gateway.cli.output import Output
from gateway.cli.session import AsJson, Token, Url, explain, session
from gateway.cli.text import plain
from gateway.cli.waiting import Watched
from gateway.cli.watching import watch


def install(  # noqa: PLR0913, PLR0917  # typer makes an option of each
    presets: Annotated[list[str], typer.Argument(metavar="PRESET", help="Preset ids; or one URL with --path.")],
    url: Url = None,
    token: Token = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until all have ended; 0 only when all are there.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that came from another source.")] = False,
    path: Annotated[
        str | None, typer.Option("--path", help="For a URL: where the file goes, below the models folder.")
    ] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", help="For a URL: the hash that the file must have.")] = None,
    as_json: AsJson = False,
) -> None:
    """Queue presets for installation, or a single file: install URL --path checkpoints/name.safetensors.

    With --wait, Ctrl-C stops the waiting only: the downloads go on.
    """
    single = _single_file(presets, path, sha256, force=force)
    with session(url, token, as_json=as_json) as on:
        watched = [_queue_file(on.client, single)] if single else _queue_presets(on.client, presets, force=force)
        if wait:
            try:
                watch(on.client, on.out, watched)
            except KeyboardInterrupt:
                _say_left(on.out, watched)
                raise typer.Exit(Exit.INTERRUPTED) from None
        else:
            for one in watched:
                if one.status != "refused":
                    on.out.line(f"{one.label}: {one.status}")
        on.out.json({"downloads": [one.outcome() for one in watched]})
        bad = [one for one in watched if (not one.good if wait else one.status == "refused")]
        for one in bad:
            on.out.note(f"error: {one.label}: {one.status}{f': {one.error}' if one.error else ''}")
        if bad:
            raise typer.Exit(Exit.FAILED)


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
    return _accepted(body["path"], client.install_url(body))


def _queue_presets(client: Client, presets: list[str], *, force: bool) -> list[Watched]:
    """Queue each; what is refused does not keep the others out, and the only one asked for is an error as such."""
    watched = []
    for preset_id in dict.fromkeys(presets):
        try:
            watched.append(_accepted(preset_id, client.install(preset_id, force=force)))
        except ApiError as error:
            if len(presets) == 1 or error.status == 401:
                raise
            watched.append(Watched(label=preset_id, preset_id=preset_id, status="refused", error=explain(error)))
    return watched


def _accepted(label: str, answer: Json) -> Watched:
    return Watched(
        label=plain(label),
        preset_id=answer.get("preset_id"),
        download_id=answer.get("download_id"),
        status=plain(answer.get("status")) or "queued",
    )


def _say_left(out: Output, watched: list[Watched]) -> None:
    left = [one.label for one in watched if not one.ended]
    out.json({"downloads": [one.outcome() for one in watched], "interrupted": True})
    out.note(f"Not waiting any longer; the download goes on: {', '.join(left)}. `modeldeck queue` shows it.")
