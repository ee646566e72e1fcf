"""Commands about workflows: scan, templates, lock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.client import Json, list_of
from gateway.cli.documents import STDIN, read_document
from gateway.cli.exits import Exit
from gateway.cli.library import Library
from gateway.cli.output import Output
from gateway.cli.session import AsJson, Token, Url, session
from gateway.cli.settle import patiently, settle_missing
from gateway.cli.tables import REFERENCE_HEADERS, TEMPLATE_HEADERS, reference_row, template_row
from gateway.cli.text import count, plain


def scan(  # noqa: PLR0913, PLR0917  # typer makes an option of each
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A workflow in any of ComfyUI's formats; - is stdin.")],
    url: Url = None,
    token: Token = None,
    install: Annotated[bool, typer.Option("--install", help="Queue what is missing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="With --install: stay until all have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which model files a workflow needs and which of them are missing; nothing is stored.

    Ends with 0 when nothing is missing, 1 when something is; with --install, 0 when all of it could be had.
    """
    if wait and not install:
        raise typer.BadParameter("--wait goes with --install", param_hint="--wait")
    workflow = read_document(file, "FILE")
    with session(url, token, as_json=as_json) as on:
        library = Library(on.client)
        found = library.scan(workflow)
        _print_references(on.out, found)
        if install and found.get("missing_count"):
            settle_missing(on, lambda: library.install_missing(workflow), wait=wait, document={"scan": found})
            return
        on.out.json({"scan": found, "downloads": []} if install else found)
        if not found.get("compatible"):
            on.out.note(f"error: {_verdict(found)}")
            raise typer.Exit(Exit.FAILED)
        on.out.line("Nothing is missing.")


def _print_references(out: Output, found: Json) -> None:
    references = list_of(found, "references")
    if references:
        out.table(REFERENCE_HEADERS, [reference_row(reference) for reference in references])
        out.line()
    for warning in found.get("warnings") or []:
        out.line(f"warning: {plain(warning.get('message'))} ({plain(warning.get('code'))})")


def _verdict(found: Json) -> str:
    missing = found.get("missing_count") or 0
    if missing:
        return f"{missing} model {'file is' if missing == 1 else 'files are'} missing; --install queues what can be had"
    return "the workflow could not be read whole, so more may be missing than is shown"


def templates(
    url: Url = None,
    token: Token = None,
    missing: Annotated[bool, typer.Option("--missing", help="Only those that cannot run yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the workflow templates, and what each misses."""
    with session(url, token, as_json=as_json) as on:
        answer = Library(on.client).templates()
        every = list_of(answer, "templates")
        found = [template for template in every if not (missing and template.get("compatible"))]
        skipped = answer.get("skipped") or []
        on.out.json({"templates": found, "total": len(found), "skipped": skipped})
        if found:
            on.out.table(TEMPLATE_HEADERS, [template_row(template) for template in found])
        else:
            on.out.line("Every template can run." if every else "There is no template yet.")
        if skipped and not missing:
            on.out.line()
            on.out.line(f"No workflows: {count(len(skipped), 'JSON file')}, such as {plain(skipped[0].get('id'))}")


def lock(  # noqa: PLR0913, PLR0917  # typer makes an option of each
    template_id: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Id of a template, as `templates` shows it.")],
    url: Url = None,
    token: Token = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait while large files are still being hashed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a lock file: every model file that a template needs, with its path, size, hash and source.

    `modeldeck install --lock FILE` installs the same bytes elsewhere.
    """
    with session(url, token, as_json=as_json) as on:
        library = Library(on.client)
        document = patiently(on.out, lambda: library.lock(template_id), wait=wait)
        text = json.dumps(document, indent=2, ensure_ascii=not _utf8(output)) + "\n"
        if output is None or output == STDIN:
            typer.echo(text, nl=False)
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise typer.BadParameter(
                f"{output} cannot be written: {error.strerror or error}", param_hint="-o"
            ) from None
        on.out.json({"template_id": template_id, "output": str(output)})
        on.out.line(f"{template_id}: {count(len(document.get('files') or []), 'file')} locked in {output}")


def _utf8(output: Path | None) -> bool:
    return output is not None and output != STDIN
