"""One path of a pool's models folder, as the inventory and the downloads tell of it."""

from __future__ import annotations

from datetime import datetime

import msgspec
from modeldeck_events.downloads import DownloadFileCompleted, FileSpec
from modeldeck_events.modelfiles import ModelFileFound
from modeldeck_events.presets import PresetWarning

from gateway.boards import words


class FileOnDisk(msgspec.Struct, kw_only=True):
    """What is known about one path of the pool: found with this size, or not there. `seen_seq` is the inventory's last
    word about it, `fetched_seq` the downloader's.

    `fetched_bytes` and `sha256` are of the last download of the path, `sources` the URLs whose file it was found to be.
    """

    size_bytes: int | None = None
    modified_at: datetime | None = None
    whole: bool | None = None
    seen_seq: int = 0
    fetched_seq: int = 0
    fetched_bytes: int | None = None
    sha256: str | None = None
    sources: set[str] = set()

    def fetched(self, event: DownloadFileCompleted, seq: int) -> None:
        """Note where the content came from, or that another source has the same."""
        if event.action == "present" and event.size_bytes == self.fetched_bytes:
            self.sources.add(event.url)
        else:
            self.sources = {event.url}
        self.fetched_seq, self.fetched_bytes, self.sha256 = seq, event.size_bytes, event.sha256 or self.sha256

    def found(self, event: ModelFileFound, seq: int) -> None:
        """Note what lies there now."""
        self.seen_seq = seq
        self.size_bytes, self.modified_at, self.whole = event.size_bytes, event.modified_at, event.whole

    def gone(self, seq: int) -> None:
        """Note that nothing lies there any more; what comes next may come from anywhere."""
        self.size_bytes = self.modified_at = self.whole = self.fetched_bytes = self.sha256 = None
        self.seen_seq, self.sources = seq, set()

    def satisfies(self, spec: FileSpec) -> bool:
        """Tell whether this is the whole file that `spec` wants.

        A file that came from another source counts only when hash or exact size agree with what `spec` states
        (api.md, warnings). One that was fetched and has another size by now was cut or replaced since.
        """
        if self.size_bytes is None or self.whole is False or self.fetched_bytes not in (None, self.size_bytes):
            return False
        if spec.sha256 and self.sha256:
            return spec.sha256 == self.sha256
        if spec.size_bytes is not None:
            return spec.size_bytes == self.size_bytes
        return not self.sources or spec.url in self.sources

    def why_not(self, spec: FileSpec, *, was_complete: bool) -> PresetWarning | None:
        """Return in words why the file does not satisfy `spec`, None where nothing is odd: it was never there."""
        there = words.size(self.size_bytes or 0)
        if self.size_bytes is None:
            text = f"{spec.path} was removed since it was installed"
            return PresetWarning(code="file_removed", message=text) if was_complete else None
        if self.whole is False:
            return PresetWarning(code="file_damaged", message=f"{spec.path} ({there}) is cut off or no model file")
        if self.fetched_bytes not in (None, self.size_bytes):
            text = f"{spec.path} has {there} and had {words.size(self.fetched_bytes or 0)} when it was fetched"
            return PresetWarning(code="file_changed", message=text)
        text = f"{spec.path} ({there}) is another file than this preset's; an installation by force replaces it"
        return PresetWarning(code="other_file", message=text)
