"""The dashboard's built files: where they lie, and how they are served without credentials.

File names below `assets/` carry a hash of their content, so they may be kept for ever. A path that is no file is a page
of the dashboard, which finds its way by itself: it gets `index.html`.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import NamedTuple

from gateway.live import etag

NOT_BUILT = b"<!doctype html><title>Modeldeck</title><p>The dashboard is not built. Run <code>make setup</code>."


class File(NamedTuple):
    """One file with what its answer needs."""

    body: bytes
    content_type: bytes
    etag: bytes
    immutable: bool


def dist_folder() -> Path:
    """Return where the built dashboard lies: beside the package once installed, else in the working tree."""
    packaged = Path(__file__).parent / "web"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "web" / "dist"


class Dashboard:
    """All files of the dashboard, read once: they are few, and no path of a request ever reaches the file system."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, File] = {}
        for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if file.is_file():
                name = file.relative_to(folder).as_posix()
                self._files[f"/{name}"] = _file(name, file.read_bytes())
        self._index = self._files.get("/index.html") or _file("index.html", NOT_BUILT)

    def find(self, path: str) -> File | None:
        """Return the file for a path: itself, the page, or None for an asset that does not exist."""
        found = self._files.get(path)
        if found is not None:
            return found
        return None if path.startswith("/assets/") else self._index


def _file(name: str, body: bytes) -> File:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind.endswith("javascript"):
        kind += "; charset=utf-8"
    return File(body, kind.encode(), etag(body), name.startswith("assets/"))
