"""The workflow templates of a pool: which model files each names, and which of them are missing (R-083 to R-086).

A template is compatible exactly when no model of a node that runs is missing and the scan saw everything. The library
says which files came and went; only the references that such a file can be meant by are matched again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from modeldeck_events.matching import Match, ModelIndex, keys_of_reference
from modeldeck_events.store import Record
from modeldeck_events.templates import TemplateGone, TemplateReference, TemplateScanned, TemplateWarning

from gateway.boards import words
from gateway.boards.board import Json, known

PRESENT = "present"


class Files(Protocol):
    """What is asked of the library: the index of the files, and which keys changed since it was last asked."""

    @property
    def index(self) -> ModelIndex:
        """The files that are there."""
        ...

    def take_changed_keys(self) -> set[str] | None:
        """Return the keys (`matching.keys_of_file`) of the files that came, went or changed; None: any may have."""
        ...


class _Saved(msgspec.Struct):
    scanned: dict[str, TemplateScanned] = {}


class Templates:
    """The board of templates. `settle` takes over what changed in the library; `state` is exact after it."""

    VERSION = 1
    FOLDS = (TemplateScanned, TemplateGone)

    def __init__(self, files: Files, *, pool: str) -> None:
        self._files = files
        self._pool = pool
        self._scanned: dict[str, TemplateScanned] = {}
        self._by_key: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        self._matches: dict[str, list[Match]] = {}
        self._unmatched: set[str] = set()
        self._views: dict[str, Json] = {}
        self._touched: set[str] = set()
        self._changed = True  # also what is loaded, or an empty log, has to be shown once

    def apply(self, record: Record) -> bool:
        """Fold one fact of a template."""
        match record.event:
            case TemplateScanned(pool=self._pool) as scanned:
                self._forget(scanned.template_id)
                self._scanned[scanned.template_id] = scanned
                self._index(scanned)
            case TemplateGone(pool=self._pool, template_id=template_id) if template_id in self._scanned:
                self._forget(template_id)
                del self._scanned[template_id]
            case _:
                return False
        self._changed = True
        return True

    def settle(self) -> bool:
        """Match again the references that files which came or went can be meant by; return whether anything is shown
        otherwise than at the last call.
        """
        changed, self._changed = self._changed, False
        keys = self._files.take_changed_keys()
        if keys is None:
            self._unmatched.update(self._scanned)
            self._touched.update(self._scanned)
        match = self._files.index.match
        for template_id in self._unmatched:
            fresh = [match(reference) for reference in self._scanned[template_id].references]
            if fresh != self._matches.get(template_id):
                self._matches[template_id] = fresh
                self._views.pop(template_id, None)
                changed = True
        self._unmatched.clear()
        for key in keys & self._by_key.keys() if keys else ():
            self._touched.update(self._by_key[key])
            for template_id, places in self._by_key[key].items():
                changed |= self._rematch(template_id, places)
        return changed

    def take_touched(self) -> set[str]:
        """Return the templates that came, went or were matched again since the last call; call it after `settle`."""
        touched, self._touched = self._touched, set()
        return touched

    def scanned(self, template_id: str) -> TemplateScanned | None:
        """Return the last fact about a template that is there."""
        return self._scanned.get(template_id)

    def state(self) -> Json:
        """Return the stream's topic: templates by id, in the order of their ids; `skipped` are JSON files that are no
        workflow.
        """
        shown: dict[str, Json] = {}
        skipped: dict[str, Json] = {}
        for template_id in sorted(self._scanned):
            view = self._view(template_id)
            (skipped if self._scanned[template_id].format == "other" else shown)[template_id] = view
        return {
            "templates": shown,
            "total": len(shown),
            "compatible": sum(view["compatible"] for view in shown.values()),
            "skipped": skipped,
        }

    def reset(self) -> None:
        """Forget everything folded."""
        self._scanned.clear()
        self._by_key.clear()
        self._matches.clear()
        self._unmatched.clear()
        self._views.clear()
        self._touched.clear()
        self._changed = True

    def dump(self) -> bytes:
        """Return the last fact of each template."""
        return msgspec.json.encode(_Saved(self._scanned))

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        saved = msgspec.json.decode(data, type=_Saved)
        self.reset()
        self._scanned = saved.scanned
        for scanned in self._scanned.values():
            self._index(scanned)

    def _index(self, scanned: TemplateScanned) -> None:
        for place, reference in enumerate(scanned.references):
            for key in keys_of_reference(reference):
                self._by_key[key].setdefault(scanned.template_id, []).append(place)
        self._unmatched.add(scanned.template_id)

    def _forget(self, template_id: str) -> None:
        old = self._scanned.get(template_id)
        for reference in old.references if old else ():
            for key in keys_of_reference(reference):
                templates_of_key = self._by_key.get(key)
                if templates_of_key is not None:
                    templates_of_key.pop(template_id, None)
                    if not templates_of_key:
                        del self._by_key[key]
        self._matches.pop(template_id, None)
        self._unmatched.discard(template_id)
        self._views.pop(template_id, None)
        self._touched.add(template_id)

    def _rematch(self, template_id: str, places: Iterable[int]) -> bool:
        references, matches = self._scanned[template_id].references, self._matches[template_id]
        changed = False
        for place in places:
            fresh = self._files.index.match(references[place])
            if fresh != matches[place]:
                matches[place], changed = fresh, True
        if changed:
            self._views.pop(template_id, None)
        return changed

    def _view(self, template_id: str) -> Json:
        view = self._views.get(template_id)
        if view is None:
            scanned = self._scanned[template_id]
            if template_id in self._unmatched:  # nobody settled since the fact
                self._matches[template_id] = [self._files.index.match(r) for r in scanned.references]
            view = self._views[template_id] = _render(scanned, self._matches[template_id])
        return view


def matched(reference: TemplateReference, match: Match) -> Json:
    """Return a reference with where its file was found."""
    return known(
        path=reference.path,
        directory=reference.directory,
        filename=reference.filename,
        node_type=reference.node_type,
        input_name=reference.input_name,
        active=reference.active,
        status=match.status,
        form=reference.form if reference.form != "file" else None,
        url=reference.url,
        sha256=reference.sha256,
        found_at=match.found_at,
        candidates=list(match.candidates) or None,
    )


def missing_of(references: Iterable[Json]) -> list[Json]:
    """Return the references that a node which runs needs and ComfyUI would not find."""
    return [reference for reference in references if reference["active"] and reference["status"] != PRESENT]


def _render(scanned: TemplateScanned, matches: list[Match]) -> Json:
    warnings = [_warning(warning) for warning in scanned.warnings]
    if scanned.format == "other":
        text = scanned.warnings[0].message if scanned.warnings else "This JSON file is no workflow."
        return {"id": scanned.template_id, "message": text}
    references = [matched(*pair) for pair in zip(scanned.references, matches, strict=True)]
    missing = missing_of(references)
    root, _, path = scanned.template_id.partition("/")
    return {
        "id": scanned.template_id,
        "name": scanned.name,
        "root": root,
        "path": path or root,
        "compatible": not missing and scanned.complete and scanned.format != "unreadable",
        "missing_models": missing,
        "missing_count": len(missing),
        "references": references,
        "complete": scanned.complete,
        "format": scanned.format,
        "warnings": warnings,
        "modified_at": words.time(scanned.modified_at),
        "size_bytes": scanned.size_bytes,
    }


def _warning(warning: TemplateWarning) -> dict[str, Any]:
    return {"code": warning.code, "message": warning.message}
