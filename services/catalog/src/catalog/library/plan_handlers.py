"""The commands that only tell: restore, what is missing, lock files."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import TypeAlias

import msgspec
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.message import Reply
from modeldeck_events.modelfiles import PlanRestore
from modeldeck_events.templates import LockWorkflow, PlanLock, PlanMissing, TemplateReference, TemplateScanned

from catalog.library import locks
from catalog.library.answers import checked
from catalog.library.locking import FilesMissingError, HashPendingError, Locking
from catalog.library.locks import LockedWorkflow
from catalog.library.planning import Entry, Planner
from catalog.templates import Scan
from catalog.workflows.fold import TemplatesFold

Scanner: TypeAlias = Callable[[bytes], Awaitable[tuple[Scan, tuple[TemplateReference, ...]]]]
"""Reads a workflow."""


class PlanHandlers:
    """Answers the commands that only tell. `scan` reads a workflow, `want` has a file hashed before all others."""

    def __init__(  # noqa: PLR0913 - the parts that work together here, by keyword
        self,
        *,
        templates: TemplatesFold,
        planner: Planner,
        locking: Locking,
        scan: Scanner,
        want: Callable[[str], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._templates = templates
        self._planner = planner
        self._locking = locking
        self._scan = scan
        self._want = want
        self._clock = clock

    async def restore(self, command: PlanRestore) -> Reply:
        """Tell how to have a deleted file again."""
        spec = self._planner.restore(checked(command.path))
        return Reply(ok=True, data={"file": msgspec.to_builtins(spec)})

    async def missing(self, command: PlanMissing) -> Reply:
        """Tell how the files that a workflow misses can be had."""
        if command.template_id:
            template = self._template(command.template_id)
            references, name = template.references, template.name
        else:
            _, references = await self._read(command.data)
            name = "the workflow"
        return _files(self._planner.missing(references, workflow=name))

    async def lock(self, command: LockWorkflow) -> Reply:
        """Write the lock file of a template, or of a workflow that is not stored."""
        if command.template_id:
            template = self._template(command.template_id)
            of = LockedWorkflow(template.template_id, template.name, template.sha256, template.complete)
            references = template.references
        else:
            found, references = await self._read(command.data)
            sha256 = hashlib.sha256(command.data).hexdigest()
            file = command.name[: locks.MAX_TEXT]
            of = LockedWorkflow(file, PurePosixPath(file).stem, sha256, found.complete)
        try:
            lock = self._locking.lock(of, references, now=self._clock())
        except FilesMissingError as error:
            return _refused(error, list(error.paths))
        except HashPendingError as error:
            return self._pending(error)
        return Reply(ok=True, data={"lock": msgspec.to_builtins(lock)})

    async def against_lock(self, command: PlanLock) -> Reply:
        """Tell what of a lock file is not there."""
        try:
            lock = await asyncio.to_thread(locks.read, command.lock)
        except locks.LockError as error:
            raise CommandNotAllowedError(str(error), code="bad_lock", status=422) from error
        try:
            return _files(self._locking.lacking(lock))
        except HashPendingError as error:
            return self._pending(error)

    async def _read(self, data: bytes) -> tuple[Scan, tuple[TemplateReference, ...]]:
        found, references = await self._scan(data)
        if found.format not in {"editor", "prompt"}:
            why = "; ".join(warning.message for warning in found.warnings) or "it is JSON, but no workflow"
            raise CommandNotAllowedError(f"the workflow cannot be read: {why}", code="unreadable", status=422)
        return found, references

    def _pending(self, error: HashPendingError) -> Reply:
        for path in error.paths:
            self._want(path)
        return _refused(error, list(error.paths))

    def _template(self, template_id: str) -> TemplateScanned:
        template = self._templates.templates.stands(template_id).value
        if template is None:
            raise CommandNotAllowedError(f"there is no template {template_id!a}", code="unknown_template", status=404)
        return template


def _refused(error: CommandNotAllowedError, paths: list[str]) -> Reply:
    return Reply(ok=False, code=error.code, message=str(error), status=error.status, data={"paths": paths})


def _files(entries: Sequence[Entry]) -> Reply:
    return Reply(ok=True, data={"files": [msgspec.to_builtins(entry) for entry in entries]})
