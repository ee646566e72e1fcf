"""Answers `ScanWorkflow`: what a workflow that is not stored names, and which of that is there."""

from __future__ import annotations

import asyncio

import msgspec
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.matching import ModelIndex
from modeldeck_events.message import Reply
from modeldeck_events.templates import MAX_WORKFLOW_BYTES, ScanWorkflow, TemplateReference

from catalog.templates import LoaderTable, Scan, scan
from catalog.workflows.facts import fitting, references_of, warnings_of
from catalog.workflows.loaders import Loaders

SCANS_AT_ONCE = 2
MAX_CANDIDATES = 20
MATCHED_AT_ONCE = 500


class ScanHandler:
    """Scans in threads, a few at a time, with the loader table in force."""

    def __init__(self, loaders: Loaders, index: ModelIndex) -> None:
        self._loaders = loaders
        self._index = index
        self._free = asyncio.Semaphore(SCANS_AT_ONCE)

    async def scan_workflow(self, command: ScanWorkflow) -> Reply:
        """Return `{format, complete, references, warnings}`; refused with 413 when the workflow is too large.

        Each reference has `status`, for `present` and `present_elsewhere` also `found_at`, for `ambiguous` also
        `candidates` (at most MAX_CANDIDATES).
        """
        found, references = await self.read(command.data)
        kept, is_cut = fitting(references)
        matched = []
        for number, reference in enumerate(kept):
            matched.append(self._matched(reference))
            if number % MATCHED_AT_ONCE == MATCHED_AT_ONCE - 1:
                await asyncio.sleep(0)  # other work of the event loop goes on
        return Reply(
            ok=True,
            data={
                "format": found.format,
                "complete": found.complete and not is_cut,
                "references": matched,
                "warnings": msgspec.to_builtins(warnings_of(found, is_cut=is_cut)),
            },
        )

    async def read(self, data: bytes) -> tuple[Scan, tuple[TemplateReference, ...]]:
        """Return what the bytes of a workflow name; refused with 413 when they are too many."""
        if len(data) > MAX_WORKFLOW_BYTES:
            text = f"the workflow has {len(data)} bytes; at most {MAX_WORKFLOW_BYTES} are read"
            raise CommandNotAllowedError(text, code="too_large", status=413)
        async with self._free:
            return await asyncio.to_thread(_scan, data, self._loaders.table)

    def _matched(self, reference: TemplateReference) -> dict[str, object]:
        match = self._index.match(reference)
        told: dict[str, object] = {
            "node_type": reference.node_type,
            "input_name": reference.input_name,
            "active": reference.active,
            **msgspec.to_builtins(reference),
            "status": match.status,
        }
        if match.found_at is not None:
            told["found_at"] = match.found_at
        if match.candidates:
            told["candidates"] = list(match.candidates[:MAX_CANDIDATES])
        return told


def _scan(data: bytes, table: LoaderTable) -> tuple[Scan, tuple[TemplateReference, ...]]:
    found = scan(data, table, thorough=True)
    return found, references_of(found, table)
