"""What the catalog changed of presets that are installed, and which older files an update may replace. Pure.

A preset has an update when it still is what it was installed with, and a file that it needs by its present definition
is not there, or is there as this preset itself brought it from an older URL. Files that are the right ones by hash or
source are no change, whatever else the definition says of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from modeldeck_events.downloads import FileSpec
from modeldeck_events.installs import Installs
from modeldeck_events.needs import has_all, required
from modeldeck_events.presets import PresetDefinition

from gateway.boards.board import Json
from gateway.boards.library import Library


class Updates:
    """The updates of one pool's presets; `naming` returns the presets that name a path.

    `unsettled` are presets with an older file of their own: whether it may go depends on what other presets have.
    """

    def __init__(self, library: Library, naming: Callable[[str], Iterable[PresetDefinition]], *, pool: str) -> None:
        self.installs = Installs(pool)
        self.unsettled: set[str] = set()
        self._library = library
        self._naming = naming
        self._pool = pool

    def reset(self) -> None:
        """Forget everything."""
        self.installs = Installs(self._pool)
        self.unsettled.clear()

    def changed_files(self, preset: PresetDefinition) -> list[Json]:
        """Return what an update would change, nothing when it would bring nothing that the preset needs."""
        before = {spec.path: spec for spec in self.installs.files(preset.id)}
        if not has_all(tuple(before.values()), self._has):
            return []
        changed = [
            spec
            for spec in preset.files
            if _facts_of(before.get(spec.path)) != _facts_of(spec)
            and (self._may_replace(preset.id, spec) or not self._has(spec))
        ]
        needed = required(preset)
        if not any(spec in needed for spec in changed):
            return []
        now = {spec.path for spec in preset.files}
        found = [{"path": spec.path, "change": "changed" if spec.path in before else "new"} for spec in changed]
        return found + [{"path": path, "change": "removed"} for path in before if path not in now]

    def to_install(self, preset: PresetDefinition) -> tuple[FileSpec, ...]:
        """Return the preset's files, those that replace older ones of its own marked so."""
        return tuple(
            msgspec.structs.replace(spec, replaces_url=self.installs.url_at(preset.id, spec.path))
            if self._may_replace(preset.id, spec)
            else spec
            for spec in preset.files
        )

    def _may_replace(self, preset_id: str, spec: FileSpec) -> bool:
        """Tell whether what lies there was brought by this preset from an older URL, and no other one needs it."""
        url, file = self.installs.url_at(preset_id, spec.path), self._library.get(spec.path)
        if url is None or file is None or file.size_bytes is None or url not in file.sources:
            return False
        if spec.url in file.sources or (spec.sha256 is not None and spec.sha256.lower() == file.sha256):
            return False
        self.unsettled.add(preset_id)
        return not any(
            has_all(other.files, self._has) and any(f.path == spec.path and f.url != spec.url for f in other.files)
            for other in self._naming(spec.path)
            if other.id != preset_id
        )

    def _has(self, spec: FileSpec) -> bool:
        file = self._library.get(spec.path)
        return file is not None and file.satisfies(spec)


def _facts_of(spec: FileSpec | None) -> tuple[str | int | None, ...]:
    """Return by what two definitions of a file differ."""
    return (spec.url, spec.sha256.lower() if spec.sha256 else None, spec.size_bytes) if spec else ()
