"""Who needs a file of this pool, by the rule of `modeldeck_events.needs`. Pure: asks the folds."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from modeldeck_events.downloads import FileSpec
from modeldeck_events.matching import keys_of_file
from modeldeck_events.modelfiles import NeededBy
from modeldeck_events.needs import preset_paths, satisfies, template_paths
from modeldeck_events.presets import PresetDefinition

from catalog.library.provenance import OriginsFold
from catalog.states import ModelFilesFold, PresetsFold
from catalog.workflows.fold import TemplatesFold


class OnDisk(NamedTuple):
    """One path as `needs.satisfies` looks at it."""

    size_bytes: int | None = None
    whole: bool | None = None
    sha256: str | None = None
    fetched_bytes: int | None = None
    sources: Collection[str] = ()


class Needs:
    """Answers who would miss a file."""

    def __init__(
        self, files: ModelFilesFold, presets: PresetsFold, templates: TemplatesFold, origins: OriginsFold
    ) -> None:
        self._files = files
        self._presets = presets
        self._templates = templates
        self._origins = origins
        self._by_path: tuple[tuple[int, int], dict[str, list[str]]] = ((-1, -1), {})

    def of(self, path: str) -> tuple[NeededBy, ...]:
        """Return who needs the file under this path: presets, templates, downloads, each in the order of their ids."""
        return (*self._by_presets(path), *self._by_templates(path), *self._by_downloads(path))

    def is_installed(self, preset: PresetDefinition) -> bool:
        """Tell whether the preset is installed, as it is now or as it was before the catalog changed it, and was not
        given up.
        """
        before = self._origins.installs.files(preset.id)
        return preset.id not in self._origins.given_up.ids and bool(preset_paths(preset, self.has, before=before))

    def has(self, spec: FileSpec) -> bool:
        """Tell whether the file that a preset wants lies under its path."""
        return satisfies(self.on_disk(spec.path), spec)

    def naming(self, path: str) -> list[PresetDefinition]:
        """Return the published presets that name the path."""
        table = self._presets.presets
        version = (table.generation, table.version)
        if self._by_path[0] != version:
            by_path: dict[str, list[str]] = {}
            for preset in table.live():
                for spec in preset.files:
                    by_path.setdefault(spec.path, []).append(preset.id)
            self._by_path = (version, by_path)
        ids = sorted(set(self._by_path[1].get(path, ())))
        found = (table.stands(preset_id).value for preset_id in ids)
        return [preset for preset in found if preset is not None]

    def on_disk(self, path: str) -> OnDisk:
        """Return what is known about a path."""
        file = self._files.get(path)
        if file is None:
            return OnDisk()
        origin = self._origins.origin(path)
        sha256 = file.sha256
        if sha256 is None and origin.fetched is not None and origin.fetched_bytes == file.found.size_bytes:
            sha256 = origin.fetched.sha256
        return OnDisk(file.found.size_bytes, file.found.whole, sha256, origin.fetched_bytes, origin.sources)

    def _by_presets(self, path: str) -> list[NeededBy]:
        return [
            NeededBy(kind="preset", id=preset.id, name=preset.name)
            for preset in self.naming(path)
            if self.is_installed(preset)
        ]

    def _by_templates(self, path: str) -> list[NeededBy]:
        named = {
            template.template_id: template
            for template, reference in self._templates.touched(keys_of_file(path, self._files.sha256(path)))
            if path in template_paths((reference,), self._files.index)
        }
        return [
            NeededBy(kind="template", id=template_id, name=template.name)
            for template_id, template in sorted(named.items())
        ]

    def _by_downloads(self, path: str) -> list[NeededBy]:
        return [
            NeededBy(kind="download", id=download.download_id, name=download.target.name)
            for download in sorted(self._origins.open_downloads(), key=lambda one: one.download_id)
            if path in download.paths()
        ]
