"""Writing the lock of a template from what is known of its files, and telling what a lock still lacks here. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import unquote, urlsplit

from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.templates import TemplateReference

from catalog.library import locks, places
from catalog.library.locks import Lock, LockedFile, LockedWorkflow
from catalog.library.planning import Entry, Planner
from catalog.library.sources import Source, Sources, Wanted
from catalog.states import LiveFile, ModelFilesFold

_HUB_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<filename>.+)")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class FilesMissingError(CommandNotAllowedError):
    """The template needs files that are not there (409)."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        text = f"{len(paths)} files that it needs are missing, so there is nothing to lock yet: {_some(paths)}"
        super().__init__(text, code="files_missing")
        self.paths = paths


class HashPendingError(CommandNotAllowedError):
    """The hashes of these files are not known yet (503); they are to be computed first."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        text = f"{len(paths)} files are still being hashed: {_some(paths)}; try again in a while"
        super().__init__(text, code="hash_pending", status=503)
        self.paths = paths


class Locking:
    """Locks of what workflows need of one pool."""

    def __init__(self, files: ModelFilesFold, planner: Planner, sources: Sources) -> None:
        self._files = files
        self._planner = planner
        self._sources = sources

    def lock(self, workflow: LockedWorkflow, references: Iterable[TemplateReference], *, now: datetime) -> Lock:
        """Return the lock of a workflow that names these files; raises FilesMissingError, HashPendingError."""
        files = self._needed(references)
        pending = tuple(path for path, file in files.items() if file.sha256 is None)
        if pending:
            raise HashPendingError(pending)
        locked: dict[str, LockedFile] = {}
        for path, file in files.items():
            one = self._locked(path, file)
            locked.setdefault(one.path, one)
        return locks.make(workflow, locked.values(), now=now)

    def lacking(self, lock: Lock) -> list[Entry]:
        """Return one entry per file of the lock that is not there with exactly these bytes.

        Raises HashPendingError when a file may have them, but is not hashed yet.
        """
        pending: list[str] = []
        entries: list[Entry] = []
        for file in lock.files:
            there = self._there(file)
            if there is None:
                entries.append(self._lacking(file, lock.workflow.name or lock.workflow.id))
            elif there.sha256 is None and there.found.size_bytes == file.size_bytes:
                pending.append(there.path)
            elif there.sha256 != file.sha256:
                entries.append(_conflict(file, there))
        if pending:
            raise HashPendingError(tuple(pending))
        return entries

    def _needed(self, references: Iterable[TemplateReference]) -> dict[str, LiveFile]:
        index = self._files.index
        found: dict[str, LiveFile] = {}
        missing: dict[str, None] = {}
        for reference in references:
            match = index.match(reference)
            if not reference.active:
                continue
            if match.status != "present" or match.found_at is None:
                missing[reference.path] = None
                continue
            for path in sorted(index.below(match.found_at)) if reference.form == "folder" else (match.found_at,):
                file = self._files.get(path)
                if file is None:
                    missing[path] = None
                else:
                    found[path] = file
        if missing:
            raise FilesMissingError(tuple(missing))
        return found

    def _locked(self, path: str, file: LiveFile) -> LockedFile:
        sha256 = file.sha256 or ""
        known = self._planner.provenance(path, file.found.size_bytes, sha256)
        url, etag = (known.url, known.etag) if known is not None else (None, None)
        pinned = self._pinned(url, Wanted(path, sha256, file.found.size_bytes))
        repo, revision = (pinned.repo, pinned.revision) if pinned is not None else hub_commit(url)
        return LockedFile(
            path=places.below_models_folder(path),
            size_bytes=file.found.size_bytes,
            sha256=sha256,
            url=pinned.url if pinned is not None else url,
            repo=repo,
            revision=revision,
            etag=etag,
        )

    def _pinned(self, url: str | None, wanted: Wanted) -> Source | None:
        """Return the same repository's file at the commit of which the hub said this hash."""
        of_url = _HUB_FILE.fullmatch(unquote(urlsplit(url).path)) if url is not None else None
        for source in self._sources.repositories(wanted):
            same = of_url is not None and source.repo == of_url["repo"]
            if source.sha256 == wanted.sha256 and source.revision and (url is None or same):
                return source
        return None

    def _there(self, file: LockedFile) -> LiveFile | None:
        """Return what ComfyUI would load as the locked file; None when the file, put at its path, would come first."""
        survey = self._files.survey
        for path in places.locked_places(survey.places if survey is not None else {}, file.path):
            there = self._files.get(path)
            if there is not None or path == file.path:
                return there
        return None

    def _lacking(self, file: LockedFile, workflow: str) -> Entry:
        same = self._files.index.with_sha256(file.sha256)
        if same:
            return self._planner.link(file.path, min(same))
        wanted = Wanted(file.path, file.sha256, file.size_bytes)
        stated = Source("workflow", workflow, file.url, repo=file.repo, revision=file.revision) if file.url else None
        others = (one for one in self._sources.of(wanted) if one.sha256 == file.sha256 and one.url != file.url)
        found = [*([stated] if stated is not None else []), *others]
        if not found:
            text = f"the lock file names no source of {file.path}, and none with this hash is known here"
            return Entry(
                file.path,
                "missing",
                "none",
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                code="no_source",
                message=text,
            )
        return Entry(
            file.path,
            "missing",
            "download",
            source=_exactly(found[0], file),
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            alternatives=tuple(_exactly(one, file) for one in found[1:6]),
        )


def hub_commit(url: str | None) -> tuple[str | None, str | None]:
    """Return the repository and the commit that a URL of a hub's file is pinned to; None, None when it is not."""
    match = _HUB_FILE.fullmatch(unquote(urlsplit(url).path)) if url is not None else None
    return (match["repo"], match["revision"]) if match and _COMMIT.fullmatch(match["revision"]) else (None, None)


def _exactly(source: Source, file: LockedFile) -> Source:
    return Source(
        source.kind, source.name, source.url, file.size_bytes, file.sha256, repo=source.repo, revision=source.revision
    )


def _conflict(file: LockedFile, there: LiveFile) -> Entry:
    text = (
        f"another file lies at {there.path} ({there.found.size_bytes} bytes, the lock wants {file.size_bytes} with "
        f"SHA-256 {file.sha256}); delete or rename it first"
    )
    return Entry(
        file.path, "missing", "none", size_bytes=file.size_bytes, sha256=file.sha256, code="conflict", message=text
    )


def _some(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
