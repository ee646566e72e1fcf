"""With which files each preset of a pool was last completely installed, whatever its definition says by now. Pure.

A catalog may change a preset that is installed: its older files still are what the person has, until an update brings
the new ones. A preset that was uninstalled, or installed without a download of its own, has no such past.
"""

from __future__ import annotations

import msgspec

from modeldeck_events.downloads import DownloadCompleted, DownloadEvent, DownloadFileCompleted, DownloadQueued, FileSpec
from modeldeck_events.message import Event
from modeldeck_events.presets import PresetPublished, PresetUninstalled, PresetWithdrawn


class Install(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the preset's own downloads did: `files` and `version` are those of the last completed one, `urls` is where
    the file at a path came from (or was found to be the same as). `queued...` are of the last download.
    """

    download_id: str
    queued_files: tuple[FileSpec, ...]
    queued_version: str | None = None
    files: tuple[FileSpec, ...] = ()
    version: str | None = None
    urls: dict[str, str] = {}


class InstallsState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that is folded, to be saved; `versions` are those of the definitions as published last."""

    installs: dict[str, Install] = {}
    versions: dict[str, str] = {}


class Installs:
    """The installs of one pool. `saved` may be stored, and put into another one with `load`."""

    def __init__(self, pool: str) -> None:
        self.saved = InstallsState()
        self._pool = pool
        self._preset_of: dict[str, str] = {}

    def load(self, saved: InstallsState) -> None:
        """Take over what was saved."""
        self.saved = saved
        self._preset_of = {install.download_id: preset_id for preset_id, install in saved.installs.items()}

    def files(self, preset_id: str) -> tuple[FileSpec, ...]:
        """Return what the preset was last completely installed with, () when it never was."""
        install = self.saved.installs.get(preset_id)
        return install.files if install is not None else ()

    def version(self, preset_id: str) -> str | None:
        """Return the version that it had then, as far as the catalog stated one."""
        install = self.saved.installs.get(preset_id)
        return install.version if install is not None else None

    def url_at(self, preset_id: str, path: str) -> str | None:
        """Return from where the preset itself last brought the file at a path."""
        install = self.saved.installs.get(preset_id)
        return install.urls.get(path) if install is not None else None

    def apply(self, event: Event | None) -> str | None:
        """Take over one fact; return the id of the preset of which something else is known now."""
        match event:
            case PresetPublished(preset=preset):
                self._publish(preset.id, preset.version)
            case PresetWithdrawn(preset_id=preset_id):
                self._publish(preset_id, None)
            case PresetUninstalled(pool=self._pool, preset_id=preset_id):
                install = self.saved.installs.pop(preset_id, None)
                if install is not None:
                    self._preset_of.pop(install.download_id, None)
                    return preset_id
            case DownloadQueued(pool=self._pool) if event.target.preset_id:
                self._queue(event.target.preset_id, event)
            case DownloadEvent(download_id=download_id) if download_id in self._preset_of:
                return self._go_on(self._preset_of[download_id], event)
        return None

    def _publish(self, preset_id: str, version: str | None) -> None:
        self.saved.versions.pop(preset_id, None)
        if version:
            self.saved.versions[preset_id] = version

    def _queue(self, preset_id: str, event: DownloadQueued) -> None:
        install = self.saved.installs.get(preset_id)
        if install is None:
            install = self.saved.installs[preset_id] = Install(download_id="", queued_files=())
        self._preset_of.pop(install.download_id, None)
        self._preset_of[event.download_id] = preset_id
        install.download_id, install.queued_files = event.download_id, event.files
        install.queued_version = self.saved.versions.get(preset_id)

    def _go_on(self, preset_id: str, event: DownloadEvent) -> str | None:
        install = self.saved.installs[preset_id]
        match event:
            case DownloadFileCompleted(path=path, url=url):
                install.urls[path] = url
            case DownloadCompleted():
                install.files, install.version = install.queued_files, install.queued_version
                paths = {spec.path for spec in install.files}
                install.urls = {path: url for path, url in install.urls.items() if path in paths}
            case _:
                return None
        return preset_id
