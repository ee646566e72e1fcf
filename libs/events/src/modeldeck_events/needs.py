"""Who would miss a model file: the one rule by which files are refused to be deleted and shown as needed. Pure.

A file is needed, under exactly this path, by
* an installed preset that names it. Installed: each of its files that is not optional is there (`satisfies`), or
  each of those with which it was installed before the catalog changed it, and it is not given up (`GivenUp`),
* a template with an active reference that is found at this path (`matching.Match.found_at`), or below it,
* a download under way: its finished files, and while it runs all that it has not given up.

Another name of the same content (a hard link) does not count: who looks under the one path does not see the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Protocol

from modeldeck_events.downloads import DownloadQueued, FileSpec, Phase
from modeldeck_events.matching import ModelIndex
from modeldeck_events.message import Event
from modeldeck_events.modelfiles import ModelFileDeleted, ModelFileFound, ModelFileGone
from modeldeck_events.presets import PresetDefinition, PresetUninstalled
from modeldeck_events.templates import TemplateReference

_OPEN: frozenset[Phase] = frozenset({"queued", "downloading", "retrying", "paused"})
_RUNNING: frozenset[Phase] = frozenset({"downloading", "retrying"})


class FileState(Protocol):
    """What is known about a path: `size_bytes` None when nothing is there, `fetched_bytes` and `sources` (the URLs
    whose file it was found to be) when it was downloaded since it came into being.
    """

    @property
    def size_bytes(self) -> int | None: ...  # noqa: D102 - told above
    @property
    def whole(self) -> bool | None: ...  # noqa: D102
    @property
    def sha256(self) -> str | None: ...  # noqa: D102
    @property
    def fetched_bytes(self) -> int | None: ...  # noqa: D102
    @property
    def sources(self) -> Collection[str]: ...  # noqa: D102


def satisfies(file: FileState, spec: FileSpec) -> bool:
    """Tell whether this is the whole file that `spec` wants.

    A file that came from another source counts only when hash or exact size agree with what `spec` states (api.md,
    warnings). One that was fetched and has another size by now was cut or replaced since.
    """
    if file.size_bytes is None or file.whole is False or file.fetched_bytes not in (None, file.size_bytes):
        return False
    if spec.sha256 and file.sha256:
        return spec.sha256.lower() == file.sha256
    if spec.size_bytes is not None:
        return spec.size_bytes == file.size_bytes
    return not file.sources or spec.url in file.sources


def required(preset: PresetDefinition) -> list[FileSpec]:
    """Return the files without which the preset is not installed: those that are not optional, or all when all are."""
    return _required(preset.files)


def preset_paths(
    preset: PresetDefinition, has: Callable[[FileSpec], bool], *, before: Sequence[FileSpec] = ()
) -> frozenset[str]:
    """Return what the preset needs: every path that it names once it is installed, nothing otherwise.

    It is installed also while what it was installed with `before` (`installs.Installs.files`) is all there: then the
    catalog changed its definition since, and there is an update for it.
    """
    if not has_all(preset.files, has) and not has_all(before, has):
        return frozenset()
    return frozenset(spec.path for spec in preset.files)


def has_all(files: Sequence[FileSpec], has: Callable[[FileSpec], bool]) -> bool:
    """Tell whether all of a preset's files that it cannot do without are there; false for none."""
    wanted = _required(files)
    return bool(wanted) and all(map(has, wanted))


def _required(files: Sequence[FileSpec]) -> list[FileSpec]:
    return [spec for spec in files if not spec.optional] or list(files)


def template_paths(references: Iterable[TemplateReference], index: ModelIndex) -> frozenset[str]:
    """Return the files that a template's active references are found at, whether ComfyUI looks there or not."""
    paths: set[str] = set()
    for reference in references:
        found_at = index.match(reference).found_at if reference.active else None
        if found_at is not None:
            paths.update(index.below(found_at) if reference.form == "folder" else (found_at,))
    return frozenset(paths)


def download_paths(
    files: Iterable[FileSpec], phase: Phase, *, completed: Collection[str], failed: Collection[str]
) -> frozenset[str]:
    """Return the paths that a download in this phase needs; `completed` and `failed` are of this download."""
    if phase not in _OPEN:
        return frozenset()
    return frozenset(
        spec.path for spec in files if spec.path in completed or (phase in _RUNNING and spec.path not in failed)
    )


class GivenUp:
    """The presets of one pool that were uninstalled, until they are queued again or all files deleted then are back.

    What is left of their files, because something else needs it, is not theirs any more. Without this, two presets with
    the same files would hold each other for ever.
    """

    def __init__(self, pool: str, saved: Mapping[str, Mapping[str, bool]] = MappingProxyType({})) -> None:
        self._pool = pool
        self._back = {preset_id: dict(paths) for preset_id, paths in saved.items()}

    @property
    def ids(self) -> AbstractSet[str]:
        """The presets' ids."""
        return self._back.keys()

    def state(self) -> dict[str, dict[str, bool]]:
        """Return, to be saved, by preset which of the paths that were deleted for it are back."""
        return {preset_id: dict(paths) for preset_id, paths in self._back.items()}

    def apply(self, event: Event | None) -> tuple[str, ...]:
        """Take over one fact; return the ids of the presets whose standing changed."""
        match event:
            case PresetUninstalled(pool=self._pool):
                is_new = event.preset_id not in self._back
                self._back[event.preset_id] = dict.fromkeys(event.deleted, False)
                return (event.preset_id,) if is_new else ()
            case DownloadQueued(pool=self._pool) if event.target.preset_id in self._back:
                del self._back[event.target.preset_id]
                return (event.target.preset_id,)
            case ModelFileFound(pool=self._pool):
                return self._is_back(event.path)
            case ModelFileGone(pool=self._pool) | ModelFileDeleted(pool=self._pool):
                for paths in self._back.values():
                    if event.path in paths:
                        paths[event.path] = False
                return ()
            case _:
                return ()

    def _is_back(self, path: str) -> tuple[str, ...]:
        found = [preset_id for preset_id, paths in self._back.items() if path in paths]
        for preset_id in found:
            self._back[preset_id][path] = True
        whole = tuple(preset_id for preset_id in found if all(self._back[preset_id].values()))
        for preset_id in whole:
            del self._back[preset_id]
        return whole
