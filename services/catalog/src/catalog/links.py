"""Download addresses as catalogs write them: what is accepted, and page links read as the file they show."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

MAX_URL_CHARS = 4096
_UNSAFE = re.compile(r"[\x00-\x20\x7f\u0085\u00a0\u2028\u2029\\<>\"]")
_PAGE = re.compile(r"(/(?:[^/]+/){1,3}?(?:-/)?)blob/([^/]+/.+)")
_RAW_HOSTS = ("github.com", "gitlab.com")


class UrlError(ValueError):
    """A URL from which nothing can be downloaded; the text says why."""


def check_url(url: str) -> str:
    """Return `url` unchanged when it is an http(s) URL of a file; raises UrlError otherwise.

    Credentials in a URL are refused: they would end in logs and events.
    """
    shown = ascii(url if len(url) <= 120 else url[:117] + "...")
    if len(url) > MAX_URL_CHARS:
        raise UrlError(f"the URL {shown} is longer than {MAX_URL_CHARS} characters")
    if _UNSAFE.search(url):
        raise UrlError(
            f"the URL {shown} contains spaces, control characters, quotes or backslashes; escape them as %XX"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UrlError(f"the URL {shown} cannot be read: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise UrlError(f"the URL {shown} must begin with https:// or http://")
    if not host or port == 0:
        raise UrlError(f"the URL {shown} names no host")
    if parts.username is not None or parts.password is not None:
        raise UrlError("a URL with a user name or password in it is refused; set the host's token instead")
    if parts.path in ("", "/"):
        raise UrlError(f"the URL {shown} names a host and no file")
    return url


def file_link(url: str) -> str | None:
    """Return the file's own URL when `url` is the page that shows it (`/blob/`), None when it is none.

    Hubs serve the file at `/resolve/` in place of `/blob/`, code hosts at `/raw/`; the query is kept.
    """
    parts = urlsplit(url)
    match = _PAGE.fullmatch(parts.path)
    if match is None or "/resolve/" in match[1] or "/raw/" in match[1]:
        return None
    word = "raw" if (parts.hostname or "").endswith(_RAW_HOSTS) else "resolve"
    return urlunsplit(parts._replace(path=f"{match[1]}{word}/{match[2]}"))
