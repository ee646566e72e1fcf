"""Whether a file of a hub's repository is here, is coming, or can be had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from modeldeck_events.downloads import FileSpec
from modeldeck_events.repositories import Variant

from gateway.boards.board import Json, known
from gateway.boards.downloads import Download, Downloads
from gateway.boards.hub_links import HubFile, file_of_url
from gateway.boards.library import Library


class Coming(NamedTuple):
    """A file that a download has still to bring."""

    spec: FileSpec
    download: Download


class UnderWay(NamedTuple):
    """The files that downloads are fetching: by path, and by what they are on the hub."""

    by_path: dict[str, Coming]
    by_file: dict[HubFile, Coming]


class Variants:
    """Looks variants up among the files and the downloads of one pool."""

    def __init__(self, downloads: Downloads, library: Library, *, pool: str) -> None:
        self._downloads = downloads
        self._library = library
        self._pool = pool

    def under_way(self, files_of_urls: Mapping[str, HubFile]) -> UnderWay:
        """Return what is being fetched; `files_of_urls` knows the links that do not name their repository."""
        found = UnderWay({}, {})
        for download in self._downloads.open():
            for spec in download.files if download.pool == self._pool else ():
                if spec.path not in download.done:
                    coming = found.by_path[spec.path] = Coming(spec, download)
                    file = files_of_urls.get(spec.url) or file_of_url(spec.url)
                    if file is not None:
                        found.by_file[file] = coming
        return found

    def standing(self, repo: str, variant: Variant, under_way: UnderWay, here: Mapping[str, str]) -> Json:
        """Return `status` (downloaded, downloading, available) with the `path` at which it is, or how its download
        goes. `here` are the paths of the files that were fetched from the repository, by their names there. `outdated`:
        the hub has other bytes under this name by now.
        """
        found = [self._where(variant, part, here) for part in parts(variant)]
        if all(found):
            file = self._library.files[found[0] or ""]
            other = bool(variant.sha256 and file.sha256 and variant.sha256 != file.sha256)
            return known(status="downloaded", path=found[0], outdated=other or None)
        for part in parts(variant):
            coming = under_way.by_file.get(HubFile(repo, part)) or under_way.by_path.get(_place(variant, part))
            if coming is not None:
                return self.progress(coming.download) | {"path": coming.spec.path}
        return {"status": "available"}

    def progress(self, download: Download) -> Json:
        """Return how far a download is; of one with several files that says nothing about a single one of them."""
        progress = self._downloads.shown(download).progress if len(download.files) == 1 else None
        return known(status="downloading", progress=progress, download_id=download.download_id)

    def _where(self, variant: Variant, part: str, here: Mapping[str, str]) -> str | None:
        """Return the path of the whole file that is this part: fetched from there, of its content, or at its place."""
        single = not variant.parts
        same = sorted(self._library.index.with_sha256(variant.sha256)) if variant.sha256 and single else []
        for path in (here.get(part), *same):
            if path is not None and self._is_whole(path):
                return path
        place = _place(variant, part)
        file = self._library.files.get(place)
        if file is None or not self._is_whole(place):
            return None
        if single and ((variant.sha256 and file.sha256) or variant.size_bytes not in (None, file.size_bytes)):
            return None  # another file lies there: with both hashes known it would have been found by its content
        return place

    def _is_whole(self, path: str) -> bool:
        file = self._library.files.get(path)
        return file is not None and file.whole is not False


def parts(variant: Variant) -> tuple[str, ...]:
    """Return the names of the variant's files in its repository."""
    return variant.parts or (variant.filename,)


def _place(variant: Variant, part: str) -> str:
    """Return where a part of the variant belongs: beside its first one."""
    first = parts(variant)[0]
    if part == first or not variant.path:
        return variant.path
    if variant.path.endswith(first):
        return variant.path.removesuffix(first) + part
    return f"{variant.path.rpartition('/')[0]}/{part.rpartition('/')[2]}"
