"""Reading small files from a web server that a setting names: capped, conditional, never led into the own network."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

MAX_REDIRECTS = 5
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


class SourceError(Exception):
    """The source gave nothing usable. `code` is stable, `status` the HTTP status that fits (R-073)."""

    def __init__(self, message: str, *, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` is None when it is still that of the ETag; `url` is where it was found, after redirects."""

    data: bytes | None
    etag: str
    url: URL


class WebReader:
    """Reads files, first of all `trusted` (what a person configured). Redirects are followed by hand: at most five,
    never to plain http, and to another host only when its address is a public one, so that a server cannot point into
    the own network. An async context manager; errors of the connection itself are aiohttp's, OSError or ValueError.
    """

    def __init__(self, trusted: URL) -> None:
        self._trusted = trusted
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_GuardedResolver(trusted.host or "")),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first file."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, url: URL, etag: str, *, name: str, max_bytes: int, within: URL | None = None) -> Answer:
        """Return the file; `name` stands in errors, redirects stay below `within` when that is given.

        Raises SourceError: `upstream_status` with the server's own status, `upstream_refused`.
        """
        headers = {"Accept-Encoding": "identity", "User-Agent": "modeldeck"}
        if etag:
            headers["If-None-Match"] = etag
        for _ in range(MAX_REDIRECTS + 1):
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                if answer.status not in _REDIRECTS:
                    return await _take(answer, etag, url, name, max_bytes)
                url = self._next(url, answer.headers.get("Location", ""), name, within)
        raise _refused(name, f"more than {MAX_REDIRECTS} redirects")

    def _next(self, url: URL, location: str, name: str, within: URL | None) -> URL:
        target = url.join(URL(location))
        if target.scheme not in ("http", "https") or (url.scheme == "https" and target.scheme == "http"):
            raise _refused(name, f"a redirect to {target.scheme}")
        trusted = (self._trusted.host, self._trusted.port)
        if (target.host, target.port) != trusted and _private(target.host or ""):
            raise _refused(name, "a redirect to a private address")
        if within is not None and not _is_below(target, within):
            raise _refused(name, "a redirect out of its folder")
        return target


async def _take(answer: aiohttp.ClientResponse, etag: str, url: URL, name: str, max_bytes: int) -> Answer:
    if etag and answer.status == 304:
        return Answer(None, etag, url)
    if answer.status != 200:
        status = answer.status if 400 <= answer.status <= 599 else 502
        message = f"{name} answered {answer.status} {answer.reason or ''}".rstrip()
        raise SourceError(message, code="upstream_status", status=status)
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _refused(name, "a compressed answer, though none was asked for")
    data = bytearray()
    async for chunk in answer.content.iter_chunked(256 * 1024):
        data += chunk
        if len(data) > max_bytes:
            raise _refused(name, f"more than {max_bytes} bytes")
    return Answer(bytes(data), answer.headers.get("ETag", "")[:200], url)


def _refused(name: str, what: str) -> SourceError:
    return SourceError(f"{name} gave {what}; refused", code="upstream_refused", status=502)


def _is_below(url: URL, folder: URL) -> bool:
    return (
        url.origin() == folder.origin() and url.path.startswith(f"{folder.path.rstrip('/')}/") and ".." not in url.parts
    )


class _GuardedResolver(AbstractResolver):
    """Resolves the configured host to anything, every other one (reached by a redirect) to public addresses only."""

    def __init__(self, trusted: str) -> None:
        self._trusted = trusted
        self._resolver = DefaultResolver()

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, socket.AddressFamily(family))
        if host == self._trusted:
            return found
        public = [entry for entry in found if not _private(entry["host"])]
        if not public:
            raise OSError(errno.EHOSTUNREACH, f"{host} has no public address")
        return public

    async def close(self) -> None:
        await self._resolver.close()


def _private(host: str) -> bool:
    """Return whether `host` is written as an address that is not public (a name is judged once it is resolved)."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global
