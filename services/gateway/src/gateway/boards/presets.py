"""The presets: definitions from the catalog, installed state from the model files' facts, progress from the downloads.

A preset is installed when every file it needs is there, whole, and from the preset's own source or equal to it, and
nobody uninstalled it since. Files marked optional are not needed. It stays installed when the catalog changes it: then
what it was installed with counts, and there is an update for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from modeldeck_events.downloads import DownloadEvent, DownloadFileCompleted, FileSpec
from modeldeck_events.installs import InstallsState
from modeldeck_events.modelfiles import ModelFileDeleted, ModelFileFound, ModelFileGone, ModelFileHashed
from modeldeck_events.needs import GivenUp, preset_paths, required
from modeldeck_events.presets import (
    CatalogRefreshed,
    Category,
    PresetDefinition,
    PresetPublished,
    PresetUninstalled,
    PresetWarning,
    PresetWithdrawn,
)
from modeldeck_events.store import Record

from gateway.boards import words
from gateway.boards.board import Json, known
from gateway.boards.downloads import Download, Downloads
from gateway.boards.library import Library
from gateway.boards.updates import Updates

_UNDER_WAY = frozenset({"queued", "downloading", "verifying", "retrying", "paused"})
_QUIET = _UNDER_WAY | {"installed"}
"""Where a file that is not there yet, or not yet the new one, is no oddity."""
_OF_FILES = (ModelFileFound, ModelFileGone, ModelFileDeleted, ModelFileHashed)
_OfFile = ModelFileFound | ModelFileGone | ModelFileDeleted | ModelFileHashed
_EXPLAINED = frozenset({"failed", "retrying", "paused"})


class _Saved(msgspec.Struct):
    definitions: dict[str, PresetDefinition] = {}
    withdrawn: dict[str, str] = {}
    categories: tuple[Category, ...] = ()
    version: str = ""
    catalog_warnings: tuple[PresetWarning, ...] = ()
    given_up: dict[str, dict[str, bool]] = {}
    installs: InstallsState = msgspec.field(default_factory=InstallsState)


class Presets:
    """The board of presets, as seen from one storage pool."""

    VERSION = 6
    FOLDS = (
        DownloadEvent,
        *_OF_FILES,
        PresetPublished,
        PresetWithdrawn,
        PresetUninstalled,
        CatalogRefreshed,
    )

    def __init__(self, downloads: Downloads, library: Library, *, pool: str) -> None:
        self._downloads = downloads
        self._library = library
        self._pool = pool
        self._saved = _Saved()
        self._users: dict[str, set[str]] = defaultdict(set)
        self._views: dict[str, Json] = {}
        self._given_up = GivenUp(pool)
        self._updates = Updates(library, self._definitions_naming, pool=pool)
        self._touched: set[str] = set()
        self._named_paths: set[str] = set()

    def apply(self, record: Record) -> bool:
        """Fold one fact of a preset, the catalog, a model file or a download (their boards have seen it already)."""
        event = record.event
        if isinstance(event, _OF_FILES):
            return event.pool == self._pool and self._file_changed(event)
        self._forget_views((*self._given_up.apply(event), *filter(None, (self._updates.installs.apply(event),))))
        if isinstance(event, DownloadEvent):
            return self._download_changed(event)
        match event:
            case PresetPublished(preset=preset):
                self._define(preset)
            case PresetWithdrawn(preset_id=preset_id):
                self._undefine(preset_id)
            case PresetUninstalled(pool=pool):
                return pool == self._pool
            case CatalogRefreshed():
                self._saved.categories, self._saved.version = event.categories, event.version
                self._saved.catalog_warnings = event.warnings
            case _:
                return False
        return True

    def touch(self, download_id: str) -> bool:
        """Note that the download's progress changed; return whether a preset shows it."""
        download = self._downloads.by_id.get(download_id)
        preset_id = download.target.preset_id if download else None
        return preset_id is not None and self._views.pop(preset_id, None) is not None

    def definition(self, preset_id: str) -> PresetDefinition | None:
        """Return the preset's definition as the catalog has it now."""
        return self._saved.definitions.get(preset_id)

    def needed_paths(self, preset_id: str) -> frozenset[str]:
        """Return the files that the preset needs because it is installed (`modeldeck_events.needs`)."""
        preset = self._saved.definitions.get(preset_id)
        if preset is None or preset_id in self._given_up.ids:
            return frozenset()
        return preset_paths(preset, self._has, before=self._updates.installs.files(preset_id))

    def is_given_up(self, preset_id: str) -> bool:
        """Tell whether the preset was uninstalled and not queued again since, whatever of its files is there."""
        return preset_id in self._given_up.ids

    def to_install(self, preset_id: str) -> tuple[FileSpec, ...]:
        """Return the preset's files for the downloader, () when there is no such preset: its own older ones may be
        replaced (`Updates`).
        """
        preset = self._saved.definitions.get(preset_id)
        return self._updates.to_install(preset) if preset else ()

    def naming(self, path: str) -> Iterator[FileSpec]:
        """Yield what the catalog's presets say of a path."""
        for preset in self._definitions_naming(path):
            yield from (spec for spec in preset.files if spec.path == path)

    def take_touched(self) -> set[str]:
        """Return the presets that came, went, or whose files or standing may have changed since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def take_named_paths(self) -> set[str]:
        """Return the paths of which presets that came, went or changed say something, since the last call."""
        paths, self._named_paths = self._named_paths, set()
        return paths

    def state(self) -> Json:
        """Return the stream's topic: presets by id (installed ones first, newest first), and the categories by name."""
        views = {preset_id: self._view(preset_id) for preset_id in self._saved.definitions}
        ordered = sorted(views.values(), key=lambda view: view.get("modified_at") or "", reverse=True)
        return {
            "presets": {view["id"]: view for view in sorted(ordered, key=lambda view: not view["installed"])},
            "categories": self._categories(views.values()),
            "version": self._saved.version,
            "total": len(views),
            "warnings": [_warning(w) for w in self._saved.catalog_warnings],
        }

    def reset(self) -> None:
        """Forget everything folded."""
        self._saved = _Saved()
        self._users.clear()
        self._views.clear()
        self._given_up = GivenUp(self._pool)
        self._updates.reset()
        self._touched.clear()
        self._named_paths.clear()

    def dump(self) -> bytes:
        """Return definitions, categories, which presets were given up, and with what they were installed."""
        self._saved.installs = self._updates.installs.saved
        self._saved.given_up = self._given_up.state()
        return msgspec.json.encode(self._saved)

    def load(self, data: bytes) -> None:
        """Take over what `dump` wrote."""
        saved = msgspec.json.decode(data, type=_Saved)
        self.reset()
        self._saved = saved
        self._given_up = GivenUp(self._pool, saved.given_up)
        self._updates.installs.load(saved.installs)
        self._touched.update(saved.definitions)
        for definition in saved.definitions.values():
            self._index(definition)

    def _definitions_naming(self, path: str) -> Iterator[PresetDefinition]:
        if path in self._users:
            yield from (self._saved.definitions[preset_id] for preset_id in sorted(self._users[path]))

    def _define(self, preset: PresetDefinition) -> None:
        self._undefine(preset.id)
        self._saved.definitions[preset.id] = preset
        self._index(preset)

    def _undefine(self, preset_id: str) -> None:
        old = self._saved.definitions.pop(preset_id, None)
        self._forget_views((preset_id,))
        for spec in old.files if old else ():
            self._users[spec.path].discard(preset_id)
            self._named_paths.add(spec.path)

    def _index(self, preset: PresetDefinition) -> None:
        for spec in preset.files:
            self._users[spec.path].add(preset.id)
            self._named_paths.add(spec.path)

    def _download_changed(self, event: DownloadEvent) -> bool:
        download = self._downloads.by_id.get(event.download_id)
        if download is None or download.pool != self._pool:
            return False
        if isinstance(event, DownloadFileCompleted):
            self._forget_views(self._users.get(event.path, ()))
        self._forget_views(filter(None, (download.target.preset_id,)))
        return True

    def _file_changed(self, event: _OfFile) -> bool:
        users = (*self._users.get(event.path, ()), *self._given_up.apply(event))
        self._forget_views(users)
        return bool(users)

    def _forget_views(self, preset_ids: Iterable[str]) -> None:
        for preset_id in preset_ids:
            self._views.pop(preset_id, None)
            self._touched.add(preset_id)
            for other in self._updates.unsettled:
                self._views.pop(other, None)

    def _view(self, preset_id: str) -> Json:
        view = self._views.get(preset_id)
        if view is None:
            view = self._views[preset_id] = self._render(self._saved.definitions[preset_id])
        return view

    def _render(self, preset: PresetDefinition) -> Json:
        download = self._downloads.latest(self._pool, f"preset:{preset.id}")
        missing = [f for f in required(preset) if not self._has(f)]
        installed = bool(self.needed_paths(preset.id))
        changed = self._updates.changed_files(preset) if installed else []
        status = self._status(preset.id, missing, download, installed=installed, update=bool(changed))
        progress = 100.0 if status == "installed" else 0.0
        if download is not None and status in _UNDER_WAY:
            progress = self._downloads.shown(download).progress or 0.0
        there = [self._library.files[f.path] for f in preset.files if self._has(f)] if installed else []
        modified = max((file.modified_at for file in there if file.modified_at), default=None)
        size_bytes = preset.size_bytes
        return known(
            id=preset.id,
            name=preset.name,
            description=preset.description,
            download_size=preset.download_size or (words.size(size_bytes) if size_bytes is not None else None),
            size=words.size(size_bytes) if size_bytes is not None else preset.download_size or None,
            size_bytes=size_bytes,
            category=preset.category,
            type=preset.type,
            installed=installed,
            status=status,
            progress=progress,
            tags=list(preset.tags),
            use_case=preset.use_case or None,
            version=preset.version,
            license=preset.license,
            created_at=words.time(preset.created_at) if preset.created_at else None,
            updated_at=words.time(preset.updated_at) if preset.updated_at else None,
            requirements=preset.requirements or None,
            source=preset.source,
            update_available=bool(changed),
            installed_version=self._updates.installs.version(preset.id) if changed else None,
            changed_files=changed or None,
            modified_at=words.time(modified) if modified else None,
            download_id=download.download_id if download else None,
            error=download.error if download and status in _EXPLAINED else None,
            error_code=download.error_code if download and status in _EXPLAINED else None,
            warnings=[_warning(w) for w in (*preset.warnings, *self._disk_warnings(missing, download, status))],
            files=[self._file(f) for f in preset.files],
        )

    def _status(
        self, preset_id: str, missing: list[FileSpec], download: Download | None, *, installed: bool, update: bool
    ) -> str:
        status = self._downloads.status(download) if download else "available"
        if status in _UNDER_WAY or (update and status == "failed"):
            return status
        if installed:
            return "installed"
        if preset_id in self._given_up.ids:
            return "available"
        # Between the end of the download and the inventory's next look the files are there but not found yet.
        return "available" if status == "completed" and any(map(self._seen_since, missing)) else status

    def _seen_since(self, spec: FileSpec) -> bool:
        """Tell whether the inventory looked at the file after it was fetched."""
        file = self._library.get(spec.path)
        return file is not None and file.seen_seq > file.fetched_seq

    def _disk_warnings(
        self, missing: list[FileSpec], download: Download | None, status: str
    ) -> Iterator[PresetWarning]:
        """Yield what is odd about files on the disk that are not the preset's."""
        was_complete = download is not None and download.phase == "completed"
        for spec in missing if status not in _QUIET else ():
            file = self._library.get(spec.path)
            found = file.why_not(spec, was_complete=was_complete) if file and self._seen_since(spec) else None
            if found is not None:
                yield found

    def _has(self, spec: FileSpec) -> bool:
        file = self._library.get(spec.path)
        return file is not None and file.satisfies(spec)

    def _file(self, spec: FileSpec) -> Json:
        return known(
            path=spec.path,
            url=spec.url,
            kind=spec.kind or None,
            size_bytes=spec.size_bytes if spec.size_bytes is not None else spec.approx_size_bytes,
            sha256=spec.sha256,
            optional=spec.optional or None,
            installed=self._has(spec),
        )

    def _categories(self, views: Iterable[Json]) -> dict[str, Json]:
        found: dict[str, Json] = {
            c.name: known(name=c.name, description=c.description or None, type=c.type or None, count=0, installed=0)
            for c in self._saved.categories
        }
        for view in views:
            entry: dict[str, Any] = found.setdefault(
                view["category"], {"name": view["category"], "count": 0, "installed": 0}
            )
            entry["count"] += 1
            entry["installed"] += int(view["installed"])
        return found


def _warning(warning: PresetWarning) -> Json:
    return {"code": warning.code, "message": warning.message}
