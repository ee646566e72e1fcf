"""Who needs each model file, by the rule of `modeldeck_events.needs`: installed presets, templates, open downloads.

Nothing is saved: it follows from the other boards. Only those that changed are asked again.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Literal, NamedTuple

from modeldeck_events.downloads import DownloadEvent
from modeldeck_events.needs import download_paths, template_paths

from gateway.boards.board import Json
from gateway.boards.downloads import ENDED, Download, Downloads
from gateway.boards.library import Library
from gateway.boards.presets import Presets
from gateway.boards.templates import Templates

MAX_CHANGED = 1_000
"""More downloads that changed at once are all looked at again."""

Kind = Literal["preset", "template", "download"]
_KINDS: tuple[Kind, ...] = ("preset", "template", "download")


class Holder(NamedTuple):
    """Who needs a file; sorts as the API shows them."""

    kind: int
    id: str


class Needs:
    """By path, who needs it. `settle` takes over what changed in the other boards."""

    def __init__(
        self, downloads: Downloads, library: Library, presets: Presets, templates: Templates, *, pool: str
    ) -> None:
        self._downloads = downloads
        self._library = library
        self._presets = presets
        self._templates = templates
        self._pool = pool
        self._paths: dict[Holder, frozenset[str]] = {}
        self._shown: dict[Holder, Json] = {}
        self._holders: defaultdict[str, set[Holder]] = defaultdict(set)
        self._changed_downloads: set[str] | None = None

    def of(self, path: str) -> list[Json]:
        """Return who needs a path: presets, templates, downloads, each in the order of their ids."""
        holders = self._holders.get(path)
        return [self._shown[holder] for holder in sorted(holders)] if holders else []

    def needed(self, path: str) -> bool:
        """Tell whether somebody needs a path."""
        return path in self._holders

    def note(self, event: DownloadEvent) -> None:
        """Note that a download changed."""
        if self._changed_downloads is not None:
            self._changed_downloads.add(event.download_id)
            if len(self._changed_downloads) > MAX_CHANGED:
                self._changed_downloads = None

    def settle(self) -> set[str]:
        """Take over what changed; return the paths that others need now. The templates have been settled before."""
        touched: set[str] = set()
        for preset_id in self._presets.take_touched():
            preset = self._presets.definition(preset_id)
            name = preset.name if preset else ""
            self._put(Holder(0, preset_id), name, self._presets.needed_paths(preset_id), touched)
        for template_id in self._templates.take_touched():
            template = self._templates.scanned(template_id)
            paths = template_paths(template.references, self._library.index) if template else frozenset()
            self._put(Holder(1, template_id), template.name if template else "", paths, touched)
        for download_id in self._take_downloads():
            download = self._downloads.by_id.get(download_id)
            name = download.target.name if download else ""
            self._put(Holder(2, download_id), name, self._of_download(download), touched)
        return touched

    def reset(self) -> None:
        """Ask everybody anew."""
        self._paths.clear()
        self._shown.clear()
        self._holders.clear()
        self._changed_downloads = None

    def _take_downloads(self) -> set[str]:
        changed, self._changed_downloads = self._changed_downloads, set()
        if changed is not None:
            return changed
        held = {holder.id for holder in self._paths if _KINDS[holder.kind] == "download"}
        return held | {download.download_id for download in self._downloads.open()}

    def _of_download(self, download: Download | None) -> frozenset[str]:
        if download is None or download.pool != self._pool or download.phase in ENDED:
            return frozenset()
        return download_paths(download.files, download.phase, completed=download.done, failed=download.failed)

    def _put(self, holder: Holder, name: str, paths: frozenset[str], touched: set[str]) -> None:
        before = self._paths.get(holder, frozenset())
        shown = {"kind": _KINDS[holder.kind], "id": holder.id, "name": name}
        renamed = bool(before) and self._shown[holder] != shown
        for path in before - paths:
            self._holders[path].discard(holder)
            if not self._holders[path]:
                del self._holders[path]
        for path in paths - before:
            self._holders[path].add(holder)
        touched |= before | paths if renamed else before ^ paths
        if paths:
            self._paths[holder], self._shown[holder] = paths, shown
        else:
            self._paths.pop(holder, None)
            self._shown.pop(holder, None)
