"""How files can be had: those that a workflow misses, one that was deleted, those of a lock file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from modeldeck_events.downloads import FileSpec
from modeldeck_events.errors import CommandNotAllowedError
from modeldeck_events.matching import Match, Status, keys_of_file
from modeldeck_events.modelfiles import Provenance
from modeldeck_events.templates import TemplateReference

from catalog.library import places
from catalog.library.provenance import Origin, OriginsFold
from catalog.library.sources import GENERIC_NAMES, Source, Sources, Wanted, extension_of
from catalog.stamps import Stamp
from catalog.states import ModelFilesFold
from catalog.workflows.fold import TemplatesFold

MAX_ALTERNATIVES = 5
MAX_CANDIDATES = 50


class Entry(msgspec.Struct, omit_defaults=True):
    """What is to be done for one file. `path` is where it will lie.

    `action` download: from `source` (`alternatives` are the next best); link: the name `from_path` has the content;
    choose: one of `candidates`; none: `code` (stable) and `message` say why nothing can be done.
    """

    path: str
    status: Status
    action: Literal["download", "link", "choose", "none"]
    source: Source | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    from_path: str | None = None
    candidates: tuple[str, ...] = ()
    alternatives: tuple[Source, ...] = ()
    code: str = ""
    message: str = ""


class Planner:
    """Answers from what the folds know; asks nobody and changes nothing."""

    def __init__(self, files: ModelFilesFold, templates: TemplatesFold, origins: OriginsFold, sources: Sources) -> None:
        self._files = files
        self._templates = templates
        self._origins = origins
        self._sources = sources

    def missing(self, references: Iterable[TemplateReference], *, workflow: str = "") -> list[Entry]:
        """Return one entry per destination for the active references whose file is not where ComfyUI looks."""
        wanted: dict[str, tuple[TemplateReference, Match]] = {}
        for reference in references:
            match = self._files.index.match(reference)
            if not reference.active or match.status == "present":
                continue
            path = places.destination(self._places, reference)
            before = wanted.get(path)
            if before is None or (_says(reference) > _says(before[0])):
                wanted[path] = (reference, match)
        return [self._entry(path, *wanted[path], workflow) for path in wanted]

    def restore(self, path: str) -> FileSpec:
        """Return how to have a deleted file again; raises CommandNotAllowedError."""
        if self._files.get(path) is not None:
            raise CommandNotAllowedError(f"{path} is on the disk; there is nothing to restore", code="present")
        if not self._files.files.stands(path).seq and not self._origins.heard_of(path):
            raise CommandNotAllowedError(f"no file {path!a} was ever known", code="unknown_file", status=404)
        back = places.below_models_folder(path)
        if back != path and self._files.get(back) is not None:
            raise CommandNotAllowedError(
                f"{path} would be restored as {back}, and another file lies there", code="present"
            )
        known = self._last_known(path)
        if known is None:
            raise CommandNotAllowedError(
                f"nobody knows where {path} came from, and no preset, repository or workflow names a source for it",
                code="no_source",
            )
        return FileSpec(path=back, url=known.url, size_bytes=known.size_bytes, sha256=known.sha256)

    def hash_of(self, path: str, stamp: Stamp) -> str | None:
        """Return the hash of the file on the disk that has this stamp, as far as it was ever computed."""
        origin = self._origins.origin(path)
        hashed = self._files.hashed.get(path)
        if hashed is not None and (hashed.size_bytes, hashed.mtime_ns, hashed.inode) == stamp:
            return hashed.sha256
        fetched = origin.fetched
        if fetched is not None and (fetched.size_bytes, fetched.mtime_ns) == stamp[:2]:
            return fetched.sha256
        return None

    def provenance(self, path: str, size_bytes: int, sha256: str | None) -> Provenance | None:
        """Return where these bytes can be had again: the path's last download, a source that states the hash, else one
        that states the same path and no other size. Without a known hash only the size can be verified.
        """
        origin = self._origins.origin(path)
        fetched = origin.fetched
        if (
            fetched is not None
            and size_bytes == fetched.size_bytes == origin.fetched_bytes
            and (sha256 is None or fetched.sha256 in (None, sha256))
        ):
            return Provenance(url=fetched.url, size_bytes=size_bytes, sha256=sha256, etag=fetched.etag)
        found = self._find(path, size_bytes, sha256)
        return Provenance(url=found.url, size_bytes=size_bytes, sha256=sha256) if found is not None else None

    def link(self, path: str, from_path: str, instead: Sequence[Source] = ()) -> Entry:
        """Return the entry that says: give the content of `from_path` the name `path`; or fetch it from a source."""
        file = self._files.get(from_path)
        return Entry(
            path,
            "present_elsewhere",
            "link",
            size_bytes=file.found.size_bytes if file is not None else None,
            sha256=file.sha256 if file is not None else None,
            from_path=from_path,
            alternatives=tuple(instead[:MAX_ALTERNATIVES]),
        )

    @property
    def _places(self) -> dict[str, tuple[str, ...]]:
        return self._files.survey.places if self._files.survey is not None else {}

    def _entry(self, path: str, reference: TemplateReference, match: Match, workflow: str) -> Entry:
        wanted = Wanted(path, reference.sha256, stem=reference.form == "stem")
        if match.status == "ambiguous":
            text = f"{len(match.candidates)} different files have this name; choose which one is meant"
            others = tuple(self._sources.of(wanted, reference.url, workflow)[:MAX_ALTERNATIVES])
            candidates = match.candidates[:MAX_CANDIDATES]
            return Entry(path, "ambiguous", "choose", candidates=candidates, alternatives=others, message=text)
        if reference.form == "folder":
            text = f"{path} is a folder of several files; download the repository that has them into it"
            return Entry(path, "missing", "none", code="folder", message=text)
        found = self._sources.of(wanted, reference.url, workflow)
        if match.found_at is not None:
            elsewhere = self._elsewhere(path, match.found_at, reference, found)
            if elsewhere is not None:
                return elsewhere
        if not found:
            return Entry(path, "missing", "none", code="no_source", message=_no_source(path), sha256=reference.sha256)
        return self._download(path + (extension_of(found[0].url) if wanted.stem else ""), found)

    def _elsewhere(self, path: str, found_at: str, reference: TemplateReference, sources: list[Source]) -> Entry | None:
        """Return what to do with a file of the wanted name in another place; None when it is another file."""
        file = self._files.get(found_at)
        if file is None:
            return None
        if not (reference.sha256 and file.sha256 == reference.sha256):
            there = Wanted(found_at, file.sha256, file.found.size_bytes)
            if sources and not there.agrees(sources[0].sha256, sources[0].size_bytes):
                return None
            if found_at.rpartition("/")[2].lower() in GENERIC_NAMES:
                text = f"many models have a file of this name; say whether {found_at} is the one that is meant"
                return Entry(
                    path,
                    "present_elsewhere",
                    "choose",
                    candidates=(found_at,),
                    alternatives=tuple(sources[:MAX_ALTERNATIVES]),
                    message=text,
                )
        return self.link(path + (extension_of(found_at) if reference.form == "stem" else ""), found_at, sources)

    def _download(self, path: str, found: list[Source]) -> Entry:
        best, *others = found
        message = ""
        damaged = self._files.get(path)
        if damaged is not None and damaged.found.whole is False:
            message = f"what lies at {path} is cut off or no model file; delete it first, or force the download"
        return Entry(
            path,
            "missing",
            "download",
            source=best,
            size_bytes=best.size_bytes,
            sha256=best.sha256,
            alternatives=tuple(others[:MAX_ALTERNATIVES]),
            message=message,
        )

    def _last_known(self, path: str) -> Provenance | None:
        origin = self._origins.origin(path)
        deleted, fetched = origin.deleted, origin.fetched
        fetched_seq = fetched.seq if fetched is not None else 0
        if origin.deleted_seq > fetched_seq and deleted is not None:
            return deleted
        size_bytes, sha256 = self._last_bytes(path, origin)
        if (
            fetched is not None
            and fetched_seq > origin.deleted_seq
            and (sha256 is None or fetched.sha256 in (None, sha256))
        ):
            return Provenance(
                url=fetched.url, size_bytes=fetched.size_bytes, sha256=sha256 or fetched.sha256, etag=fetched.etag
            )
        found = self._find(path, size_bytes, sha256)
        if found is None:
            return deleted
        return Provenance(url=found.url, size_bytes=size_bytes or found.size_bytes, sha256=sha256 or found.sha256)

    def _last_bytes(self, path: str, origin: Origin) -> tuple[int | None, str | None]:
        """Return size and hash of what lay under the path last, as far as they were said."""
        hashed = origin.hashed
        if hashed is not None and origin.hashed_seq > (origin.fetched.seq if origin.fetched else 0):
            return hashed.size_bytes, hashed.sha256
        if origin.fetched is not None and origin.fetched.seq > origin.deleted_seq:
            return origin.fetched.size_bytes, origin.fetched.sha256
        gone = self._files.deleted.get(path)
        return (gone.size_bytes if gone is not None else None), None

    def _find(self, path: str, size_bytes: int | None, sha256: str | None) -> Source | None:
        wanted = Wanted(places.below_models_folder(path), sha256, size_bytes)
        found = [*self._sources.of(wanted), *self._stated(wanted)]
        same = (source for source in found if sha256 is not None and source.sha256 == sha256)
        return next(same, found[0] if found else None)

    def _stated(self, wanted: Wanted) -> Iterable[Source]:
        """Yield what workflows state of the file, under this path or with this hash."""
        for template, reference in self._templates.touched(sorted(keys_of_file(wanted.path, wanted.sha256))):
            same_hash = wanted.sha256 is not None and reference.sha256 == wanted.sha256
            if reference.url and (same_hash or reference.path == wanted.path) and wanted.agrees(reference.sha256, None):
                yield from (
                    source
                    for source in self._sources.of(wanted, reference.url, template.name)
                    if source.kind == "workflow" and wanted.agrees(source.sha256, source.size_bytes)
                )


def _says(reference: TemplateReference) -> int:
    return 2 * (reference.url is not None) + (reference.sha256 is not None)


def _no_source(path: str) -> str:
    return (
        f"no source of {path} is known: the workflow states none, no preset has it, and no repository that "
        "was looked at; look up the model's page, or download it by its URL to this path"
    )
