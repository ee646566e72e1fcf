"""Commands that delete and bring back: rm, restore."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway.cli.client import ApiError, Json, Target, list_of
from gateway.cli.exits import Exit
from gateway.cli.library import Library, check
from gateway.cli.output import Output
from gateway.cli.session import AsJson, Session, Token, Url, explain, problem, session
from gateway.cli.settle import accepted, settle
from gateway.cli.tables import MODEL_HEADERS, model_row, needed_by_words
from gateway.cli.text import count, plain, size

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def rm(  # noqa: PLR0913, PLR0917  # typer makes an option of each
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Paths as `modeldeck models` shows them.")
    ] = None,
    url: Url = None,
    token: Token = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="ID", help="Uninstall this preset: the files only it needs.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Delete files also while something needs them.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete model files, or uninstall a preset. Says first what is freed, who needs them, and asks.

    What another preset or a template needs is refused without --force. Without a terminal --yes is needed.
    """
    if bool(paths) == (preset is not None) or (preset is not None and force):
        raise typer.BadParameter("give paths (with --force or without), or --preset ID", param_hint="PATH")
    if not yes and (as_json or not sys.stdin.isatty()):
        raise typer.BadParameter("nobody can be asked here; say --yes to delete without asking", param_hint="--yes")
    with session(url, token, as_json=as_json) as on:
        if preset is not None:
            _uninstall(on, preset, yes=yes)
        else:
            _delete(on, list(dict.fromkeys(paths or [])), force=force, yes=yes)


def _delete(on: Session, paths: list[str], *, force: bool, yes: bool) -> None:
    library = Library(on.client)
    if not yes:
        _ask_about_files(on, library, paths, force=force)
    done: list[Json] = []
    failed: list[Json] = []
    for path in paths:
        try:
            done.append(library.delete(path, force=force))
        except ApiError as error:
            if error.status == 401:
                raise
            failed.append({"path": path, "error": problem(error)})
            on.out.note(f"error: {path}: {_why_kept(error)}")
        else:
            on.out.line(f"{path}: deleted, {size(done[-1].get('freed_bytes'))} freed{_undo(done[-1])}")
    on.out.json({"deleted": done, "failed": failed})
    if failed:
        raise typer.Exit(Exit.FAILED)


def _ask_about_files(on: Session, library: Library, paths: list[str], *, force: bool) -> None:
    """Show what would go, and stop here when it may not or is not wanted."""
    known = {plain(model.get("path")): model for model in list_of(library.models(), "models")}
    stop = False
    for path in paths:
        if path not in known:
            on.out.note(f"error: {path}: there is no such model file; `modeldeck models` lists them")
            stop = True
        elif known[path].get("needed_by") and not force:
            needed = needed_by_words(known[path]["needed_by"])
            on.out.note(f"error: {path}: needed by {needed}; --force deletes it all the same")
            stop = True
    if stop:
        on.out.note("Nothing was deleted.")
        raise typer.Exit(Exit.FAILED)
    on.out.table(MODEL_HEADERS, [model_row(known[path]) for path in paths])
    lost = [path for path in paths if not known[path].get("restorable")]
    if lost:
        on.out.line(f"Nobody knows where to have again: {', '.join(lost)}")
    total = size(sum(known[path].get("size_bytes") or 0 for path in paths))
    _confirm(on.out, f"Delete {count(len(paths), 'file')}, {total}?")


def _confirm(out: Output, question: str) -> None:
    if not typer.confirm(plain(question)):
        out.note("Nothing was deleted.")
        raise typer.Exit(Exit.FAILED)


def _why_kept(error: ApiError) -> str:
    needed = error.body.get("needed_by")
    if error.code == "needed" and isinstance(needed, list) and needed:
        return f"needed by {needed_by_words(needed)}; --force deletes it all the same"
    return explain(error)


def _undo(deleted: Json) -> str:
    return "" if deleted.get("restorable") else "; nobody knows where to have it again"


def _uninstall(on: Session, preset_id: str, *, yes: bool) -> None:
    library = Library(on.client)
    if not yes:
        _confirm(on.out, f"Uninstall {_name_of(on, preset_id)}: delete the files that nothing else needs?")
    done = library.uninstall(preset_id)
    on.out.json(done)
    for path in done.get("deleted") or []:
        on.out.line(f"{plain(path)}: deleted")
    for kept in done.get("kept") or []:
        needed = needed_by_words(kept.get("needed_by") or [])
        on.out.line(f"{plain(kept.get('path'))}: kept{f', needed by {needed}' if needed else ''}")
    on.out.line(f"{preset_id}: {size(done.get('freed_bytes'))} freed")


def _name_of(on: Session, preset_id: str) -> str:
    try:
        return plain(on.client.read(Target("presets", check(preset_id)).path).get("name")) or preset_id
    except ApiError as error:
        if error.status != 404:
            raise
        return preset_id  # it left the catalog and may still be installed


def restore(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="As `modeldeck models --deleted` shows it.")],
    url: Url = None,
    token: Token = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the files are back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch deleted model files again, verified to be the same bytes as before."""
    with session(url, token, as_json=as_json) as on:
        library = Library(on.client)
        settle(on, [accepted(path, library.restore(path)) for path in dict.fromkeys(paths)], wait=wait)
