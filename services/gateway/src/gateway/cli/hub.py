"""`modeldeck hub`: what a repository of a model hub offers, and fetching one of its files."""

from __future__ import annotations

import posixpath
from typing import Annotated

import typer

from gateway.cli.client import ApiError, Json, list_of
from gateway.cli.library import Library
from gateway.cli.session import AsJson, Session, Token, Url, session
from gateway.cli.settle import accepted, settle
from gateway.cli.tables import VARIANT_HEADERS, repository_lines, variant_row
from gateway.cli.text import plain

_RECOMMENDED = "recommended"


def hub(  # noqa: PLR0913, PLR0917  # typer makes an option of each
    text: Annotated[str, typer.Argument(metavar="REPO_OR_URL", help="org/name, a page, or a link to a file.")],
    url: Url = None,
    token: Token = None,
    install: Annotated[
        str | None,
        typer.Option("--install", metavar="FILENAME", help="Queue this file of it; `recommended` takes that one."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="With --install: stay until it has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a repository of a model hub offers, and which file suits this machine.

    Takes what can be copied from a browser: org/name, the address of its page, a link to a file, a Civitai link.
    """
    if wait and install is None:
        raise typer.BadParameter("--wait goes with --install", param_hint="--wait")
    with session(url, token, as_json=as_json) as on:
        found = Library(on.client).hub(text)
        variants = list_of(found, "variants")
        recommended = found.get("recommended") or {}
        for line in repository_lines(found):
            on.out.line(line)
        if variants:
            on.out.table(VARIANT_HEADERS, [variant_row(one, plain(recommended.get("filename"))) for one in variants])
        else:
            on.out.line("It has no model file.")
        if recommended.get("filename"):
            on.out.line(f"* {plain(recommended['filename'])}: {plain(recommended.get('reason'))}")
        if found.get("selected"):
            on.out.line(f"The link names {plain(found['selected'])}")
        if install is None:
            on.out.json(found)
            return
        _install(on, found, variants, install, wait=wait)


def _install(on: Session, found: Json, variants: list[Json], name: str, *, wait: bool) -> None:
    wanted = (found.get("recommended") or {}).get("filename") if name == _RECOMMENDED else name
    variant = next((one for one in variants if wanted and one.get("filename") == wanted), None)
    if variant is None:
        raise ApiError(404, "file_not_found", f"{plain(found.get('repo'))} has no file {plain(name)!r} to choose")
    watched = [
        accepted(body.get("filename") or body["path"], on.client.install_file(body)) for body in _bodies(found, variant)
    ]
    settle(on, watched, wait=wait, document={"hub": found})


def _bodies(found: Json, variant: Json) -> list[Json]:
    """Return what to ask for: a file, or each part of one that comes in several, side by side."""
    path, parts = plain(variant.get("path")), variant.get("parts") or []
    stated = {name: value for name in ("path", "sha256") if (value := variant.get(name))}
    if variant.get("url") and path and found.get("hub") == "civitai":
        return [{"url": variant["url"]} | stated]
    common = {"repo": found.get("repo")} | ({"revision": found["revision"]} if found.get("revision") else {})
    if len(parts) <= 1:
        return [common | {"filename": variant.get("filename")} | stated]
    folder = f"{posixpath.dirname(path)}/" if path else ""
    return [
        common | {"filename": part} | ({"path": f"{folder}{posixpath.basename(part)}"} if folder else {})
        for part in parts
    ]
