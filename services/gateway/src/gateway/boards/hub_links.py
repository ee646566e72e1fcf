"""What a file's URL says of the hub's repository that it is from. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

_FILE = re.compile(
    r"https?://(?P<host>[^/?#]+)/(?P<repo>[^/?#]+/[^/?#]+)/(?:resolve|blob|raw)/[^/?#]+/(?P<file>[^?#]+)"
)
_HUGGING_FACE = frozenset({"huggingface.co", "hf.co"})


class HubFile(NamedTuple):
    """A file of a repository by its name there."""

    repo: str
    filename: str


def file_of_url(url: str) -> HubFile | None:
    """Return which file of which repository a link of Hugging Face's form names, on any host (mirrors); else None."""
    found = _FILE.match(url)
    return HubFile(unquote(found["repo"]), unquote(found["file"])) if found else None


def page_of(url: str) -> str | None:
    """Return the page of the repository that a file's link is from, None when it is not on Hugging Face itself."""
    found = _FILE.match(url)
    if found is None or found["host"].lower() not in _HUGGING_FACE:
        return None
    return f"https://huggingface.co/{found['repo']}"
