"""`modeldeck models`: what is on the disk, who needs it, and how full the volumes are."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.client import Json, list_of
from gateway.cli.library import Library
from gateway.cli.output import Output
from gateway.cli.session import AsJson, Token, Url, session
from gateway.cli.tables import (
    DELETED_HEADERS,
    MODEL_HEADERS,
    VOLUME_HEADERS,
    deleted_row,
    model_row,
    volume_row,
)
from gateway.cli.text import count, plain, size


def models(  # noqa: PLR0913, PLR0917  # typer makes an option of each
    url: Url = None,
    token: Token = None,
    folder: Annotated[str, typer.Option("--folder", help="Only those below this folder, such as loras.")] = "",
    unused: Annotated[bool, typer.Option("--unused", help="Only those that nothing needs.")] = False,
    duplicates: Annotated[bool, typer.Option("--duplicates", help="Only those whose bytes are there twice.")] = False,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted, and can be restored.")] = False,
    storage: Annotated[bool, typer.Option("--storage", help="How full the volumes are, by folder and family.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the model files on the disk: size, family, hash, and which presets and templates need each."""
    filtered = bool(folder) or unused or duplicates
    if (filtered and (deleted or storage)) or (deleted and storage):
        raise typer.BadParameter("--storage and --deleted stand alone", param_hint="--storage")
    with session(url, token, as_json=as_json) as on:
        library = Library(on.client)
        if storage:
            _print_storage(on.out, library.storage())
            return
        inventory = library.models()
        if deleted:
            gone = list_of(inventory, "deleted")
            on.out.json({"deleted": gone})
            _print(on.out, DELETED_HEADERS, [deleted_row(one) for one in gone], "Nothing was deleted.")
            return
        every = list_of(inventory, "models")
        found = [
            model
            for model in every
            if (not folder or plain(model.get("path")).startswith(f"{folder.rstrip('/')}/"))
            and (not unused or not model.get("needed_by"))
            and (not duplicates or model.get("duplicates"))
        ]
        if duplicates:
            found.sort(key=lambda model: (plain(model.get("sha256")), plain(model.get("path"))))
        on.out.json({"models": found, "total": len(found)})
        rows = [model_row(model) for model in found]
        _print(on.out, MODEL_HEADERS, rows, "No model file matches." if every else "There is no model file yet.")
        if found:
            on.out.line()
            on.out.line(f"{count(len(found), 'file')}, {size(sum(model.get('size_bytes') or 0 for model in found))}")


def _print(out: Output, headers: tuple[str, ...], rows: list[tuple[str, ...]], otherwise: str) -> None:
    if rows:
        out.table(headers, rows)
    else:
        out.line(otherwise)


def _print_storage(out: Output, storage: Json) -> None:
    out.json(storage)
    out.table(VOLUME_HEADERS, [volume_row(volume) for volume in storage.get("volumes") or []])
    for title, name in (("FOLDER", "folders"), ("FAMILY", "families")):
        groups = storage.get(name) or []
        if groups:
            out.line()
            cells = [(group.get(title.lower()), size(group.get("bytes")), group.get("count")) for group in groups]
            out.table((title, "SIZE", "FILES"), cells)
    twice, unused = storage.get("duplicates") or {}, storage.get("unused") or {}
    out.line()
    groups = twice.get("groups") or []
    out.line(f"Stored twice: {len(groups)} contents; linking them would free {size(twice.get('reclaimable_bytes'))}")
    out.line(f"Needed by nothing: {unused.get('count', '?')} files, {size(unused.get('bytes'))}")
